/** A vehicle's connection that writes down every body which goes over it, as test/simulation/history.ts reads it. */
import {
  decodeDownFrame,
  decodeUpFrame,
  type ClientId,
  type Envelope,
  type Slot,
  type TopicKind,
  type UpBody,
  type VehicleId,
} from '@plugpool/proto';
import { systemClock } from '../../../vehicle-client/adapters/clock-system.ts';
import { MqttLink } from '../../../vehicle-client/adapters/link-mqtt.ts';
import type { Link, LinkDown, LinkHandlers } from '../../../vehicle-client/ports.ts';
import type { HistoryEntry } from '../../simulation/history.ts';

/** A pile that is started again at once is found again at once. */
const BACKOFF = { minMs: 20, maxMs: 250 };

export interface Watching {
  /** Before whoever the message is for hears of it; before what is said is handed to the connection. */
  readonly record: (entry: HistoryEntry) => void;
  /** When it was handed to the connection, and had a turn of the event loop to leave. */
  readonly left?: (body: UpBody) => void;
}

class RecordedLink implements Link {
  readonly #client: ClientId;
  readonly #link: Link;
  readonly #watching: Watching;
  #isUp = false;

  constructor(client: ClientId, link: Link, watching: Watching) {
    this.#client = client;
    this.#link = link;
    this.#watching = watching;
  }

  start(handlers: LinkHandlers): void {
    this.#link.start({
      up: () => {
        this.#isUp = true;
        handlers.up();
      },
      down: (cause) => {
        this.#isUp = false;
        handlers.down(cause);
      },
      message: (kind, payload) => {
        for (const body of bodiesOf(decodeDownFrame(payload)))
          this.#watching.record({ ...this.#now(), way: 'heard', body });
        handlers.message(kind, payload);
      },
    });
  }

  send(kind: TopicKind, payload: Uint8Array): void {
    // What the link drops was never said.
    const bodies = this.#isUp ? bodiesOf(decodeUpFrame(payload)) : [];
    for (const body of bodies)
      this.#watching.record({ ...this.#now(), way: 'said', body: withoutBytes(body) });
    this.#link.send(kind, payload);
    const { left } = this.#watching;
    if (left !== undefined) setImmediate(() => bodies.forEach((body) => left(body)));
  }

  settled(): void {
    this.#link.settled();
  }

  reconnect(cause: LinkDown): void {
    this.#link.reconnect(cause);
  }

  stop(): Promise<void> {
    this.#isUp = false;
    return this.#link.stop();
  }

  #now(): { readonly atMs: number; readonly client: ClientId } {
    // One clock for all processes of this machine.
    return { atMs: performance.timeOrigin + performance.now(), client: this.#client };
  }
}

function bodiesOf<Body>(
  frame: { readonly ok: false } | { readonly ok: true; readonly envelopes: readonly Envelope<Body>[] },
): readonly Body[] {
  return frame.ok ? frame.envelopes.map(({ body }) => body) : [];
}

/** Chunks of a blob promise nothing, and a long test must not keep them all. */
function withoutBytes(body: UpBody): UpBody {
  return body.kind === 'blobChunk' ? { ...body, data: new Uint8Array() } : body;
}

export interface LinkFor {
  readonly url: string;
  readonly vehicleId: string;
  readonly slot: string;
  readonly token: string;
}

export function recordedLink({ url, vehicleId, slot, token }: LinkFor, watching: Watching): Link {
  const name = { vehicleId: vehicleId as VehicleId, slot: slot as Slot };
  const link = new MqttLink({ agentUrl: url, ...name, token, clock: systemClock, backoff: BACKOFF });
  return new RecordedLink(`${vehicleId}.${slot}` as ClientId, link, watching);
}
