/** One client's side of its connection in a simulated world: it dials, says hello, comes back after a loss, and writes down what was said. */
import {
  decodeDownFrame,
  encodeFrames,
  type DownBody,
  type Envelope,
  type Hello,
  type UpBody,
  type Welcome,
} from '@plugpool/proto';
import { backoffDelaysMs } from '../../vehicle-client/core/backoff.ts';
import type { Chance } from './chance.ts';
import type { HistoryEntry } from './history.ts';
import type { Connection, Frame, Listener, Network } from './network.ts';

/** No answer to hello within this time: the connection is made anew. */
const WELCOME_TIMEOUT_MS = 10_000;

export interface ConversationParts {
  readonly clientId: string;
  readonly network: Network;
  readonly chance: Chance;
  readonly asBytes: boolean;
  readonly record: (entry: HistoryEntry) => void;
  /** Whom to dial; undefined while nobody is in reach. */
  listener(): Listener | undefined;
  hello(): Hello;
  welcomed(welcome: Welcome): void;
  body(body: Exclude<DownBody, Welcome>, correlationId: number): void;
  lost(): void;
}

export class Conversation {
  readonly #parts: ConversationParts;
  #connection: Connection | undefined;
  #welcome: Welcome | undefined;
  #correlationId = 0;
  #outgoing: Envelope<UpBody>[] = [];
  #delays: Iterator<number, never>;
  #cancelTimer: (() => void) | undefined;
  #isStopped = true;

  constructor(parts: ConversationParts) {
    this.#parts = parts;
    this.#delays = backoffDelaysMs(() => parts.chance.next());
  }

  get welcome(): Welcome | undefined {
    return this.#welcome;
  }

  start(): void {
    this.#isStopped = false;
    this.#dial();
  }

  /** `isTold`: the pile hears of it, as of a process that ends; else of a vehicle that drives away or loses power. */
  stop(isTold = true): void {
    this.#isStopped = true;
    this.#welcome = undefined;
    this.#outgoing = [];
    this.#cancelTimer?.();
    if (!isTold) this.#connection?.cut('both');
    this.#connection?.closeAtClient(false);
    this.#connection = undefined;
  }

  /** What is lost with it is found out by who made it. */
  cut(way: 'up' | 'down' | 'both'): void {
    this.#connection?.cut(way);
  }

  #dial(): void {
    const { network, clientId } = this.#parts;
    const listener = this.#parts.listener();
    if (listener === undefined) return this.#again();
    const connection: Connection = network.dial(
      clientId,
      {
        up: () => this.#up(connection),
        down: () => this.#down(connection),
        frame: (frame) => this.#heard(connection, frame),
      },
      listener,
    );
    this.#connection = connection;
  }

  #again(): void {
    this.#cancelTimer = this.#parts.network.agenda.after(this.#delays.next().value, () => this.#dial());
  }

  #up(connection: Connection): void {
    if (this.#connection !== connection) return;
    this.#correlationId = 0;
    this.#say({ correlationId: this.nextCorrelationId(), body: this.#parts.hello() });
    this.#cancelTimer = this.#parts.network.agenda.after(WELCOME_TIMEOUT_MS, () => {
      connection.closeAtClient(false);
      this.#down(connection);
    });
  }

  #down(connection: Connection): void {
    if (this.#connection !== connection || this.#isStopped) return;
    this.#connection = undefined;
    this.#welcome = undefined;
    this.#outgoing = [];
    this.#cancelTimer?.();
    this.#parts.lost();
    this.#again();
  }

  nextCorrelationId(): number {
    this.#correlationId += 1;
    return this.#correlationId;
  }

  /** Gathered until `flush`; without a welcome it is dropped. */
  post(body: UpBody, correlationId = 0): void {
    if (this.#welcome !== undefined) this.#outgoing.push({ correlationId, body });
  }

  flush(): void {
    if (this.#outgoing.length === 0) return;
    const frame = this.#outgoing;
    this.#outgoing = [];
    this.#say(...frame);
  }

  #say(...frame: Envelope<UpBody>[]): void {
    for (const { body } of frame) this.#record('said', body);
    this.#connection?.say(frame);
  }

  #heard(connection: Connection, frame: Frame<DownBody>): void {
    if (this.#connection !== connection) return;
    for (const { body, correlationId } of this.#parts.asBytes ? overTheWire(frame) : frame) {
      this.#record('heard', body);
      if (body.kind === 'welcome') {
        this.#cancelTimer?.();
        this.#welcome = body;
        this.#delays = backoffDelaysMs(() => this.#parts.chance.next());
        this.#parts.welcomed(body);
      } else if (this.#welcome !== undefined) this.#parts.body(body, correlationId);
    }
    this.flush();
  }

  #record(way: 'said' | 'heard', body: UpBody | DownBody): void {
    const { clientId, network, record } = this.#parts;
    record({ atMs: network.agenda.nowMs, client: clientId, way, body } as HistoryEntry);
  }
}

function overTheWire(frame: Frame<DownBody>): Frame<DownBody> {
  return encodeFrames(frame).flatMap((payload) => {
    const decoded = decodeDownFrame(payload);
    if (!decoded.ok) throw new Error(`the pile said what cannot be read: ${decoded.detail}`);
    return decoded.envelopes;
  });
}
