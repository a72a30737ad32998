/** The adapter that listens to the CAN bus between a DC charger and a vehicle (GB/T 27930-2015), and never sends a frame. */
import type { ConnectorId } from '@plugpool/proto';
import { systemClock } from '../clock.ts';
import type { FirmwareClock } from '../clock.ts';
import { parseConnectorId } from '../connector-id.ts';
import { FirmwareError } from '../firmware-error.ts';
import type { ReportIssue } from '../firmware-error.ts';
import { OneRun } from '../one-run.ts';
import type { FirmwareAdapter, FirmwareCapability, FirmwareEvent, Pseudonymize } from '../port.ts';
import { BusStories } from './bus-stories.ts';
import { parseLineSource } from './line-source.ts';
import type { LineSource } from './line-source.ts';
import { Listening } from './listening.ts';

export interface Gbt27930FirmwareOptions {
  /** The station of connectors that are called by number alone. */
  readonly station: string;
  /** See `parseLineSource`; a source of the caller's own in the tests. */
  readonly from: string | LineSource;
  /** Which interface belongs to which connector; frames of others are passed over. */
  readonly connectors: Readonly<Record<string, string>>;
  /** A vehicle that was silent for this long has left; absent: only the next handshake ends its session. */
  readonly unpluggedAfterMs?: number | undefined;
  readonly pseudonymize: Pseudonymize;
  readonly clock?: FirmwareClock | undefined;
  readonly report?: ReportIssue | undefined;
}

/** Three times as long as power is left unsaid while it does not change. */
const STALE_AFTER_MS = 15_000;
/** Shorter than the protocol's own time-outs, a session would end while it goes on. */
export const UNPLUGGED_AFTER_MS_MIN = 10_000;

/** Checks the options and does nothing else. Throws a `FirmwareError`. */
export function createGbt27930Firmware(options: Gbt27930FirmwareOptions): FirmwareAdapter {
  return new Gbt27930Firmware(options);
}

class Gbt27930Firmware implements FirmwareAdapter {
  readonly name = 'gbt27930';
  readonly capabilities: ReadonlySet<FirmwareCapability> = new Set([
    'soc',
    'power',
    'energy',
    'estimatedFull',
    'supplyState',
    'credential',
  ] as const);
  readonly staleAfterMs = STALE_AFTER_MS;
  readonly #options: Gbt27930FirmwareOptions;
  readonly #source: LineSource;
  readonly #connectors: ReadonlyMap<string, ConnectorId>;
  readonly #runs: OneRun<Listening>;

  constructor(options: Gbt27930FirmwareOptions) {
    this.#options = options;
    this.#source = typeof options.from === 'string' ? parseLineSource(options.from) : options.from;
    this.#runs = new OneRun(`The GB/T 27930 firmware at ${this.#source.name}`);
    this.#connectors = connectorsOf(options);
    const { unpluggedAfterMs } = options;
    if (unpluggedAfterMs !== undefined && !(unpluggedAfterMs >= UNPLUGGED_AFTER_MS_MIN)) {
      throw new FirmwareError(
        'invalid_argument',
        `unpluggedAfterMs ${unpluggedAfterMs} is shorter than a pause of the protocol may be`,
        `Give at least ${UNPLUGGED_AFTER_MS_MIN} ms, or leave it out`,
      );
    }
  }

  async start(emit: (event: FirmwareEvent) => void, signal: AbortSignal): Promise<void> {
    await this.#runs.start(signal, () => {
      const { clock = systemClock, report, unpluggedAfterMs, pseudonymize } = this.#options;
      const connectors = this.#connectors;
      const stories = new BusStories({ connectors, unpluggedAfterMs, pseudonymize, clock }, emit);
      return new Listening({ source: this.#source, stories, clock, report, signal });
    });
  }

  async stop(): Promise<void> {
    await this.#runs.stop();
  }
}

function connectorsOf({ connectors, station }: Gbt27930FirmwareOptions): ReadonlyMap<string, ConnectorId> {
  const found = new Map<string, ConnectorId>();
  for (const [bus, name] of Object.entries(connectors)) {
    const connectorId = parseConnectorId(name, station);
    if ([...found.values()].includes(connectorId)) {
      throw new FirmwareError(
        'invalid_argument',
        `${connectorId} belongs to two interfaces`,
        'Give each interface a connector of its own',
      );
    }
    found.set(bus, connectorId);
  }
  if (found.size > 0) return found;
  throw new FirmwareError(
    'invalid_argument',
    'No interface belongs to a connector',
    'Name at least one, such as { can0: 1 }',
  );
}
