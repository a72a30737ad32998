/** By which prices work is paid at a moment: the first tariff whose window holds. None: nothing is paid in money. Pure. */
import { Cron } from 'croner';

/** Money is in millionths of the currency's minor unit: a core-second costs less than a cent. */
export interface Tariff {
  readonly name: string;
  /** ISO 4217. */
  readonly currency: string;
  /** Absent: always. */
  readonly window?: TariffWindow;
  /** What the payer is charged for an hour of the reference core, and of the reference GPU. */
  readonly cpuHourMicros: number;
  readonly gpuHourMicros: number;
  /** The operator's part of it. */
  readonly operatorShareMillis: number;
  /** What a kWh costs the driver. */
  readonly energyKwhMicros: number;
}

/** It opens at each time of the cron expression, in that time zone, and stays open for so long: elapsed time, whatever clocks are set to. */
export interface TariffWindow {
  readonly cron: string;
  readonly timeZone: string;
  readonly durationMs: number;
}

const MINUTE_MS = 60_000;

/** Windows open and close at whole minutes: one answer serves for a minute. */
interface Memo {
  minute: number;
  tariff: Tariff | undefined;
  readonly starts: ReadonlyMap<Tariff, Cron>;
}

const memos = new WeakMap<readonly Tariff[], Memo>();

export function tariffAt(tariffs: readonly Tariff[], wallMs: number): Tariff | undefined {
  if (tariffs.length === 0) return undefined;
  const minute = Math.floor(wallMs / MINUTE_MS);
  let memo = memos.get(tariffs);
  if (memo?.minute === minute) return memo.tariff;
  memo ??= { minute, tariff: undefined, starts: startsOf(tariffs) };
  const { starts } = memo;
  memo.minute = minute;
  memo.tariff = tariffs.find((tariff) => holds(tariff, starts.get(tariff), minute * MINUTE_MS));
  memos.set(tariffs, memo);
  return memo.tariff;
}

function startsOf(tariffs: readonly Tariff[]): ReadonlyMap<Tariff, Cron> {
  const starts = new Map<Tariff, Cron>();
  for (const tariff of tariffs) {
    const { window } = tariff;
    if (window !== undefined) starts.set(tariff, startsIn(window));
  }
  return starts;
}

/** Paused, and with no function to call: it does nothing but answer. Throws where the expression or the zone is none. */
function startsIn({ cron, timeZone }: Pick<TariffWindow, 'cron' | 'timeZone'>): Cron {
  return new Cron(cron, { paused: true, timezone: timeZone, mode: '5-part' });
}

/** It opened within the last `durationMs`. */
function holds({ window }: Tariff, starts: Cron | undefined, wallMs: number): boolean {
  if (window === undefined || starts === undefined) return true;
  const opened = starts.nextRun(new Date(wallMs - window.durationMs));
  return opened !== null && opened.getTime() <= wallMs;
}

/** What is wrong with a window; undefined: nothing. */
export function windowProblem(cron: string, timeZone: string): string | undefined {
  try {
    const next = startsIn({ cron, timeZone }).nextRun(new Date(0));
    return next === null ? `${JSON.stringify(cron)} names a time that never comes` : undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
