/** `plugpool ledger export`: the bookings of a time as CSV or JSON lines, one entry or one booking a line. */
import { once } from 'node:events';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import type { BookingPage } from '../ports.ts';
import { ControlClient } from '../adapters/control-socket/control-client.ts';
import { controlSocketPath, defaultDataDir } from '../config/data-dir.ts';
import { CliError, sayJson, type CliContext } from './context.ts';
import { makeNewFile } from './new-file.ts';
import { showUsageOnError, withCommon, type CliProgram, type CommonFlags } from './verb.ts';
import { counted } from './words.ts';

type Booking = BookingPage['bookings'][number];

interface ExportFlags extends CommonFlags {
  readonly from?: number;
  readonly to?: number;
  readonly format: 'csv' | 'json';
  readonly out?: string;
}

const FAR_WALL_MS = 8.64e15;

export function addLedgerExport(group: Command, cli: CliProgram): void {
  const command = withCommon(group.command('export'))
    .description('bookings of a time, for a spreadsheet or a program')
    .option(
      '--from <time>',
      'from this time on: 2026-11-01, or with 2026-11-01T12:00Z a time of the day',
      time,
    )
    .option('--to <time>', 'before this time', time)
    .addOption(
      new Option('--format <format>', 'csv: a line for each entry; json: a line for each booking')
        .choices(['csv', 'json'])
        .default('csv'),
    )
    .option('--out <file>', 'write to a new file; without, to standard output');
  showUsageOnError(command).action(async (flags: ExportFlags) => {
    refuseNoTime(flags);
    await exportBookings(cli.context, flags);
    cli.finish(0);
  });
}

/** A day is meant in UTC, as bookings are written. */
function time(text: string): number {
  const isTime = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/.test(text);
  const wallMs = isTime ? Date.parse(text) : NaN;
  // 2026-02-30 is a form, and no day.
  if (Number.isFinite(wallMs) && (text.length > 10 || new Date(wallMs).toISOString().startsWith(text)))
    return wallMs;
  throw new InvalidArgumentError('It must be a day such as 2026-11-01, or a time such as 2026-11-01T12:00Z.');
}

/** Of no time there is nothing: an empty file would pass for a month without bookings. */
function refuseNoTime({ from = 0, to = FAR_WALL_MS }: ExportFlags): void {
  if (from < to) return;
  const [begin, end] = [from, to].map((wallMs) => new Date(wallMs).toISOString());
  throw new CliError(
    'invalid_argument',
    `nothing lies between --from ${begin} and --to ${end}`,
    'give a --to after --from; --to itself is not in it: 2026-11-01 to 2026-12-01 is all of November',
  );
}

async function exportBookings(context: CliContext, flags: ExportFlags): Promise<void> {
  const { out } = flags;
  if (out === undefined) return void (await writeAll(context, flags, (text) => writeTo(context, text)));
  let count = 0;
  await makeNewFile(resolve(out), async (file) => {
    count = await writeAll(context, flags, async (text) => void (await file.write(text)));
  });
  if (flags.json === true) sayJson(context, { ok: true, file: resolve(out), bookings: count });
  else context.stdout.write(`${out}: ${counted(count, 'booking')}\n`);
}

/** Waits where nobody reads as fast. */
async function writeTo({ stdout }: CliContext, text: string): Promise<void> {
  if (text !== '' && !stdout.write(text)) await once(stdout, 'drain');
}

async function writeAll(
  { env }: CliContext,
  { dataDir, format, from = 0, to = FAR_WALL_MS }: ExportFlags,
  write: (text: string) => Promise<void>,
): Promise<number> {
  const agent = new ControlClient(controlSocketPath(dataDir ?? defaultDataDir(env)));
  const linesOf = format === 'csv' ? csvLines : jsonLine;
  let count = 0;
  try {
    let page: BookingPage = { bookings: [], next: 0 };
    let isFirst = true;
    while (page.next !== undefined) {
      const asked = { after: page.next, fromWallMs: from, toWallMs: to };
      page = (await agent.ask('ledgerBookings', asked)) as BookingPage;
      // Only now is it known that an agent answers.
      const heading = isFirst && format === 'csv' ? `${HEADINGS.join(',')}\n` : '';
      isFirst = false;
      count += page.bookings.length;
      await write(heading + page.bookings.map(linesOf).join(''));
    }
  } finally {
    agent.close();
  }
  return count;
}

const HEADINGS = [
  ...['booking', 'booked', 'kind', 'task', 'instance', 'fencing_token', 'segment', 'tariff', 'overstay'],
  ...['account', 'unit', 'amount', 'hash'],
];

/** A booking without entries, of nothing that was done, is a line without account. */
function csvLines(booking: Booking): string {
  const { key, wallMs, kind, taskId, instanceId, fencingToken, segment, tariff = '', hash } = booking;
  const overstay = booking.overstay === true ? 'yes' : 'no';
  const about = [
    key,
    new Date(wallMs).toISOString(),
    kind,
    taskId,
    instanceId,
    fencingToken,
    segment,
    tariff,
    overstay,
  ];
  const entries = booking.entries.length === 0 ? [{ account: '', unit: '', amount: 0 }] : booking.entries;
  return entries
    .map(({ account, unit, amount }) => `${[...about, account, unit, amount, hash].map(cell).join(',')}\n`)
    .join('');
}

/**
 * RFC 4180, and what a spreadsheet would take for a formula is made text: who chooses a name must not compute in the operator's
 * spreadsheet. Numbers are ours, a minus before them too.
 */
function cell(value: string | number): string {
  if (typeof value === 'number') return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function jsonLine({ key, hash, tariff, overstay, ...rest }: Booking): string {
  const about = { tariff: tariff ?? null, overstay: overstay === true };
  return `${JSON.stringify({ booking: key, ...rest, ...about, hash })}\n`;
}
