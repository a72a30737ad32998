/** `earnings`: what lending brought this vehicle at a pile, and what it would bring now, before its owner consents. */
import type { Command } from 'commander';
import type { EarningsReport, EarningsSum, EarningTerms } from '@plugpool/proto';
import { connect } from './asking.ts';
import { EXIT_DONE, sayJson, table, type CliContext } from './context.ts';
import { amountInWords, microsInWords } from './money-words.ts';
import { answerOf } from './own-donor.ts';
import { withPile, type CommonFlags } from './options.ts';
import type { StatusJson } from './status.ts';

type Report = Omit<EarningsReport, 'kind'>;

/** What a reference core's hour takes by this machine's own meter, and what is left of it then. */
interface Measured {
  readonly cpuHourMwh: number;
  /** Null where nothing is paid in money now. */
  readonly netCpuHourMicros: number | null;
}

const MS_PER_HOUR = 3_600_000;
/** Less was measured too coarsely to say what an hour takes. */
const MEASURED_MWH_MIN = 10;

export function addEarnings(program: Command, context: CliContext, finish: (code: number) => void): void {
  withPile(program.command('earnings'))
    .description('what lending brought this vehicle here, what its energy cost, and what an hour brings now')
    .action(async (flags: CommonFlags) => finish(await earnings(context, flags)));
}

async function earnings(context: CliContext, flags: CommonFlags): Promise<number> {
  const client = await connect(context, flags);
  try {
    const report = await client.earnings();
    const measured = await measuredBy(context, flags, report.terms);
    if (flags.json === true) sayJson(context, documentOf(report, measured));
    else context.stdout.write(`${pageOf(report, measured)}\n`);
    return EXIT_DONE;
  } finally {
    await client.close();
  }
}

/** What a driver has of an hour of the reference core once its energy is paid: less than nothing where power is dear. */
function netCpuHourMicrosOf({
  cpuHourMicros,
  cpuHourMwh,
  energyKwhMicros,
}: Pick<EarningTerms, 'cpuHourMicros' | 'cpuHourMwh' | 'energyKwhMicros'>): number {
  return cpuHourMicros - Math.ceil((cpuHourMwh * energyKwhMicros) / 1_000_000);
}

/** What is left of lending and asking once the energy of lending is paid, settled or not, in millionths of a minor unit. */
function netsOf({ balances, energyCosts }: Report): readonly { currency: string; micros: number }[] {
  const nets = new Map<string, number>();
  for (const { unit, credited, debited } of [...balances, ...energyCosts]) {
    const [, currency, accrues] = /^([A-Z]{3})(e-6)?$/.exec(unit) ?? [];
    if (currency === undefined) continue;
    const micros = (credited - debited) * (accrues === undefined ? 1e6 : 1);
    nets.set(currency, (nets.get(currency) ?? 0) + micros);
  }
  return [...nets].map(([currency, micros]) => ({ currency, micros }));
}

/** Undefined where no donor of this vehicle runs here, or it has measured too little yet. */
async function measuredBy(
  context: CliContext,
  flags: CommonFlags,
  terms: EarningTerms | undefined,
): Promise<Measured | undefined> {
  const status = (await answerOf(context, flags, { op: 'status' }).catch(() => undefined)) as
    StatusJson | undefined;
  if (status?.energy.measured !== true || status.hardware === null) return undefined;
  const cpuHourMwh = cpuHourMwhOf(status.energy, status.hardware.speedMillis);
  if (cpuHourMwh === undefined) return undefined;
  const netCpuHourMicros = terms === undefined ? null : netCpuHourMicrosOf({ ...terms, cpuHourMwh });
  return { cpuHourMwh, netCpuHourMicros };
}

/** Of the reference core: a fast core does more in an hour than that, and a slow one less. */
function cpuHourMwhOf(
  { toldMwh, toldCpuMs }: { readonly toldMwh: number; readonly toldCpuMs: number },
  speedMillis: number,
): number | undefined {
  if (toldMwh < MEASURED_MWH_MIN || toldCpuMs === 0) return undefined;
  return Math.round((toldMwh * MS_PER_HOUR * 1000) / (toldCpuMs * speedMillis));
}

function documentOf({ balances, energyCosts, terms }: Report, measured: Measured | undefined): object {
  const stated =
    terms === undefined
      ? null
      : {
          ...terms,
          overstayAfterMs: terms.overstayAfterMs ?? null,
          netCpuHourMicros: netCpuHourMicrosOf(terms),
        };
  const nets = netsOf({ balances, energyCosts });
  return { ok: true, balances, energyCosts, nets, terms: stated, measured: measured ?? null };
}

function pageOf({ balances, energyCosts, terms }: Report, measured: Measured | undefined): string {
  const rows = [
    ...balances.map((sum) => rowOf('lending and asking', sum)),
    ...energyCosts.map((sum) => rowOf('energy of computing, in the charging bill', sum)),
  ];
  const nets = netsOf({ balances, energyCosts }).map(
    ({ currency, micros }) => `\nleft, energy paid: ${microsInWords(micros, currency)}`,
  );
  const sums = rows.length === 0 ? 'nothing was booked here yet' : table(['', 'GOT', 'GAVE'], rows);
  const now = terms === undefined ? 'nothing is paid in money here now' : termsInWords(terms, measured);
  return `${sums}${nets.join('')}\n\n${now}`;
}

function rowOf(what: string, { unit, credited, debited }: EarningsSum): string[] {
  return [what, amountInWords(credited, unit), amountInWords(debited, unit)];
}

function termsInWords(terms: EarningTerms, measured: Measured | undefined): string {
  const { tariff, currency, cpuHourMicros, gpuHourMicros, energyKwhMicros, overstayAfterMs } = terms;
  const money = (micros: number): string => microsInWords(micros, currency);
  const lines = [
    `now, by the tariff ${tariff}:`,
    `  an hour of a reference core   ${money(cpuHourMicros)}`,
    `  an hour of a reference GPU    ${money(gpuHourMicros)}`,
    `  a kWh costs the driver        ${money(energyKwhMicros)}`,
    `  left of a core's hour         ${money(netCpuHourMicrosOf(terms))}`,
  ];
  const net = measured?.netCpuHourMicros ?? undefined;
  if (net !== undefined) lines.push(`  as this machine measures it   ${money(net)}`);
  if (overstayAfterMs !== undefined)
    lines.push(`  nothing is earned from ${Math.round(overstayAfterMs / 60_000)} min after charging ended`);
  return lines.join('\n');
}
