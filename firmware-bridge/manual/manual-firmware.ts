/** The adapter for a pile whose firmware cannot be asked: a person says what happens at each connector. */
import type { ConnectorId } from '@plugpool/proto';
import { systemClock } from '../clock.ts';
import type { FirmwareClock } from '../clock.ts';
import { parseConnectorId, parseStationId } from '../connector-id.ts';
import { FirmwareError } from '../firmware-error.ts';
import type { ReportIssue } from '../firmware-error.ts';
import { OneRun } from '../one-run.ts';
import type { FirmwareAdapter, FirmwareCapability, FirmwareEvent } from '../port.ts';
import { applyStep, restate } from './plugged-vehicle.ts';
import type { ManualDetails, ManualStep, PluggedVehicle } from './plugged-vehicle.ts';
import { loadState, saveState } from './state-file.ts';

export interface ManualFirmwareOptions {
  /** The station of connectors that are called by number alone. */
  readonly station: string;
  /** Where what is plugged in outlives a restart; absent: it does not. */
  readonly stateFile?: string | undefined;
  readonly clock?: FirmwareClock | undefined;
  readonly report?: ReportIssue | undefined;
}

/** More than any pile has; it bounds the state file to about 300 KB. */
const PLUGGED_MAX = 1024;
/** Steps that wait for the disk. */
const WAITING_MAX = 64;

/** Checks the options and does nothing else. Throws a `FirmwareError`. */
export function createManualFirmware(options: ManualFirmwareOptions): ManualFirmware {
  return new ManualFirmware(options);
}

/**
 * Each step takes a connector (`1`, `1/2` or `station/1/2`; it appears when first used) and resolves with its id when what
 * it says is on disk and was emitted; it rejects with a `FirmwareError` and changes nothing where it is refused.
 */
export class ManualFirmware implements FirmwareAdapter {
  readonly name = 'manual';
  readonly capabilities: ReadonlySet<FirmwareCapability> = new Set([
    'identity',
    'soc',
    'statedDeparture',
    'supplyState',
  ] as const);
  /** A person is silent between events by nature. */
  readonly staleAfterMs = 0;
  readonly unwatched = true;
  readonly #options: ManualFirmwareOptions;
  readonly #clock: FirmwareClock;
  readonly #runs = new OneRun<Run>('The manual firmware');

  constructor(options: ManualFirmwareOptions) {
    parseStationId(options.station);
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Says what was plugged in when the agent stopped. Rejects where the state file can neither be read nor set aside. */
  async start(emit: (event: FirmwareEvent) => void, signal: AbortSignal): Promise<void> {
    await this.#runs.start(signal, () => new Run(this.#options, this.#clock, emit, signal));
  }

  /** A step under way is finished on disk, but not told any more: the next start tells it. */
  async stop(): Promise<void> {
    await this.#runs.stop();
  }

  /** A vehicle came. */
  plug(connector: string, details: ManualDetails = {}): Promise<ConnectorId> {
    return this.#take(connector, { verb: 'plug' }, details);
  }

  /** Energy flows. With a vehicle's id on a free connector, the vehicle is plugged in first. */
  charge(connector: string, details: ManualDetails = {}): Promise<ConnectorId> {
    return this.#take(connector, { verb: 'charge' }, details);
  }

  /** Energy stopped for now; by the vehicle (there is supply) unless said otherwise. */
  suspend(
    connector: string,
    details: ManualDetails & { readonly by?: 'EV' | 'EVSE' | undefined } = {},
  ): Promise<ConnectorId> {
    return this.#take(connector, { verb: 'suspend', by: details.by ?? 'EV' }, details);
  }

  /** Energy stopped for good in this session; the vehicle is still there. */
  finish(connector: string, details: ManualDetails = {}): Promise<ConnectorId> {
    return this.#take(connector, { verb: 'finish' }, details);
  }

  /** The vehicle left. */
  unplug(connector: string, details: ManualDetails = {}): Promise<ConnectorId> {
    return this.#take(connector, { verb: 'unplug' }, details);
  }

  /** Who it is, how full, or when it means to leave. */
  info(connector: string, details: ManualDetails): Promise<ConnectorId> {
    return this.#take(connector, { verb: 'info' }, details);
  }

  async #take(connector: string, step: ManualStep, details: ManualDetails): Promise<ConnectorId> {
    const connectorId = parseConnectorId(connector, this.#options.station);
    if (this.#runs.current === undefined) throw notStarted();
    await this.#runs.current.take(connectorId, step, details);
    return connectorId;
  }
}

function notStarted(): FirmwareError {
  return new FirmwareError(
    'not_started',
    'The manual firmware is not running',
    'Repeat the step when the agent has started',
  );
}

/** From one start to its stop: the plugged-in vehicles, and the line in which steps wait for the disk. */
class Run {
  readonly #options: ManualFirmwareOptions;
  readonly #clock: FirmwareClock;
  readonly #emit: (event: FirmwareEvent) => void;
  readonly #signal: AbortSignal;
  #stopped = false;
  #vehicles: ReadonlyMap<ConnectorId, PluggedVehicle> = new Map();
  #waiting = 0;
  #line: Promise<void> = Promise.resolve();

  constructor(
    options: ManualFirmwareOptions,
    clock: FirmwareClock,
    emit: (event: FirmwareEvent) => void,
    signal: AbortSignal,
  ) {
    this.#options = options;
    this.#clock = clock;
    this.#emit = emit;
    this.#signal = signal;
  }

  begin(): Promise<void> {
    return this.#inLine(() => this.#begin());
  }

  async take(connectorId: ConnectorId, step: ManualStep, details: ManualDetails): Promise<void> {
    if (this.#waiting >= WAITING_MAX) {
      throw new FirmwareError(
        'too_many',
        `${WAITING_MAX} steps wait for the disk already`,
        'Repeat the step in a moment',
      );
    }
    await this.#inLine(() => this.#take(connectorId, step, details));
  }

  async end(): Promise<void> {
    this.#stopped = true;
    await this.#line;
  }

  #isOver(): boolean {
    return this.#stopped || this.#signal.aborted;
  }

  /** One after the other, and a refused one does not hold up the next. */
  #inLine(work: () => Promise<void>): Promise<void> {
    this.#waiting++;
    const result = this.#line.then(work).finally(() => this.#waiting--);
    this.#line = result.catch(() => undefined);
    return result;
  }

  async #begin(): Promise<void> {
    const { stateFile, report } = this.#options;
    if (stateFile === undefined) return;
    const { vehicles, issue } = await loadState(stateFile, this.#clock.nowWallMs());
    if (issue !== undefined) report?.(issue);
    this.#signal.throwIfAborted();
    this.#vehicles = new Map(vehicles.map((vehicle) => [vehicle.connectorId, vehicle]));
    for (const vehicle of vehicles) this.#restate(vehicle);
  }

  #restate(vehicle: PluggedVehicle): void {
    const nowWallMs = this.#clock.nowWallMs();
    for (const { fact, sourceWallMs } of restate(vehicle, nowWallMs)) {
      if (!this.#isOver()) this.#emit({ ...fact, at: { sourceWallMs, receivedWallMs: nowWallMs } });
    }
  }

  async #take(connectorId: ConnectorId, step: ManualStep, details: ManualDetails): Promise<void> {
    if (this.#isOver()) throw notStarted();
    const { vehicle, facts } = applyStep(this.#vehicles, connectorId, step, details, this.#clock.nowWallMs());
    const after = new Map(this.#vehicles);
    if (vehicle === undefined) after.delete(connectorId);
    else after.set(connectorId, vehicle);
    if (after.size > PLUGGED_MAX) {
      throw new FirmwareError(
        'too_many',
        `${PLUGGED_MAX} vehicles are plugged in already`,
        'Unplug those that left',
      );
    }
    // On disk before it is told: what the agent acted on must be known after a restart.
    if (this.#options.stateFile !== undefined) await saveState(this.#options.stateFile, after.values());
    this.#vehicles = after;
    const wallMs = this.#clock.nowWallMs();
    for (const fact of facts) {
      if (!this.#isOver()) this.#emit({ ...fact, at: { sourceWallMs: wallMs, receivedWallMs: wallMs } });
    }
  }
}
