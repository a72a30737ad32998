/** `plugpool ledger export`: the bookings of a time as CSV or JSON lines, one entry or one booking a line. */
import { once } from 'node:events';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { Option } from 'commander';
import type { BookingPage } from '../ports.ts';
import { ControlClient } from '../adapters/control-socket/control-client.ts';
import { controlSocketPath, defaultDataDir } from '../config/data-dir.ts';
import { sayJson, type CliContext } from './context.ts';
import { cell } from './csv.ts';
import { makeNewFile } from './new-file.ts';
import { FAR_WALL_MS, refuseNoTime, withTimeSpan, type TimeSpan } from './time-span.ts';
import { showUsageOnError, withCommon, type CliProgram, type CommonFlags } from './verb.ts';
import { counted } from './words.ts';

type Booking = BookingPage['bookings'][number];

interface ExportFlags extends CommonFlags, TimeSpan {
  readonly format: 'csv' | 'json';
  readonly out?: string;
}

export function addLedgerExport(group: Command, cli: CliProgram): void {
  const command = withTimeSpan(withCommon(group.command('export')))
    .description('bookings of a time, for a spreadsheet or a program')
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

function jsonLine({ key, hash, tariff, overstay, ...rest }: Booking): string {
  const about = { tariff: tariff ?? null, overstay: overstay === true };
  return `${JSON.stringify({ booking: key, ...rest, ...about, hash })}\n`;
}
