/** The adapter for EVerest: listens to its versioned API on its own MQTT broker, and does what the operator switched on. */
import { parseConnectorId } from '../connector-id.ts';
import { systemClock, type FirmwareClock } from '../clock.ts';
import { FirmwareError } from '../firmware-error.ts';
import { OneRun } from '../one-run.ts';
import type {
  CreditAddress,
  FirmwareAbility,
  FirmwareAdapter,
  FirmwareCapability,
  FirmwareControl,
  FirmwareEvent,
  Pseudonymize,
} from '../port.ts';
import { parseBrokerUrl } from './broker-url.ts';
import { EverestControl, type ControlledEvse } from './everest-control.ts';
import type { EverestLink } from './everest-link.ts';
import { EverestRun } from './everest-run.ts';
import { EVSES_MAX } from './limits.ts';
import { LazyMqttLink } from './lazy-mqtt-link.ts';
import { MODULE_PATTERN } from './topics.ts';

export interface EverestEvseOptions {
  /** `3`, `3/1` or `station/3/1`. */
  readonly connector: string;
  /** EVerest's name of the `evse_manager_consumer_API` module of this EVSE. */
  readonly module: string;
  /** What EVerest must call the EVSE, where that is to be checked: `DE*ABC*E123*1`. */
  readonly evse?: string | undefined;
  /** EVerest's name of an `external_energy_limits_consumer_API` module that limits this EVSE and nothing else. */
  readonly energyLimits?: string | undefined;
}

export interface EverestFirmwareOptions {
  /** The station of connectors that are called by number alone. */
  readonly station: string;
  /** EVerest's broker, never the one that vehicles connect to: `mqtt://host:port`. */
  readonly broker: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly evses: readonly EverestEvseOptions[];
  /** EVerest's name of the `auth_consumer_API` module, where there is one. */
  readonly authModule?: string | undefined;
  /** What may be done beside listening; nothing unless it is named. */
  readonly allow?: readonly FirmwareAbility[] | undefined;
  /** EVerest's name of the `ocpp_consumer_API` module, for `credit`. */
  readonly ocppModule?: string | undefined;
  /** By what the back office knows our records, for `credit`. */
  readonly credit?: CreditAddress | undefined;
  /** EVerest's name of the `display_message_API` module, for `text`. */
  readonly displayModule?: string | undefined;
  /** Shorter than `cfg_communication_check_to_s` of EVerest's modules. */
  readonly communicationCheckEveryMs: number;
  /** A module that is silent for longer is lost; longer than its `cfg_heartbeat_interval_ms`. */
  readonly silentAfterMs: number;
  readonly pseudonymize: Pseudonymize;
  /** Where who is plugged in, as pseudonyms, outlives a restart; absent: it does not. */
  readonly memoryFile?: string | undefined;
  readonly report?: ((issue: EverestIssue) => void) | undefined;
  readonly clock?: FirmwareClock | undefined;
  /** Instead of MQTT, in a test. */
  readonly link?: (() => EverestLink) | undefined;
}

/** Of a closed list of kinds, so that whoever writes them can limit each. */
export interface EverestIssue {
  readonly kind: 'message_refused' | 'retained_ignored' | 'link_down' | 'link_up' | 'memory_unsaved';
  readonly message: string;
  readonly fields?: object;
}

/** Checks the options and does nothing else. Throws a `FirmwareError`. */
export function createEverestFirmware(options: EverestFirmwareOptions): EverestFirmware {
  return new EverestFirmware(options);
}

export class EverestFirmware implements FirmwareAdapter {
  readonly name = 'everest';
  readonly capabilities: ReadonlySet<FirmwareCapability> = new Set([
    'soc',
    'power',
    'energy',
    'estimatedFull',
    'statedDeparture',
    'transaction',
    'supplyState',
    'credential',
  ] as const);
  /** EVerest says nothing of a free EVSE; that it lives, its heartbeats tell, and their silence is a lost link. */
  readonly staleAfterMs = 0;
  readonly control?: FirmwareControl;
  readonly #options: EverestFirmwareOptions;
  readonly #control: EverestControl | undefined;
  readonly #runs = new OneRun<EverestRun>('The EVerest firmware');

  constructor(options: EverestFirmwareOptions) {
    checkOptions(options);
    this.#options = options;
    const { allow = [] } = options;
    if (allow.length === 0) return;
    this.#control = new EverestControl({
      ...options,
      allow,
      evses: evsesOf(options),
      run: () => this.#runs.current,
    });
    this.control = this.#control;
  }

  /** Resolves at once: EVerest may be started later than we are. */
  async start(emit: (event: FirmwareEvent) => void, signal: AbortSignal): Promise<void> {
    const { broker, username, password, clock = systemClock } = this.#options;
    const makeLink = this.#options.link ?? (() => new LazyMqttLink({ broker, username, password, clock }));
    const make = () =>
      new EverestRun({
        ...this.#options,
        clock,
        link: makeLink(),
        evses: evsesOf(this.#options),
        energyLimitsModules: this.#options.evses.flatMap(({ energyLimits }) => energyLimits ?? []),
        emit,
        signal,
      });
    await this.#runs.start(signal, make);
  }

  async stop(): Promise<void> {
    await this.#control?.liftCaps();
    await this.#runs.stop();
  }
}

function evsesOf({ evses, station }: EverestFirmwareOptions): readonly ControlledEvse[] {
  return evses.map(({ connector, ...rest }) => ({
    ...rest,
    connectorId: parseConnectorId(connector, station),
  }));
}

function checkOptions(options: EverestFirmwareOptions): void {
  const { station, broker, evses, communicationCheckEveryMs, silentAfterMs } = options;
  parseBrokerUrl(broker);
  if (evses.length === 0 || evses.length > EVSES_MAX)
    throw invalid(`${evses.length} EVSEs are named`, `Name 1 to ${EVSES_MAX}`);
  for (const module of modulesOf(options))
    if (!MODULE_PATTERN.test(module))
      throw invalid(
        `${JSON.stringify(module.slice(0, 60))} is no name of a module`,
        'Write it as in the configuration of EVerest',
      );
  unique(
    'module',
    evses.map(({ module }) => module),
  );
  unique(
    'connector',
    evses.map(({ connector }) => parseConnectorId(connector, station)),
  );
  for (const ms of [communicationCheckEveryMs, silentAfterMs])
    if (!(ms >= 100)) throw invalid(`${ms} ms is too short`, 'Give at least 100 ms');
}

function modulesOf({
  evses,
  authModule,
  ocppModule,
  displayModule,
}: EverestFirmwareOptions): readonly string[] {
  const ofEvses = evses.flatMap(({ module, energyLimits }) => [module, energyLimits]);
  return [...ofEvses, authModule, ocppModule, displayModule].filter((name) => name !== undefined);
}

function unique(what: string, names: readonly string[]): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    throw invalid(`${what} ${twice} is named twice`, `Give each EVSE a ${what} of its own`);
}

function invalid(message: string, hint: string): FirmwareError {
  return new FirmwareError('invalid_argument', message, hint);
}
