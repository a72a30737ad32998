/** `plugpool credits export`: the records of a time as JSON lines, each with its signature, or as CSV for a spreadsheet. */
import { once } from 'node:events';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { Option } from 'commander';
import type { SignedRecord } from '@plugpool/firmware-bridge';
import { ControlClient } from '../adapters/control-socket/control-client.ts';
import { controlSocketPath, defaultDataDir } from '../config/data-dir.ts';
import type { CreditBody } from '../credits/credit-body.ts';
import { sayJson, type CliContext } from './context.ts';
import { signedCredits } from './signed-credits.ts';
import { cell } from './csv.ts';
import { makeNewFile } from './new-file.ts';
import { refuseNoTime, withTimeSpan, type TimeSpan } from './time-span.ts';
import { showUsageOnError, withCommon, type CliProgram, type CommonFlags } from './verb.ts';
import { counted } from './words.ts';

interface ExportFlags extends CommonFlags, TimeSpan {
  readonly format: 'csv' | 'json';
  readonly out?: string;
}

export function addCreditsExport(group: Command, cli: CliProgram): void {
  const command = withTimeSpan(withCommon(group.command('export')))
    .description('the records of stays that ended in a time, for whoever bills; they name no vehicle')
    .addOption(
      new Option(
        '--format <format>',
        'json: a line for each record, with its signature; csv: for a spreadsheet',
      )
        .choices(['json', 'csv'])
        .default('json'),
    )
    .option('--out <file>', 'write to a new file; without, to standard output');
  showUsageOnError(command).action(async (flags: ExportFlags) => {
    refuseNoTime(flags);
    await exportCredits(cli.context, flags);
    cli.finish(0);
  });
}

async function exportCredits(context: CliContext, flags: ExportFlags): Promise<void> {
  const { out } = flags;
  if (out === undefined)
    return void (await writeAll(context, flags, async (text) => {
      if (text !== '' && !context.stdout.write(text)) await once(context.stdout, 'drain');
    }));
  let credits = 0;
  await makeNewFile(resolve(out), async (file) => {
    credits = await writeAll(context, flags, async (text) => void (await file.write(text)));
  });
  if (flags.json === true) sayJson(context, { ok: true, file: resolve(out), credits });
  else context.stdout.write(`${out}: ${counted(credits, 'record')}\n`);
}

async function writeAll(
  { env }: CliContext,
  flags: ExportFlags,
  write: (text: string) => Promise<void>,
): Promise<number> {
  const agent = new ControlClient(controlSocketPath(flags.dataDir ?? defaultDataDir(env)));
  const linesOf = flags.format === 'csv' ? csvLines : jsonLine;
  let [count, heading] = [0, flags.format === 'csv' ? `${HEADINGS.join(',')}\n` : ''];
  try {
    for await (const page of signedCredits(agent, flags)) {
      await write(heading + page.map(({ signed }) => linesOf(signed)).join(''));
      heading = '';
      count += page.length;
    }
  } finally {
    agent.close();
  }
  return count;
}

function jsonLine({ id, body, signature }: SignedRecord): string {
  return `${JSON.stringify({ id, body, signature })}\n`;
}

const HEADINGS = [
  ...['id', 'station', 'connector', 'transaction', 'vehicle', 'plugged', 'ended', 'ended_how'],
  ...['cpu_mncs', 'gpu_mncs', 'energy_mwh', 'currency', 'micros', 'tariffs', 'signature'],
];

/** A line for each currency, and one where nothing was paid in money; what is no money is on the first alone, so that columns add up. */
function csvLines({ body, signature }: SignedRecord): string {
  const record = JSON.parse(body) as CreditBody;
  const { period, earned, energyMwh } = record;
  const about = [
    record.id,
    record.station,
    record.connector,
    record.transactionId ?? '',
    record.vehicle,
    new Date(period.pluggedWallMs).toISOString(),
    new Date(period.endedWallMs).toISOString(),
    period.ended,
  ];
  const money = record.money.length === 0 ? [{ currency: '', micros: 0 }] : record.money;
  return money
    .map(({ currency, micros }, position) => {
      const units = position === 0 ? [earned.cpuMncs, earned.gpuMncs, energyMwh] : [0, 0, 0];
      return `${[...about, ...units, currency, micros, record.tariffs.join(' '), signature].map(cell).join(',')}\n`;
    })
    .join('');
}
