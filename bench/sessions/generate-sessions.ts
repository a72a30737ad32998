/**
 * Makes up stays that look like real ones, with charging ends and stated departures, so that benches need no file:
 * `node bench/sessions/generate-sessions.ts [--profile public|apartments] [--seed N] [--connectors N] [--days N] > FILE`.
 *
 * `public` looks like the chargers of Perth & Kinross Council (2016–17, OGL v3.0): a tenth of the stays ends within 11 minutes,
 * half within 31, nine tenths within 254; two thirds are at rapid connectors. `apartments` looks like the shared garages of
 * Sørensen et al. 2024 (doi 10.1016/j.dib.2024.110883): 81, 672 and 1,328 minutes; who comes home stays the night.
 */
import { parseArgs } from 'node:util';
import { formatLocalTime, SESSION_COLUMNS, type SessionRow } from '@plugpool/firmware-bridge';
import type { ConnectorId } from '@plugpool/proto';
import { Chance } from './chance.ts';
import { stateDeparture } from './state-departure.ts';

export const PROFILES = ['public', 'apartments'] as const;
export type Profile = (typeof PROFILES)[number];

export interface GenerateOptions {
  readonly profile: Profile;
  readonly seed: number;
  readonly connectors: number;
  readonly days: number;
}

export const GENERATE_DEFAULTS: GenerateOptions = { profile: 'public', seed: 1, connectors: 60, days: 180 };

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** A Monday. */
const FIRST_DAY_MS = Date.UTC(2026, 0, 5);
const CONNECTORS_A_SITE = 6;

/** What is peculiar to one connector. */
interface Habits {
  readonly site: string;
  readonly connector: string;
  readonly powerKw: number;
  readonly wantedKwh: number;
  /** Between one leaving and the next coming, at the busiest hour. */
  readonly gapMs: number;
  /** Of each hour, how many come against the busiest. */
  readonly arrivals: readonly number[];
  lastsMs(pluggedMs: number, chance: Chance): number;
}

/** By time of plugging in; the same for the same options. */
export function generateSessions(options: GenerateOptions): readonly SessionRow[] {
  const rows: SessionRow[] = [];
  for (let n = 0; n < options.connectors; n += 1) {
    const chance = new Chance(options.seed * 1_000_003 + n);
    const habits = HABITS[options.profile](n, chance);
    rows.push(...staysOf(habits, options.days, chance));
  }
  return rows.sort((a, b) => a.pluggedMs - b.pluggedMs || (a.connectorId < b.connectorId ? -1 : 1));
}

function* staysOf(habits: Habits, days: number, chance: Chance): Generator<SessionRow> {
  const untilMs = FIRST_DAY_MS + days * DAY_MS;
  let freeMs = FIRST_DAY_MS;
  for (;;) {
    const pluggedMs = wholeMinute(nextArrival(habits, freeMs, chance));
    if (pluggedMs >= untilMs) return;
    const row = stayFrom(habits, pluggedMs, chance);
    yield row;
    freeMs = row.unpluggedMs;
  }
}

/** Somebody comes at any moment, and is turned away as often as the hour is quieter than the busiest. */
function nextArrival({ gapMs, arrivals }: Habits, freeMs: number, chance: Chance): number {
  for (let atMs = freeMs; ;) {
    atMs += MINUTE_MS + chance.exponential(gapMs);
    if (chance.uniform() < (arrivals[Math.floor((atMs % DAY_MS) / HOUR_MS)] ?? 0)) return atMs;
  }
}

function stayFrom(habits: Habits, pluggedMs: number, chance: Chance): SessionRow {
  const unpluggedMs = pluggedMs + Math.max(MINUTE_MS, wholeMinute(habits.lastsMs(pluggedMs, chance)));
  const hours = (unpluggedMs - pluggedMs) / HOUR_MS;
  const energyKwh = Math.min(chance.lognormal(habits.wantedKwh, 0.6), habits.powerKw * hours);
  const chargedMs = Math.min(unpluggedMs, pluggedMs + wholeMinute((energyKwh / habits.powerKw) * HOUR_MS));
  return {
    line: 0,
    site: habits.site,
    connector: habits.connector,
    connectorId: `${habits.site}/${habits.connector}/1` as ConnectorId,
    pluggedMs,
    unpluggedMs,
    energyMwh: Math.round(energyKwh * 1000) * 1000,
    chargingEndedMs: chargedMs,
    statedDepartureMs: stateDeparture(pluggedMs, unpluggedMs, chance),
  };
}

const HABITS: Readonly<Record<Profile, (n: number, chance: Chance) => Habits>> = {
  public: publicHabits,
  apartments: apartmentHabits,
};

const BY_DAY = bell(13, 4.5);
const TOWARDS_EVENING = bell(19, 3.5);

/** How busy each hour is, against the busiest. */
function bell(peakHour: number, widthHours: number): readonly number[] {
  return Array.from({ length: 24 }, (_, hour) =>
    Math.exp(-0.5 * ((hour + 0.5 - peakHour) / widthHours) ** 2),
  );
}

function publicHabits(n: number, chance: Chance): Habits {
  // A destination connector is taken for so long at a time that it takes more of them for a third of the stays.
  const isRapid = n % 2 === 0;
  const own = Math.exp(0.3 * chance.normal());
  const typicalMs = (isRapid ? 20.9 : 146) * MINUTE_MS * own;
  const spread = isRapid ? 0.546 : 0.954;
  return {
    site: siteOf(n),
    connector: `${n + 1}`,
    powerKw: isRapid ? 43 : 7.2,
    wantedKwh: isRapid ? 12 : 9,
    gapMs: (isRapid ? 90 : 70) * MINUTE_MS,
    arrivals: BY_DAY,
    lastsMs: () => Math.min(20 * HOUR_MS, chance.lognormal(typicalMs, spread)),
  };
}

function apartmentHabits(n: number, chance: Chance): Habits {
  const leavesHour = 7.05 + 0.8 * chance.normal();
  const staysIn = Math.min(0.45, Math.max(0.02, 0.075 + 0.06 * chance.normal()));
  return {
    site: siteOf(n),
    connector: `${n + 1}`,
    powerKw: chance.uniform() < 0.5 ? 3.6 : 7.2,
    wantedKwh: 9,
    gapMs: 14 * HOUR_MS,
    arrivals: TOWARDS_EVENING,
    lastsMs: (pluggedMs) => untilNextUse(pluggedMs, leavesHour, staysIn, chance),
  };
}

/** Until it is needed again: soon, the next morning, or a day later. */
function untilNextUse(pluggedMs: number, leavesHour: number, staysIn: number, chance: Chance): number {
  const which = chance.uniform();
  if (which < 0.35) return chance.lognormal(125 * MINUTE_MS, 0.75);
  const days = which > 1 - staysIn ? 2 : 1;
  const dayMs = pluggedMs - (pluggedMs % DAY_MS) + days * DAY_MS;
  const isWeekend = (Math.floor(dayMs / DAY_MS) + 3) % 7 >= 5;
  const leavesMs =
    dayMs + (leavesHour + (isWeekend ? 2.5 : 0) + (isWeekend ? 2 : 0.8) * chance.normal()) * HOUR_MS;
  return leavesMs > pluggedMs ? leavesMs - pluggedMs : chance.lognormal(90 * MINUTE_MS, 0.7);
}

function siteOf(n: number): string {
  return `site-${Math.floor(n / CONNECTORS_A_SITE) + 1}`;
}

function wholeMinute(ms: number): number {
  return Math.round(ms / MINUTE_MS) * MINUTE_MS;
}

/** The form that every bench and the replay adapter read. */
export function sessionsCsv(rows: readonly SessionRow[]): string {
  return `${[SESSION_COLUMNS.join(','), ...rows.map(lineOf)].join('\n')}\n`;
}

function lineOf(row: SessionRow): string {
  const { site, connector, pluggedMs, unpluggedMs, energyMwh, chargingEndedMs, statedDepartureMs } = row;
  const cells = [
    site,
    connector,
    formatLocalTime(pluggedMs),
    formatLocalTime(unpluggedMs),
    energyMwh === undefined ? '' : energyMwh / 1000,
    chargingEndedMs === undefined ? '' : formatLocalTime(chargingEndedMs),
    statedDepartureMs === undefined ? '' : formatLocalTime(statedDepartureMs),
  ];
  return cells.join(',');
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      profile: { type: 'string', default: GENERATE_DEFAULTS.profile },
      seed: { type: 'string', default: `${GENERATE_DEFAULTS.seed}` },
      connectors: { type: 'string', default: `${GENERATE_DEFAULTS.connectors}` },
      days: { type: 'string', default: `${GENERATE_DEFAULTS.days}` },
    },
  });
  const profile = PROFILES.find((name) => name === values.profile);
  const [seed, connectors, days] = [values.seed, values.connectors, values.days].map(Number);
  if (profile === undefined || !(Number(seed) >= 0) || !(Number(connectors) > 0) || !(Number(days) > 0)) {
    process.stderr.write(
      `--profile is ${PROFILES.join(' or ')}; --seed, --connectors and --days are numbers\n`,
    );
    process.exit(2);
  }
  process.stdout.write(
    sessionsCsv(
      generateSessions({ profile, seed: Number(seed), connectors: Number(connectors), days: Number(days) }),
    ),
  );
}
