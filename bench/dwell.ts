/**
 * How well the dwell model foretells departures: it learns the earlier stays of a file and is asked about the later ones,
 * beside the plain survival curve (one Kaplan–Meier of all the earlier stays, conditional on the elapsed time).
 */
import { parseArgs } from 'node:util';
import { DEFAULT_DWELL, DwellModel } from '../agent/core/dwell/dwell-model.ts';
import type { StaySoFar } from '../agent/core/dwell/stay-so-far.ts';
import type { StayRecord } from '../agent/core/records.ts';
import { Calibration, type Horizon } from './sessions/calibration.ts';
import { generateSessions, GENERATE_DEFAULTS, PROFILES } from './sessions/generate-sessions.ts';
import { PlainCurve } from './sessions/plain-curve.ts';
import { POWER_KW_DEFAULT, readStays, stayOf } from './sessions/read-stays.ts';

const HORIZONS_MIN = [15, 30, 60, 120] as const;
const MINUTE_MS = 60_000;
/** After plugging in, a stay is asked about when it has lasted this long, and each time that it has doubled. */
const FIRST_ASK_MS = 5 * MINUTE_MS;

interface Settings {
  readonly trainShare: number;
  readonly powerKw: number;
}

interface Stays {
  readonly source: string;
  readonly stays: readonly StayRecord[];
  readonly repairs: Readonly<Record<string, number>>;
  readonly chargingEndsEstimated: number;
}

interface DwellRun {
  readonly asked: number;
  readonly horizons: readonly Horizon[];
  readonly learnUs: number;
  readonly residualUs: number;
}

export async function run(args: readonly string[], json: boolean): Promise<void> {
  const { file, profile, settings } = optionsFrom(args);
  const source = file === undefined ? generated(profile) : await fromFile(file, settings.powerKw);
  const frozen = foretell(source.stays, settings, false);
  const learning = foretell(source.stays, settings, true);
  const report = {
    source: source.source,
    stays: source.stays.length,
    assumptions: { ...settings, chargingEndsEstimated: source.chargingEndsEstimated },
    repairs: source.repairs,
    asked: frozen.asked,
    learnUs: round(frozen.learnUs, 1),
    residualUs: round(frozen.residualUs, 1),
    horizons: frozen.horizons,
    /** Both go on learning from each of the later stays once it is over, as a pile does. */
    learningOn: { horizons: learning.horizons },
  };
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : told(report));
}

function optionsFrom(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      sessions: { type: 'string' },
      profile: { type: 'string', default: 'public' },
      'power-kw': { type: 'string', default: `${POWER_KW_DEFAULT}` },
      train: { type: 'string', default: '0.7' },
    },
  });
  const profile = PROFILES.find((name) => name === values.profile);
  if (profile === undefined) fail(`--profile is ${PROFILES.join(' or ')}, not ${values.profile}`);
  const [trainShare, powerKw] = [Number(values.train), Number(values['power-kw'])];
  if (!(trainShare > 0 && trainShare < 1)) fail(`--train is a share between 0 and 1, not ${values.train}`);
  if (!(powerKw > 0)) fail(`--power-kw is a number above 0, not ${values['power-kw']}`);
  return { file: values.sessions, profile, settings: { trainShare, powerKw } };
}

function fail(problem: string): never {
  process.stderr.write(`${problem}\n`);
  process.exit(2);
}

function generated(profile: (typeof PROFILES)[number]): Stays {
  const rows = generateSessions({ ...GENERATE_DEFAULTS, profile, connectors: 40, days: 120 });
  return {
    source: `generated, ${profile}`,
    stays: rows.map((row) => stayOf(row, POWER_KW_DEFAULT)),
    repairs: {},
    chargingEndsEstimated: 0,
  };
}

async function fromFile(file: string, powerKw: number): Promise<Stays> {
  return { source: file, ...(await readStays(file, powerKw)) };
}

/** Learns what was over when the later part begins, and asks at many moments of each later stay. */
function foretell(stays: readonly StayRecord[], { trainShare }: Settings, learnsOn: boolean): DwellRun {
  const cut = Math.floor(stays.length * trainShare);
  const later = stays.slice(cut);
  const fromMs = later[0]?.pluggedWallMs ?? Infinity;
  const inOrder = [...stays].sort((a, b) => a.unpluggedWallMs - b.unpluggedWallMs);
  const model = new DwellModel(DEFAULT_DWELL);
  const plain = new PlainCurve();
  const calibrations = HORIZONS_MIN.map((minutes) => new Calibration(minutes));
  let learned = 0;
  let learnMs = 0;
  let residualMs = 0;
  let asked = 0;
  const learnUntil = (untilMs: number): void => {
    const beginMs = performance.now();
    for (let stay = inOrder[learned]; stay !== undefined; stay = inOrder[++learned]) {
      if (stay.unpluggedWallMs > untilMs) break;
      model.learn(stay);
      plain.learn(stay.unpluggedWallMs - stay.pluggedWallMs);
    }
    learnMs += performance.now() - beginMs;
  };
  learnUntil(fromMs);
  const trained = { stays: Math.max(1, learned), ms: learnMs };
  for (const stay of later) {
    if (learnsOn) learnUntil(stay.pluggedWallMs);
    const lastedMs = stay.unpluggedWallMs - stay.pluggedWallMs;
    for (let elapsedMs = 0; elapsedMs < lastedMs; elapsedMs = Math.max(FIRST_ASK_MS, elapsedMs * 2)) {
      const beginMs = performance.now();
      const residual = model.residual(soFar(stay, elapsedMs));
      residualMs += performance.now() - beginMs;
      asked += 1;
      for (const calibration of calibrations) {
        const leadMs = calibration.minutes * MINUTE_MS;
        calibration.add(
          residual.survives(leadMs),
          plain.survives(elapsedMs, leadMs),
          lastedMs - elapsedMs >= leadMs,
        );
      }
    }
  }
  return {
    asked,
    horizons: calibrations.map((calibration) => calibration.horizon()),
    learnUs: (trained.ms * 1000) / trained.stays,
    residualUs: (residualMs * 1000) / Math.max(1, asked),
  };
}

/** What a pile would know of this stay, had it lasted so long. */
function soFar(stay: StayRecord, elapsedMs: number): StaySoFar {
  const { connectorId, pluggedWallMs, chargingEndedWallMs, statedDepartureWallMs } = stay;
  const nowMs = pluggedWallMs + elapsedMs;
  const ended = chargingEndedWallMs !== undefined && chargingEndedWallMs <= nowMs;
  return {
    connectorId,
    pluggedWallMs,
    elapsedMs,
    // A file without charging ends and energy says nothing of charging.
    state: chargingEndedWallMs === undefined ? 'plugged' : ended ? 'suspendedEV' : 'charging',
    ...(ended ? { chargingEndedAgoMs: nowMs - chargingEndedWallMs } : {}),
    ...(statedDepartureWallMs === undefined ? {} : { statedInMs: statedDepartureWallMs - nowMs }),
  };
}

interface Report {
  readonly source: string;
  readonly stays: number;
  readonly asked: number;
  readonly assumptions: Readonly<Record<string, number>>;
  readonly repairs: Readonly<Record<string, number>>;
  readonly learnUs: number;
  readonly residualUs: number;
  readonly horizons: readonly Horizon[];
  readonly learningOn: { readonly horizons: readonly Horizon[] };
}

function told(report: Report): string {
  const lines = [
    `${report.source}: ${report.stays} stays, asked ${report.asked} times; learn ${report.learnUs} µs, residual ${report.residualUs} µs`,
    `assumed: ${pairs(report.assumptions)}`,
    `repairs: ${pairs(report.repairs) || 'none'}`,
    'trained on the earlier part alone:',
    ...report.horizons.map(lineOf),
    'while it goes on learning:',
    ...report.learningOn.horizons.map(lineOf),
  ];
  return `${lines.join('\n')}\n`;
}

function pairs(of: Readonly<Record<string, number>>): string {
  return Object.entries(of)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
}

function lineOf({ minutes, calibrationError, brier, brierPlain }: Horizon): string {
  return `  ${String(minutes).padStart(3)} min: calibration error ${calibrationError.toFixed(3)}, Brier ${brier.toFixed(4)}, plain ${brierPlain.toFixed(4)}`;
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
