/** Reads a recording of firmware as the agent would have heard it: each event, checked and judged, with the state of its session after it. */
import { randomBytes } from 'node:crypto';
import {
  checkFirmwareEvent,
  createPseudonymizer,
  parseConnectorId,
  Plausibility,
  RECORDINGS,
  type DoubtedReading,
  type FirmwareEvent,
  type RecordingFormat,
} from '@plugpool/firmware-bridge';
import { isVerified, newSession, transition, type Session } from './core/sessions/session.ts';

/** `plugpool firmware replay` says it like this; docs/cli-json.md promises the names. */
export interface ReplayedEvent {
  /** By the recording's own time. */
  readonly at: string;
  readonly connector: string;
  readonly event: FirmwareEvent['kind'];
  readonly state: Session['state'];
  readonly verified: boolean;
  readonly socPct?: number;
  readonly powerW?: number;
  readonly energyWh?: number;
  readonly estimatedFullInMs?: number;
  readonly departureInMs?: number;
  readonly transactionId?: string;
  readonly by?: 'EV' | 'EVSE';
  readonly reason?: string;
  readonly vehicleId?: string;
  readonly assurance?: string;
  /** Its kind; the pseudonym is the same for the same value in this run, and in no other. */
  readonly credential?: { readonly kind: string; readonly pseudonym: string };
  /** The meter signed the reading; what it signed is not shown. */
  readonly signed?: 'OCMF';
  readonly doubted?: readonly DoubtedReading[];
}

export interface ReplayRecordingOptions {
  readonly format: RecordingFormat;
  /** Of the recording's connectors, where it does not name one. */
  readonly station: string;
}

/** Throws a `FirmwareError` for a station that is none, and what the reader throws, after what came before it was told. */
export async function* replayRecording(
  file: string,
  { format, station }: ReplayRecordingOptions,
): AsyncGenerator<ReplayedEvent> {
  parseConnectorId('1', station);
  const heard = new HeardRecording();
  // Under a salt that nobody keeps: what is printed names nobody, and is compared with nothing.
  const pseudonymize = createPseudonymizer(randomBytes(32));
  for await (const event of RECORDINGS[format](file, { station, pseudonymize })) {
    const told = heard.hear(event);
    if (told !== undefined) yield told;
  }
}

class HeardRecording {
  readonly #plausibility = new Plausibility();
  readonly #sessions = new Map<string, Session>();
  /** A recording's time may go back, a monotonic clock does not. */
  #monoMs = 0;

  hear(said: FirmwareEvent): ReplayedEvent | undefined {
    const { event: checked } = checkFirmwareEvent(said);
    if (checked === undefined) return undefined;
    const { receivedWallMs } = checked.at;
    this.#monoMs = Math.max(this.#monoMs, receivedWallMs);
    const now = { monoMs: this.#monoMs, wallMs: receivedWallMs };
    const { event } = this.#plausibility.judge(checked, now.monoMs);
    const before = this.#sessions.get(event.connectorId) ?? newSession(event.connectorId, now);
    const after = transition(before, event, { name: 'recording', staleAfterMs: 0 }, now);
    this.#sessions.set(event.connectorId, after);
    return {
      at: new Date(receivedWallMs).toISOString(),
      connector: event.connectorId,
      event: event.kind,
      state: after.state,
      verified: isVerified(after, now),
      ...factsOf(event),
      ...doubtsOf(event),
    };
  }
}

function doubtsOf(event: FirmwareEvent): Pick<ReplayedEvent, 'doubted'> {
  return 'doubted' in event ? { doubted: event.doubted } : {};
}

function factsOf(event: FirmwareEvent): Partial<ReplayedEvent> {
  switch (event.kind) {
    case 'meter':
      return {
        ...scaled('powerW', event.powerMw, 1000),
        ...scaled('energyWh', event.energyMwh, 1000),
        ...(event.signed === undefined ? {} : { signed: event.signed.format }),
      };
    case 'evInfo':
      return {
        ...scaled('socPct', event.socPermille, 10),
        ...scaled('estimatedFullInMs', event.estimatedFullInMs, 1),
        ...scaled('departureInMs', event.departureInMs, 1),
      };
    case 'transactionStarted':
    case 'transactionEnded':
      return { transactionId: event.transactionId };
    case 'suspended':
      return { by: event.by };
    case 'faulted':
    case 'linkLost':
      return { reason: event.reason };
    case 'identity':
      return { vehicleId: event.vehicleId, assurance: event.assurance };
    case 'credential':
      return { credential: event.credential };
    default:
      return {};
  }
}

function scaled<Name extends string>(
  name: Name,
  value: number | undefined,
  by: number,
): { readonly [Key in Name]?: number } {
  return value === undefined ? {} : ({ [name]: value / by } as { [Key in Name]: number });
}
