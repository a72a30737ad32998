/** Random runs of valid commits: tasks, the catalogue, bindings, credit records and what is learned. */
import type { AlgorithmId, ConnectorId, VehicleId } from '@plugpool/proto';
import fc from 'fast-check';
import type {
  BindingRecord,
  CreditId,
  CreditRecord,
  CreditSending,
  StoreChange,
  Unit,
} from '../agent/core/records.ts';
import { changesOf, life } from './random-lives.ts';
import { algorithm, branded, record, stay, text, wallMs } from './random-records.ts';

const binding: fc.Arbitrary<StoreChange> = fc
  .tuple(
    record({
      kind: fc.constantFrom('idToken' as const, 'evccid' as const, 'vin' as const, 'emaid' as const),
      pseudonym: fc.constantFrom('a'.repeat(32), 'b'.repeat(32)),
    }),
    branded<VehicleId>(text),
    wallMs,
    fc.boolean(),
  )
  .map(([credential, vehicleId, boundWallMs, isKept]): StoreChange =>
    isKept
      ? { change: 'putBinding', binding: { credential, vehicleId, boundWallMs } satisfies BindingRecord }
      : { change: 'removeBinding', credential },
  );

/** What JSON gives back as it was. */
const json = fc
  .jsonValue({ noUnicodeString: false })
  .map((value) => JSON.parse(JSON.stringify(value)) as unknown);

const earned = fc.uniqueArray(
  record({
    unit: fc.constantFrom('cpuMncs', 'mWh', 'EURe-6').map((unit) => unit as Unit),
    amount: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  }),
  { selector: ({ unit }) => unit, maxLength: 3 },
);

const creditStory = record({
  earned: fc.array(earned, { minLength: 1, maxLength: 3 }),
  how: fc.constantFrom('unplugged' as const, 'unseen' as const),
  signed: fc.option(record({ first: fc.string(), last: fc.string() }), { nil: undefined }),
  sending: fc.array(
    fc.constantFrom<CreditSending[]>(
      { state: 'waiting', tries: 0 },
      { state: 'waiting', tries: 3, triedWallMs: 5, code: 'no_answer', detail: 'too late' },
      { state: 'accepted', tries: 1 },
      { state: 'kept', tries: 0 },
    ),
    { maxLength: 2 },
  ),
  until: fc.nat(6),
});

/** A stay earns, ends, is made and sent, as far as it gets. */
function creditChanges(found: Value<typeof creditStory>, n: number): StoreChange[] {
  const about = {
    creditId: (n + 1) as CreditId,
    vehicleId: `car-${n}` as VehicleId,
    connectorId: 'station/1/1' as ConnectorId,
    pluggedWallMs: 1_000 * n,
    tariffs: ['day'],
    lastBookedWallMs: 2_000 * n,
    ...(found.signed && { signed: found.signed }),
  };
  const steps = found.earned.map((each, position): CreditRecord => ({
    ...about,
    earned: each,
    bookings: position + 1,
  }));
  const last = steps.at(-1);
  if (last === undefined) return [];
  const ended = { ...last, ended: { wallMs: 3_000 * n, how: found.how } };
  const puts = [...steps, ended, { ...ended, madeWallMs: 4_000 * n + 1 }];
  return [
    ...puts.map((credit): StoreChange => ({ change: 'putCredit', credit })),
    ...found.sending.map((sending): StoreChange => ({
      change: 'putCreditSending',
      creditId: about.creditId,
      sending,
    })),
  ].slice(0, found.until);
}

type Value<Of> = Of extends fc.Arbitrary<infer One> ? One : never;

/** Random lives of tasks, of the catalogue and of what is learned, interleaved, cut into commits. */
export const runOfCommits: fc.Arbitrary<StoreChange[][]> = record({
  lives: fc.array(life, { maxLength: 12 }),
  algorithms: fc.array(algorithm, { maxLength: 6 }),
  stays: fc.array(stay, { maxLength: 4 }),
  bindings: fc.array(binding, { maxLength: 6 }),
  credits: fc.array(creditStory, { maxLength: 4 }),
  learned: fc.array(record({ name: fc.constantFrom('x', 'y'), value: json }), { maxLength: 4 }),
  removed: fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 2 }),
  picks: fc.array(fc.nat(), { minLength: 1, maxLength: 40 }),
}).map(({ lives, algorithms, stays, bindings, credits, learned, removed, picks }) => {
  const catalogue: StoreChange[] = [
    ...algorithms.map((found): StoreChange => ({ change: 'putAlgorithm', algorithm: found })),
    ...removed.map((name): StoreChange => ({
      change: 'removeAlgorithm',
      id: name as AlgorithmId,
      version: '1',
    })),
  ];
  const past = stays.map((found): StoreChange => ({ change: 'insertStay', stay: found }));
  const lessons = learned.map(({ name, value }): StoreChange => ({ change: 'putLearned', name, value }));
  const queues = [
    catalogue,
    past,
    bindings,
    lessons,
    ...credits.map(creditChanges),
    ...lives.map(changesOf),
  ].filter((queue) => queue.length > 0);
  return interleave(queues, picks);
});

function interleave(queues: StoreChange[][], picks: readonly number[]): StoreChange[][] {
  const commits: StoreChange[][] = [];
  for (let step = 0; queues.length > 0; step += 1) {
    const pick = picks[step % picks.length] ?? 0;
    const at = pick % queues.length;
    const queue = queues[at];
    if (queue === undefined) break;
    const changes = queue.splice(0, 1 + (pick % 3));
    if (queue.length === 0) queues.splice(at, 1);
    // Some picks join the commit before.
    const last = commits[commits.length - 1];
    if (last !== undefined && pick % 2 === 0) last.push(...changes);
    else commits.push(changes);
  }
  return commits;
}
