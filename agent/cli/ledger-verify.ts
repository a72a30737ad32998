/** `plugpool ledger verify`: proves that no booking was changed, removed or moved, of a running agent or of a backup. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { LedgerVerdict } from '../ports.ts';
import { signedHeadSchema, type SignedHead } from '../signed-head.ts';
import { CliError, type Paint } from './context.ts';
import { ControlClient } from '../adapters/control-socket/control-client.ts';
import { controlSocketPath, defaultDataDir } from '../config/data-dir.ts';
import { fileRefusalOf } from './file-refusal.ts';
import { unreadableFile } from './unreadable-file.ts';
import { sayFound, showUsageOnError, withCommon, type CliProgram, type CommonFlags } from './verb.ts';
import { counted } from './words.ts';

interface VerifyFlags extends CommonFlags {
  readonly head?: string;
  readonly store?: string;
}

/** Ten million bookings take a minute or two. */
const VERIFY_MS_MAX = 3_600_000;
const HEAD_BYTES_MAX = 4_096;

export function addLedgerVerify(group: Command, cli: CliProgram): void {
  const command = withCommon(group.command('verify'))
    .description('prove that no booking was changed, removed or moved')
    .option(
      '--head <file>',
      'against what "plugpool ledger head --out" wrote: a tail that was cut off is found too',
    )
    .option('--store <file>', 'of a file that "plugpool backup" made; no agent is asked');
  showUsageOnError(command).action(async (flags: VerifyFlags) => {
    const head = flags.head === undefined ? undefined : readHead(flags.head);
    const verdict = flags.store === undefined ? await ask(cli, flags, head) : await look(flags.store, head);
    const failed = verdict.findings.length > 0;
    const page = (paint: Paint): string => pageOf(verdict, head !== undefined, paint);
    cli.finish(sayFound(cli.context, flags, { document: verdict, page, failed }));
  });
}

async function ask({ context }: CliProgram, flags: VerifyFlags, head?: SignedHead): Promise<LedgerVerdict> {
  const agent = new ControlClient(
    controlSocketPath(flags.dataDir ?? defaultDataDir(context.env)),
    VERIFY_MS_MAX,
  );
  try {
    return (await agent.ask('verifyLedger', head === undefined ? {} : { head })) as LedgerVerdict;
  } finally {
    agent.close();
  }
}

async function look(store: string, head?: SignedHead): Promise<LedgerVerdict> {
  // Only here: every other command starts faster without a database.
  const { verifyStoreFile } = await import('../verify-store.ts');
  try {
    return await verifyStoreFile(resolve(store), head);
  } catch (error) {
    throw fileRefusalOf(error);
  }
}

/** Of the right form; whether it is signed, and by whom, is for who verifies it. */
function readHead(file: string): SignedHead {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw unreadableFile(file, error, HINT_HEAD);
  }
  const parsed = signedHeadSchema.safeParse(jsonIn(text));
  if (parsed.success) return parsed.data;
  const [{ path, message } = { path: [], message: '' }] = parsed.error.issues;
  const why = [...path, message].join(': ');
  throw new CliError('invalid_argument', `${file} is no head of a ledger: ${why}`, HINT_HEAD, parsed.error);
}

const HINT_HEAD = 'give what "plugpool ledger head --out" wrote';

/** Undefined, which is no head either, of what is no JSON or larger than any head. */
function jsonIn(text: string): unknown {
  try {
    return text.length > HEAD_BYTES_MAX ? undefined : (JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}

function pageOf({ bookings, hash, findings }: LedgerVerdict, againstHead: boolean, paint: Paint): string {
  if (findings.length > 0)
    return [paint('red', 'the ledger was changed:'), ...findings.map(({ detail }) => `  ${detail}`)].join(
      '\n',
    );
  const beside = againstHead ? ', and what the exported head knew is in it' : '';
  return `${paint('green', `proven: ${counted(bookings, 'booking')}, each as it was booked, debits equal credits${beside}`)}\nhead ${hash}`;
}
