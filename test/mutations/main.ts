/**
 * `npm run test:mutations`: breaks each promise in a copy of the checkout and runs its proof, which must fail. Words choose the
 * mutations whose name has one of them.
 */
import { availableParallelism } from 'node:os';
import { CheckoutCopy, type ProofResult } from './checkout-copy.ts';
import { MUTATIONS, type Mutation } from './mutations.ts';

/** A proof that hangs on a broken promise has failed too. */
const PROOF_TIMEOUT_MS = 240_000;

interface Verdict {
  readonly mutation: Mutation;
  readonly found: boolean;
  readonly result: ProofResult;
}

function chosen(words: readonly string[]): readonly Mutation[] {
  if (words.length === 0) return MUTATIONS;
  return MUTATIONS.filter(({ name }) => words.some((word) => name.includes(word)));
}

/** Without an edit every proof must hold, or its failing tells nothing. */
async function proofsHold(copy: CheckoutCopy, mutations: readonly Mutation[]): Promise<boolean> {
  const proofs = new Map(mutations.map(({ proof }) => [proof.join(' '), proof]));
  for (const [name, proof] of proofs) {
    const { passed, tookMs, tail } = await copy.prove(proof, PROOF_TIMEOUT_MS);
    process.stdout.write(`${passed ? 'holds ' : 'FAILS '} ${seconds(tookMs)}  node ${name}\n`);
    if (passed) continue;
    process.stdout.write(`${tail}\nThis proof fails without any mutation: mend that first.\n`);
    return false;
  }
  return true;
}

async function judge(copy: CheckoutCopy, mutation: Mutation): Promise<Verdict> {
  const putBack = copy.apply(mutation);
  try {
    const result = await copy.prove(mutation.proof, PROOF_TIMEOUT_MS);
    return { mutation, found: !result.passed, result };
  } finally {
    putBack();
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1).padStart(6)} s`;
}

function print({ mutation, found, result }: Verdict): void {
  process.stdout.write(`${found ? 'found ' : 'MISSED'} ${seconds(result.tookMs)}  ${mutation.name}\n`);
  if (!found) process.stdout.write(`       nothing noticed that this no longer holds: ${mutation.promise}\n`);
  else if (process.env['PLUGPOOL_MUTATIONS_VERBOSE'] !== undefined) process.stdout.write(`${result.tail}\n`);
}

/** Each in a copy of its own, as many at once as there are cores for. */
async function judgeAll(mutations: readonly Mutation[]): Promise<Verdict[]> {
  const waiting = [...mutations];
  const verdicts: Verdict[] = [];
  const lane = async (): Promise<void> => {
    const copy = new CheckoutCopy();
    try {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const verdict = await judge(copy, next);
        print(verdict);
        verdicts.push(verdict);
      }
    } finally {
      copy.remove();
    }
  };
  // The proofs use several threads themselves.
  const lanes = Math.max(1, Math.floor(availableParallelism() / 2));
  await Promise.all(Array.from({ length: lanes }, lane));
  return verdicts;
}

async function main(words: readonly string[]): Promise<number> {
  const mutations = chosen(words);
  if (mutations.length === 0) {
    process.stderr.write(`no mutation has any of these words in its name: ${words.join(' ')}\n`);
    return 2;
  }
  const copy = new CheckoutCopy();
  try {
    if (!(await proofsHold(copy, mutations))) return 1;
  } finally {
    copy.remove();
  }
  const verdicts = await judgeAll(mutations);
  const missed = verdicts.filter(({ found }) => !found);
  process.stdout.write(`${verdicts.length - missed.length} of ${verdicts.length} mutations found\n`);
  return missed.length === 0 ? 0 : 1;
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));
process.exitCode = await main(process.argv.slice(2));
