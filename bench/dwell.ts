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
  const later = stays.slice(Math.floor(stays.length * trainShare));
  const pupil = new Pupil(stays);
  const calibrations = HORIZONS_MIN.map((minutes) => new Calibration(minutes));
  pupil.learnUntil(later[0]?.pluggedWallMs ?? Infinity);
  const learnUs = (pupil.learnMs * 1000) / Math.max(1, pupil.learned);
  for (const stay of later) {
    if (learnsOn) pupil.learnUntil(stay.pluggedWallMs);
    const lastedMs = stay.unpluggedWallMs - stay.pluggedWallMs;
    for (let elapsedMs = 0; elapsedMs < lastedMs; elapsedMs = Math.max(FIRST_ASK_MS, elapsedMs * 2))
      pupil.ask(stay, elapsedMs, calibrations);
  }
  const horizons = calibrations.map((calibration) => calibration.horizon());
  return {
    asked: pupil.asked,
    horizons,
    learnUs,
    residualUs: (pupil.residualMs * 1000) / Math.max(1, pupil.asked),
  };
}

/** The model and the plain curve beside it: both are taught the same stays, and asked the same questions. */
class Pupil {
  readonly #model = new DwellModel(DEFAULT_DWELL);
  readonly #plain = new PlainCurve();
  readonly #inOrder: readonly StayRecord[];
  learned = 0;
  learnMs = 0;
  asked = 0;
  residualMs = 0;

  constructor(stays: readonly StayRecord[]) {
    this.#inOrder = [...stays].sort((a, b) => a.unpluggedWallMs - b.unpluggedWallMs);
  }

  /** Teaches what was over by then. */
  learnUntil(untilMs: number): void {
    const beginMs = performance.now();
    for (let stay = this.#inOrder[this.learned]; stay !== undefined; stay = this.#inOrder[++this.learned]) {
      if (stay.unpluggedWallMs > untilMs) break;
      this.#model.learn(stay);
      this.#plain.learn(stay.unpluggedWallMs - stay.pluggedWallMs);
    }
    this.learnMs += performance.now() - beginMs;
  }

  ask(stay: StayRecord, elapsedMs: number, calibrations: readonly Calibration[]): void {
    const beginMs = performance.now();
    const residual = this.#model.residual(soFar(stay, elapsedMs));
    this.residualMs += performance.now() - beginMs;
    this.asked += 1;
    const leftMs = stay.unpluggedWallMs - stay.pluggedWallMs - elapsedMs;
    for (const calibration of calibrations) {
      const leadMs = calibration.minutes * MINUTE_MS;
      const isThere = leftMs >= leadMs;
      calibration.add(residual.survives(leadMs), this.#plain.survives(elapsedMs, leadMs), isThere);
    }
  }
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
