/** `earnings`: what lending brought this vehicle at a pile, and what it would bring now, before its owner consents. */
import type { Command } from 'commander';
import type { EarningsReport, EarningsSum, EarningTerms } from '@plugpool/proto';
import { connect } from './asking.ts';
import { EXIT_DONE, sayJson, table, type CliContext } from './context.ts';
import { amountInWords, microsInWords } from './money-words.ts';
import { withPile, type CommonFlags } from './options.ts';

type Report = Omit<EarningsReport, 'kind'>;

export function addEarnings(program: Command, context: CliContext, finish: (code: number) => void): void {
  withPile(program.command('earnings'))
    .description('what lending brought this vehicle here, what its energy cost, and what an hour brings now')
    .action(async (flags: CommonFlags) => finish(await earnings(context, flags)));
}

async function earnings(context: CliContext, flags: CommonFlags): Promise<number> {
  const client = await connect(context, flags);
  try {
    const report = await client.earnings();
    if (flags.json === true) sayJson(context, documentOf(report));
    else context.stdout.write(`${pageOf(report)}\n`);
    return EXIT_DONE;
  } finally {
    await client.close();
  }
}

/** What a driver has of an hour of the reference core once its energy is paid: less than nothing where power is dear. */
export function netCpuHourMicros({ cpuHourMicros, cpuHourMwh, energyKwhMicros }: EarningTerms): number {
  return cpuHourMicros - Math.ceil((cpuHourMwh * energyKwhMicros) / 1_000_000);
}

function documentOf({ balances, energyCosts, terms }: Report): object {
  const stated =
    terms === undefined
      ? null
      : {
          ...terms,
          overstayAfterMs: terms.overstayAfterMs ?? null,
          netCpuHourMicros: netCpuHourMicros(terms),
        };
  return { ok: true, balances, energyCosts, terms: stated };
}

function pageOf({ balances, energyCosts, terms }: Report): string {
  const rows = [
    ...balances.map((sum) => rowOf('lending and asking', sum)),
    ...energyCosts.map((sum) => rowOf('energy of computing, in the charging bill', sum)),
  ];
  const sums = rows.length === 0 ? 'nothing was booked here yet' : table(['', 'GOT', 'GAVE'], rows);
  return `${sums}\n\n${terms === undefined ? 'nothing is paid in money here now' : termsInWords(terms)}`;
}

function rowOf(what: string, { unit, credited, debited }: EarningsSum): string[] {
  return [what, amountInWords(credited, unit), amountInWords(debited, unit)];
}

function termsInWords(terms: EarningTerms): string {
  const { tariff, currency, cpuHourMicros, gpuHourMicros, energyKwhMicros, overstayAfterMs } = terms;
  const money = (micros: number): string => microsInWords(micros, currency);
  const lines = [
    `now, by the tariff ${tariff}:`,
    `  an hour of a reference core   ${money(cpuHourMicros)}`,
    `  an hour of a reference GPU    ${money(gpuHourMicros)}`,
    `  a kWh costs the driver        ${money(energyKwhMicros)}`,
    `  left of a core's hour         ${money(netCpuHourMicros(terms))}`,
  ];
  if (overstayAfterMs !== undefined)
    lines.push(`  nothing is earned from ${Math.round(overstayAfterMs / 60_000)} min after charging ended`);
  return lines.join('\n');
}
