/** The adapter for a charging controller whose registers are read over Modbus TCP, by a register map. */
import type { ConnectorId } from '@plugpool/proto';
import { systemClock } from '../clock.ts';
import type { FirmwareClock } from '../clock.ts';
import { parseConnectorId } from '../connector-id.ts';
import { FirmwareError } from '../firmware-error.ts';
import type { ReportIssue } from '../firmware-error.ts';
import { OneRun } from '../one-run.ts';
import type {
  ControlOutcome,
  FirmwareAdapter,
  FirmwareCapability,
  FirmwareControl,
  FirmwareEvent,
  PowerCap,
  Pseudonymize,
} from '../port.ts';
import { CapMemory } from './cap-memory.ts';
import { CapWriter } from './cap-writer.ts';
import { DevicePoller } from './device-poller.ts';
import type { DeviceConnector } from './device-poller.ts';
import { loadMap } from './load-map.ts';
import { ModbusFailure, modbusTcp } from './modbus-link.ts';
import type { ModbusLink } from './modbus-link.ts';
import { RESTATE_MS } from './modbus-story.ts';
import type { CapForm, RegisterMap, ToldRegister } from './register-map.ts';

export interface ModbusConnectorOptions {
  readonly connector: string;
  /** Absent: as the map says. */
  readonly unit?: number | undefined;
  /** Which of the device's connectors it is, from 1; counts where the map has a `connectorStep`. Default 1. */
  readonly index?: number | undefined;
  /** How many phases the connector has, to make amperes of a cap. Default 3. */
  readonly phases?: 1 | 3 | undefined;
}

export interface ModbusFirmwareOptions {
  /** The station of connectors that are called by number alone. */
  readonly station: string;
  readonly host: string;
  readonly port?: number | undefined;
  /** The name of a shipped map, the path of the operator's own, or a map. */
  readonly map: string | RegisterMap;
  readonly connectors: readonly ModbusConnectorOptions[];
  readonly pollMs?: number | undefined;
  readonly answerWithinMs?: number | undefined;
  readonly lostAfter?: number | undefined;
  /** Whether caps may be written. Default false: nothing is ever written. */
  readonly writeCap?: boolean | undefined;
  /** Where what held before a cap outlives a restart; absent: then a watchdog that an earlier run left counts as another's. */
  readonly memoryFile?: string | undefined;
  readonly pseudonymize: Pseudonymize;
  readonly clock?: FirmwareClock | undefined;
  readonly report?: ReportIssue | undefined;
  /** Another way to the registers, in the tests. */
  readonly link?: ModbusLink | undefined;
}

export const MODBUS_PORT = 502;
export const POLL_MS_DEFAULT = 2_000;
export const ANSWER_WITHIN_MS_DEFAULT = 1_500;
export const LOST_AFTER_DEFAULT = 3;

export const CONNECTORS_MAX = 48;

/** Reads the map and checks the options, and does nothing else. Throws a `FirmwareError`. */
export function createModbusFirmware(options: ModbusFirmwareOptions): FirmwareAdapter {
  return new ModbusFirmware(options);
}

class ModbusFirmware implements FirmwareAdapter {
  readonly name = 'modbus';
  readonly capabilities: ReadonlySet<FirmwareCapability>;
  readonly staleAfterMs: number;
  readonly control?: FirmwareControl;
  readonly #options: ModbusFirmwareOptions;
  readonly #map: RegisterMap;
  readonly #connectors: readonly DeviceConnector[];
  readonly #link: ModbusLink;
  readonly #clock: FirmwareClock;
  readonly #caps: Caps | undefined;
  readonly #runs: OneRun<DevicePoller>;

  constructor(options: ModbusFirmwareOptions) {
    this.#options = options;
    this.#map = typeof options.map === 'string' ? loadMap(options.map) : options.map;
    this.#connectors = connectorsOf(options, this.#map);
    this.#clock = options.clock ?? systemClock;
    const { host, port = MODBUS_PORT, answerWithinMs = ANSWER_WITHIN_MS_DEFAULT } = options;
    this.#link = options.link ?? modbusTcp({ host, port, answerWithinMs });
    this.#runs = new OneRun(`The Modbus firmware at ${this.#link.name}`);
    this.capabilities = capabilitiesOf(this.#map);
    const { pollMs = POLL_MS_DEFAULT, lostAfter = LOST_AFTER_DEFAULT } = options;
    this.staleAfterMs = RESTATE_MS + (lostAfter + 1) * (pollMs + answerWithinMs);
    if (options.writeCap !== true) return;
    this.#caps = new Caps(
      options,
      capFormOf(this.#map),
      this.#connectors,
      this.#clock,
      () => this.#runs.current,
    );
    this.control = this.#caps;
  }

  async start(emit: (event: FirmwareEvent) => void, signal: AbortSignal): Promise<void> {
    const { pollMs = POLL_MS_DEFAULT, lostAfter = LOST_AFTER_DEFAULT, pseudonymize, report } = this.#options;
    const link = this.#link;
    const [map, connectors, clock] = [this.#map, this.#connectors, this.#clock];
    const options = { link, map, connectors, clock, pollMs, lostAfter, pseudonymize, report, emit, signal };
    await this.#runs.start(signal, () => {
      const poller = new DevicePoller(options);
      this.#caps?.resume();
      signal.addEventListener('abort', () => this.#caps?.abandon(), { once: true });
      return poller;
    });
  }

  async stop(): Promise<void> {
    this.#caps?.abandon();
    await this.#runs.stop();
  }
}

/** What is written to the device, connector by connector. */
class Caps implements FirmwareControl {
  readonly abilities = new Set(['cap'] as const);
  readonly #writers: ReadonlyMap<ConnectorId, CapWriter>;

  constructor(
    options: ModbusFirmwareOptions,
    form: CapForm,
    connectors: readonly DeviceConnector[],
    clock: FirmwareClock,
    poller: () => DevicePoller | undefined,
  ) {
    const phasesOf = new Map(
      connectors.map(({ connectorId }, at) => [connectorId, options.connectors[at]?.phases ?? 3]),
    );
    const memory = new CapMemory(options.memoryFile);
    this.#writers = new Map(
      connectors.map((place) => [
        place.connectorId,
        new CapWriter({
          form,
          memory,
          place,
          clock,
          phases: phasesOf.get(place.connectorId) ?? 3,
          request: (ask) => {
            const running = poller();
            return running === undefined
              ? Promise.reject(new ModbusFailure('closed', 'the adapter is stopped'))
              : running.request(ask);
          },
        }),
      ]),
    );
  }

  setCap(connectorId: ConnectorId, cap: PowerCap): Promise<ControlOutcome> {
    return this.#with(connectorId, (writer) => writer.set(cap));
  }

  clearCap(connectorId: ConnectorId): Promise<ControlOutcome> {
    return this.#with(connectorId, (writer) => writer.clear());
  }

  async showText(): Promise<ControlOutcome> {
    return UNSUPPORTED;
  }

  async sendCredit(): Promise<ControlOutcome> {
    return UNSUPPORTED;
  }

  resume(): void {
    for (const writer of this.#writers.values()) writer.resume();
  }

  abandon(): void {
    for (const writer of this.#writers.values()) writer.abandon();
  }

  async #with(
    connectorId: ConnectorId,
    use: (writer: CapWriter) => Promise<ControlOutcome>,
  ): Promise<ControlOutcome> {
    const writer = this.#writers.get(connectorId);
    if (writer !== undefined) return use(writer);
    return { ok: false, code: 'unknown_connector', message: `${connectorId} is not at this device` };
  }
}

const UNSUPPORTED: ControlOutcome = {
  ok: false,
  code: 'unsupported',
  message: 'Modbus has registers for this on no device that we know',
};

function capabilitiesOf({ registers }: RegisterMap): ReadonlySet<FirmwareCapability> {
  const has = (name: ToldRegister): boolean => Object.hasOwn(registers, name);
  return new Set<FirmwareCapability>([
    'supplyState',
    ...(has('power') ? (['power'] as const) : []),
    ...(has('energy') ? (['energy'] as const) : []),
    ...(has('soc') ? (['soc'] as const) : []),
    ...(has('idToken') || has('evccid') ? (['credential'] as const) : []),
  ]);
}

function capFormOf({ cap, name }: RegisterMap): CapForm {
  if (cap !== undefined) return cap;
  throw new FirmwareError(
    'invalid_argument',
    `The register map of ${name} does not say how a cap expires at the device`,
    'Do not allow caps here, or give a map of your own that has cap with its watchdog',
  );
}

function connectorsOf(options: ModbusFirmwareOptions, map: RegisterMap): readonly DeviceConnector[] {
  const connectors = options.connectors.map(({ connector, unit = map.unit, index = 1 }) => ({
    connectorId: parseConnectorId(connector, options.station),
    unit,
    shift: index * map.connectorStep,
  }));
  const ids = new Set(connectors.map(({ connectorId }) => connectorId));
  const places = new Set(connectors.map(({ unit, shift }) => `${unit} ${shift}`));
  if (ids.size === connectors.length && places.size === connectors.length && isBetween(connectors.length)) {
    return connectors;
  }
  throw new FirmwareError(
    'invalid_argument',
    `The connectors of ${options.host} are none, more than ${CONNECTORS_MAX}, or one of them twice`,
    'Give each a connector, unit and index of its own',
  );
}

function isBetween(count: number): boolean {
  return count >= 1 && count <= CONNECTORS_MAX;
}
