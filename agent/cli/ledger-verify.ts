/** `plugpool ledger verify`: proves that no booking was changed, removed or moved, of a running agent or of a backup. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { LedgerVerdict } from '../ports.ts';
import { CliError, type Paint } from './context.ts';
import { ControlClient } from '../adapters/control-socket/control-client.ts';
import { controlSocketPath, defaultDataDir } from '../config/data-dir.ts';
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

async function ask({ context }: CliProgram, flags: VerifyFlags, head: unknown): Promise<LedgerVerdict> {
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

async function look(store: string, head: unknown): Promise<LedgerVerdict> {
  // Only here: every other command starts faster without a database.
  const { verifyStoreFile } = await import('../verify-store.ts');
  try {
    return await verifyStoreFile(resolve(store), head);
  } catch (error) {
    if (!(error instanceof Error) || !('hint' in error) || !('code' in error)) throw error;
    const code = error.name === 'StoreError' ? `storage_${String(error.code)}` : String(error.code);
    throw new CliError(code, error.message, String(error.hint), error);
  }
}

/** Any JSON: whether it is a head is for who verifies it. */
function readHead(file: string): unknown {
  try {
    const text = readFileSync(file, 'utf8');
    if (Buffer.byteLength(text) > HEAD_BYTES_MAX) throw new Error('it is larger than any head');
    return JSON.parse(text) as unknown;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CliError(
      'file_unreadable',
      `${file} is no head of a ledger: ${why}`,
      'give what "plugpool ledger head --out" wrote',
      error,
    );
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
