/**
 * Makes the sessions file that the project ships: made-up stays that look like those of a small car park with three
 * connectors. `node firmware-bridge/replay/generate-sample.ts [--seed N] [--rows N] > FILE`; the shipped one has the defaults.
 */
import { parseArgs } from 'node:util';
import { formatLocalTime } from './local-time.ts';
import { SESSION_COLUMNS } from './session-row.ts';

const SITE = 'Riverside Car Park';
const CONNECTORS = ['1', '2', '3'];
/** A Monday. */
const FIRST_DAY_MS = Date.UTC(2026, 2, 2);
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

interface Stay {
  readonly connector: string;
  readonly pluggedMs: number;
  readonly unpluggedMs: number;
  readonly energyWh: number;
  readonly chargingEndedMs: number | undefined;
  readonly statedDepartureMs: number | undefined;
}

/** The whole file as text; the same for the same seed. */
export function generateSample(seed: number, rows: number): string {
  const random = seededRandom(seed);
  const daysEnough = 1 + rows;
  const stays = CONNECTORS.flatMap((connector) => staysOf(connector, daysEnough, random))
    .sort((a, b) => a.pluggedMs - b.pluggedMs || Number(a.connector) - Number(b.connector))
    .slice(0, rows);
  return `${[SESSION_COLUMNS.join(','), ...stays.map(lineOf)].join('\n')}\n`;
}

function staysOf(connector: string, days: number, random: () => number): Stay[] {
  const stays: Stay[] = [];
  let freeMs = FIRST_DAY_MS + 6 * HOUR_MS;
  while (freeMs < FIRST_DAY_MS + days * DAY_MS) {
    const pluggedMs = wholeMinute(afterDawn(freeMs + lognormal(100 * MINUTE_MS, 0.8, random)));
    const stay = stayFrom(connector, pluggedMs, random);
    stays.push(stay);
    freeMs = stay.unpluggedMs;
  }
  return stays;
}

/** Who comes in the evening stays the night; who comes by day has an errand. */
function stayFrom(connector: string, pluggedMs: number, random: () => number): Stay {
  const hour = (pluggedMs % DAY_MS) / HOUR_MS;
  const typicalMs = hour >= 16 ? 11.5 * HOUR_MS : 80 * MINUTE_MS;
  const spread = hour >= 16 ? 0.2 : 0.6;
  const stayMs = Math.min(22 * HOUR_MS, Math.max(8 * MINUTE_MS, lognormal(typicalMs, spread, random)));
  const unpluggedMs = wholeMinute(pluggedMs + stayMs);
  const powerW = random() < 0.5 ? 7_200 : 3_600;
  const wantedWh = Math.max(500, lognormal(9_000, 0.6, random));
  const energyWh = Math.round(Math.min(wantedWh, (powerW * (unpluggedMs - pluggedMs)) / HOUR_MS) / 10) * 10;
  const fullMs = wholeMinute(pluggedMs + (energyWh / powerW) * HOUR_MS);
  return {
    connector,
    pluggedMs,
    unpluggedMs,
    energyWh,
    chargingEndedMs: random() < 0.6 ? Math.min(fullMs, unpluggedMs) : undefined,
    statedDepartureMs: random() < 0.5 ? statedFor(pluggedMs, unpluggedMs, random) : undefined,
  };
}

/** People say round times, and leave within half an hour of them or so. */
function statedFor(pluggedMs: number, unpluggedMs: number, random: () => number): number {
  const roundMs = 15 * MINUTE_MS;
  const meantMs = Math.round((unpluggedMs + (random() + random() - 1) * 40 * MINUTE_MS) / roundMs) * roundMs;
  return Math.max(meantMs, Math.ceil((pluggedMs + 1) / roundMs) * roundMs);
}

function lineOf(stay: Stay): string {
  const cells: readonly (string | number)[] = [
    SITE,
    stay.connector,
    formatLocalTime(stay.pluggedMs),
    formatLocalTime(stay.unpluggedMs),
    stay.energyWh,
    stay.chargingEndedMs === undefined ? '' : formatLocalTime(stay.chargingEndedMs),
    stay.statedDepartureMs === undefined ? '' : formatLocalTime(stay.statedDepartureMs),
  ];
  return cells.join(',');
}

/** Nobody comes between 22:00 and 06:00. */
function afterDawn(ms: number): number {
  const hour = (ms % DAY_MS) / HOUR_MS;
  if (hour >= 6 && hour < 22) return ms;
  const dawnMs = ms - (ms % DAY_MS) + 6 * HOUR_MS + (ms % (2 * HOUR_MS));
  return hour >= 22 ? dawnMs + DAY_MS : dawnMs;
}

function wholeMinute(ms: number): number {
  return Math.round(ms / MINUTE_MS) * MINUTE_MS;
}

function lognormal(median: number, sigma: number, random: () => number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return median * Math.exp(sigma * normal);
}

/** Uniform in [0, 1), from a 32-bit counter through a mixing function: short, and the same on every machine. */
function seededRandom(seed: number): () => number {
  let counter = seed >>> 0;
  return () => {
    counter = (counter + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(counter ^ (counter >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
  };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { seed: { type: 'string', default: '1' }, rows: { type: 'string', default: '40' } },
  });
  process.stdout.write(generateSample(Number(values.seed), Number(values.rows)));
}
