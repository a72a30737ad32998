/** The adapter that lives a sessions file again, at any speed: stays that happened, told as a pile would have told them. */
import { fileURLToPath } from 'node:url';
import { DURATION_MS_MAX } from '@plugpool/proto';
import type { VehicleId } from '@plugpool/proto';
import { systemClock } from '../clock.ts';
import type { FirmwareClock } from '../clock.ts';
import { parseStationId } from '../connector-id.ts';
import { FirmwareError } from '../firmware-error.ts';
import type { ReportIssue } from '../firmware-error.ts';
import type { FirmwareFact } from '../firmware-fact.ts';
import { OneRun } from '../one-run.ts';
import type { FirmwareAdapter, FirmwareCapability, FirmwareEvent, SampleTime } from '../port.ts';
import { parseVehicleId } from '../vehicle-id.ts';
import { parseLocalTime } from './local-time.ts';
import { planSessions } from './plan-sessions.ts';
import type { TimedFirmwareEvent } from './plan-sessions.ts';
import { readSessions } from './read-sessions.ts';
import type { SessionRow } from './session-row.ts';

/** The small made-up file that the project ships; see README.md beside it. */
export const SAMPLE_SESSIONS_FILE = fileURLToPath(new URL('./sample-sessions.csv', import.meta.url));

export interface ReplayFirmwareOptions {
  /** Path of a sessions CSV; its form is in docs/firmware/replay.md. */
  readonly file: string;
  /** The station that the file's connectors belong to. */
  readonly station: string;
  /**
   * Seconds of the file a second of the clock, above 0; default 1. `Infinity` waits for nothing and needs a `clock`: events
   * then carry the times of a replay at speed 1, which run ahead of that clock.
   */
  readonly speed?: number | undefined;
  /** Local time at which the replay begins, vehicles then plugged in included; default `first`: when the first one plugs in. */
  readonly startAt?: string | undefined;
  /** Only these sites, as the file calls them. */
  readonly sites?: readonly string[] | undefined;
  /** Only these connectors, as the file calls them, or by id. */
  readonly connectors?: readonly string[] | undefined;
  /** Vehicle ids by the connector's name in the file or by its id; told as identities that an operator provided. */
  readonly vehicles?: Readonly<Record<string, string>> | undefined;
  /** Estimates the end of charging where the file leaves it empty. W; default 7200. */
  readonly chargingPowerW?: number | undefined;
  /** One meter sample each so many ms of the file's time; default a minute, but not oftener than once a second of the clock. */
  readonly meterEveryMs?: number | undefined;
  /** At most so many stays, from the beginning; with `loop`, a round. */
  readonly limit?: number | undefined;
  /** Begins again after the last vehicle left, whole days later, so that the time of day stays. Default false: silence. */
  readonly loop?: boolean | undefined;
  /** True: a row that cannot be true refuses the file. Default false: it is skipped and reported. */
  readonly strict?: boolean | undefined;
  readonly clock?: FirmwareClock | undefined;
  readonly report?: ReportIssue | undefined;
}

export const CHARGING_POWER_W_DEFAULT = 7_200;
export const METER_EVERY_MS_DEFAULT = 60_000;
const METER_CLOCK_MS_MIN = 1_000;
/** Events told in one turn; others get to run before the next ones, however fast the replay. */
const EVENTS_PER_TURN_MAX = 256;
/** Longer waits, which a timer may not have, are cut into these. */
const WAIT_MS_MAX = 3_600_000;
const DAY_MS = 24 * 3_600_000;
const NAMES_SHOWN_MAX = 10;

/** Checks the options and does nothing else; the file is read by `start`. Throws a `FirmwareError`. */
export function createReplayFirmware(options: ReplayFirmwareOptions): ReplayFirmware {
  return new ReplayFirmware(options);
}

export class ReplayFirmware implements FirmwareAdapter {
  readonly name = 'replay';
  readonly capabilities: ReadonlySet<FirmwareCapability>;
  /** A file is silent between its events by nature. */
  readonly staleAfterMs = 0;
  readonly unwatched = true;
  readonly #settings: Settings;
  readonly #runs = new OneRun<Run>('The replay');

  constructor(options: ReplayFirmwareOptions) {
    this.#settings = settingsOf(options);
    const always: FirmwareCapability[] = ['power', 'energy', 'statedDeparture', 'transaction', 'supplyState'];
    this.capabilities = new Set(this.#settings.vehicles.size > 0 ? ['identity', ...always] : always);
  }

  /** Resolves when the file was read and the replay is under way; rejects with a `FirmwareError` where it cannot be. */
  async start(emit: (event: FirmwareEvent) => void, signal: AbortSignal): Promise<void> {
    await this.#runs.start(signal, () => new Run(this.#settings, emit, signal));
  }

  async stop(): Promise<void> {
    await this.#runs.stop();
  }
}

interface Settings {
  readonly file: string;
  readonly station: string;
  readonly speed: number;
  readonly startAtMs: number | undefined;
  readonly sites: ReadonlySet<string> | undefined;
  readonly connectors: ReadonlySet<string> | undefined;
  readonly vehicles: ReadonlyMap<string, VehicleId>;
  readonly chargingPowerW: number;
  readonly meterEveryMs: number;
  readonly limit: number;
  readonly loop: boolean;
  readonly strict: boolean;
  readonly clock: FirmwareClock;
  readonly report: ReportIssue | undefined;
}

function settingsOf(options: ReplayFirmwareOptions): Settings {
  const speed = positive('speed', options.speed ?? 1);
  if (speed === Infinity && options.clock === undefined) {
    throw new FirmwareError(
      'invalid_argument',
      'speed Infinity has no clock',
      'Provide a clock, or use a finite speed such as 3600',
    );
  }
  const meterEveryMs = Math.max(METER_EVERY_MS_DEFAULT, speed === Infinity ? 0 : speed * METER_CLOCK_MS_MIN);
  return {
    file: options.file,
    station: parseStationId(options.station),
    speed,
    startAtMs: startAtOf(options.startAt ?? 'first'),
    sites: options.sites === undefined ? undefined : new Set(options.sites),
    connectors: options.connectors === undefined ? undefined : new Set(options.connectors),
    vehicles: vehiclesOf(options.vehicles ?? {}),
    chargingPowerW: finite('chargingPowerW', options.chargingPowerW ?? CHARGING_POWER_W_DEFAULT),
    meterEveryMs: Math.max(1, finite('meterEveryMs', options.meterEveryMs ?? meterEveryMs)),
    limit: positive('limit', options.limit ?? Infinity),
    loop: options.loop ?? false,
    strict: options.strict ?? false,
    clock: options.clock ?? systemClock,
    report: options.report,
  };
}

function positive(name: string, value: number): number {
  if (value > 0) return value;
  throw new FirmwareError('invalid_argument', `${name} ${value} is not above 0`, 'Give a positive number');
}

function finite(name: string, value: number): number {
  if (positive(name, value) !== Infinity) return value;
  throw new FirmwareError('invalid_argument', `${name} is not finite`, 'Give a positive number');
}

function startAtOf(text: string): number | undefined {
  if (text === 'first') return undefined;
  const ms = parseLocalTime(text);
  if (ms !== undefined) return ms;
  throw new FirmwareError(
    'invalid_argument',
    `startAt ${JSON.stringify(text)} is not a time`,
    "Write local time without zone, such as 2026-03-01T08:15:00, or 'first'",
  );
}

function vehiclesOf(byConnector: Readonly<Record<string, string>>): ReadonlyMap<string, VehicleId> {
  const connectorOf = new Map<VehicleId, string>();
  const vehicles = new Map<string, VehicleId>();
  for (const [connector, text] of Object.entries(byConnector)) {
    const vehicleId = parseVehicleId(text);
    const other = connectorOf.get(vehicleId);
    if (other !== undefined) {
      throw new FirmwareError(
        'invalid_argument',
        `Vehicle ${vehicleId} stands at connectors ${other} and ${connector}`,
        'Give each connector a vehicle of its own',
      );
    }
    connectorOf.set(vehicleId, connector);
    vehicles.set(connector, vehicleId);
  }
  return vehicles;
}

/** One replay from start to stop. */
class Run {
  readonly #settings: Settings;
  readonly #emit: (event: FirmwareEvent) => void;
  readonly #outerSignal: AbortSignal;
  readonly #ended = new AbortController();
  #beginning: Promise<void> | undefined;
  #timeline: Timeline | undefined;
  #events: Iterator<TimedFirmwareEvent> = [][Symbol.iterator]();
  #next: TimedFirmwareEvent | undefined;
  #cancelTimer: (() => void) | undefined;

  constructor(settings: Settings, emit: (event: FirmwareEvent) => void, signal: AbortSignal) {
    this.#settings = settings;
    this.#emit = emit;
    this.#outerSignal = signal;
  }

  async begin(): Promise<void> {
    this.#beginning = this.#begin();
    try {
      await this.#beginning;
    } catch (error) {
      this.#halt();
      throw error;
    }
  }

  /** From here on nothing is emitted; resolves when reading has ended too. */
  async end(): Promise<void> {
    this.#halt();
    await this.#beginning?.catch(() => undefined);
  }

  readonly #halt = (): void => {
    this.#outerSignal.removeEventListener('abort', this.#halt);
    this.#ended.abort(
      new FirmwareError('not_started', 'The replay was stopped while it began', 'Start it again'),
    );
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  };

  async #begin(): Promise<void> {
    const { file, station, strict, report, clock, speed } = this.#settings;
    this.#outerSignal.addEventListener('abort', this.#halt, { once: true });
    const signal = AbortSignal.any([this.#ended.signal, this.#outerSignal]);
    const read = await readSessions(file, { station, strict, report, signal });
    signal.throwIfAborted();
    const rows = chooseRows(read.rows, this.#settings);
    const startMs = this.#settings.startAtMs ?? firstPluggedMs(rows);
    this.#timeline = new Timeline(clock, speed, startMs);
    this.#events = rounds(rows, startMs, this.#settings);
    this.#advance();
    this.#wait();
  }

  #advance(): void {
    const result = this.#events.next();
    this.#next = result.done === true ? undefined : result.value;
  }

  /** Always by a timer, even where it is due now: whoever called `start` gets its answer first. */
  #wait(): void {
    if (this.#next === undefined || this.#timeline === undefined) return;
    const delayMs = Math.min(this.#timeline.untilDueMs(this.#next.simulatedMs), WAIT_MS_MAX);
    this.#cancelTimer = this.#settings.clock.setTimer(delayMs, () => this.#tellWhatIsDue(this.#timeline));
  }

  #tellWhatIsDue(timeline: Timeline | undefined): void {
    this.#cancelTimer = undefined;
    for (let told = 0; told < EVENTS_PER_TURN_MAX; told++) {
      const event = this.#next;
      // Somebody may call stop() from within emit.
      if (event === undefined || timeline === undefined || this.#ended.signal.aborted) return;
      if (timeline.untilDueMs(event.simulatedMs) > 0) break;
      this.#advance();
      this.#emit(timeline.stamp(event));
    }
    if (!this.#ended.signal.aborted) this.#wait();
  }
}

/** Where the file's time stands on the clock. */
class Timeline {
  readonly #clock: FirmwareClock;
  readonly #speed: number;
  /** As `#speed`, but 1 where that is infinite: durations and stamps must stay what they are. */
  readonly #stampSpeed: number;
  readonly #startMs: number;
  readonly #startMonoMs: number;
  readonly #startWallMs: number;

  constructor(clock: FirmwareClock, speed: number, startMs: number) {
    this.#clock = clock;
    this.#speed = speed;
    this.#stampSpeed = speed === Infinity ? 1 : speed;
    this.#startMs = startMs;
    this.#startMonoMs = clock.nowMonoMs();
    this.#startWallMs = clock.nowWallMs();
  }

  /** 0 or less: due. Rounded up, for a timer that fires a fraction early would only be set again. */
  untilDueMs(simulatedMs: number): number {
    const dueMonoMs = this.#startMonoMs + (simulatedMs - this.#startMs) / this.#speed;
    return Math.max(0, Math.ceil(dueMonoMs - this.#clock.nowMonoMs()));
  }

  /** With its times, and its durations brought from the file's scale to the clock's. */
  stamp({ simulatedMs, fact }: TimedFirmwareEvent): FirmwareEvent {
    const sourceWallMs = this.#wallMsOf(simulatedMs);
    const receivedWallMs =
      this.#speed === Infinity ? Math.max(this.#startWallMs, sourceWallMs) : this.#clock.nowWallMs();
    const at: SampleTime = { sourceWallMs, receivedWallMs };
    if (fact.kind !== 'evInfo' || fact.departureInMs === undefined) return { ...fact, at };
    return { ...this.#departure(simulatedMs + fact.departureInMs, fact, receivedWallMs), at };
  }

  /** Durations count from when they are received; a departure that has passed by then is not known any more. */
  #departure<Fact extends FirmwareFact & { kind: 'evInfo' }>(
    departureMs: number,
    fact: Fact,
    receivedWallMs: number,
  ): Fact {
    const { departureInMs: _, ...rest } = fact;
    const inMs = Math.min(this.#wallMsOf(departureMs) - receivedWallMs, DURATION_MS_MAX);
    return (inMs > 0 ? { ...rest, departureInMs: inMs } : rest) as Fact;
  }

  #wallMsOf(simulatedMs: number): number {
    return Math.floor(this.#startWallMs + (simulatedMs - this.#startMs) / this.#stampSpeed);
  }
}

function firstPluggedMs(rows: readonly SessionRow[]): number {
  return rows[0]?.pluggedMs ?? 0;
}

/** What the filters, the start and the limit leave of the file, in the order of time. */
function chooseRows(rows: readonly SessionRow[], settings: Settings): readonly SessionRow[] {
  const { sites, connectors, startAtMs } = settings;
  const chosen = rows
    .filter((row) => sites === undefined || sites.has(row.site))
    .filter(
      (row) => connectors === undefined || connectors.has(row.connector) || connectors.has(row.connectorId),
    )
    .filter((row) => startAtMs === undefined || row.unpluggedMs > startAtMs)
    .slice(0, settings.limit);
  if (chosen.length === 0) throw nothingChosen(rows, settings);
  return chosen;
}

function nothingChosen(rows: readonly SessionRow[], { file }: Settings): FirmwareError {
  if (rows.length === 0) {
    return new FirmwareError(
      'invalid_file',
      `${file} has no usable row`,
      'Give a file with at least one session',
    );
  }
  const sites = [...new Set(rows.map((row) => row.site))];
  const connectors = [...new Set(rows.map((row) => row.connector))];
  return new FirmwareError(
    'invalid_argument',
    `No session of ${file} is left by sites, connectors and startAt`,
    `Sites: ${namesOf(sites)}. Connectors: ${namesOf(connectors)}`,
  );
}

function namesOf(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_SHOWN_MAX).map((name) => JSON.stringify(name));
  return shown.join(', ') + (names.length > shown.length ? ` and ${names.length - shown.length} more` : '');
}

/** The rows once, or again and again; only the first round may begin in the middle of stays. */
function* rounds(
  rows: readonly SessionRow[],
  startMs: number,
  settings: Settings,
): Generator<TimedFirmwareEvent> {
  yield* planSessions(rows, { ...settings, fromMs: startMs });
  if (!settings.loop) return;
  const lastUnpluggedMs = rows.reduce((latest, row) => Math.max(latest, row.unpluggedMs), 0);
  const roundMs = Math.ceil((lastUnpluggedMs - firstPluggedMs(rows)) / DAY_MS) * DAY_MS;
  for (let round = 2; ; round++) {
    const shiftMs = (round - 1) * roundMs;
    for (const event of planSessions(rows, { ...settings, transactionPrefix: `replay-${round}-` })) {
      yield { ...event, simulatedMs: event.simulatedMs + shiftMs };
    }
  }
}
