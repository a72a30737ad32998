/**
 * One client's conversation with the pile over one link: hello and welcome, bodies gathered into frames, frames taken apart.
 *
 * What a connection owed is forgotten with it. Whoever uses a conversation says again, after each welcome, what still holds.
 */
import {
  BODIES_PER_FRAME_MAX,
  decodeDownFrame,
  encodeFrames,
  topicKindOf,
  type DownBody,
  type Envelope,
  type Hello,
  type TopicKind,
  type UpBody,
  type Welcome,
} from '@plugpool/proto';
import type { Clock, Link, LinkDown, Log } from './ports.ts';

const WELCOME_TIMEOUT_MS = 10_000;
/** Gathered bodies leave before the end of the turn from here on: a queue is never longer. */
const GATHERED_MAX = BODIES_PER_FRAME_MAX;

export interface ConversationHandlers {
  hello(): Hello;
  welcomed(welcome: Welcome): void;
  /** Every body but the welcome. */
  body(body: Exclude<DownBody, Welcome>, correlationId: number): void;
  /** The connection is lost, or could not be made; nothing that was posted since is sure to have arrived. */
  lost(cause: LinkDown): void;
}

export interface ConversationOptions {
  readonly link: Link;
  readonly clock: Clock;
  readonly log: Log;
  readonly handlers: ConversationHandlers;
}

export class Conversation {
  readonly #link: Link;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #handlers: ConversationHandlers;
  /** Bodies that wait for the end of this turn of the event loop. */
  readonly #gathered: Record<TopicKind, Envelope<UpBody>[]> = { frame: [], blob: [] };
  #flushPlanned = false;
  #welcome: Welcome | undefined;
  #helloCorrelationId = 0;
  #correlationId = 0;
  #cancelWelcomeTimeout: (() => void) | undefined;
  #malformedSinceWelcome = 0;

  constructor(options: ConversationOptions) {
    this.#link = options.link;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#handlers = options.handlers;
  }

  start(): void {
    this.#link.start({
      up: () => this.#sayHello(),
      down: (cause) => this.#forget(cause),
      message: (_kind, payload) => this.#received(payload),
    });
  }

  /** Sends what was gathered, then disconnects. */
  async stop(): Promise<void> {
    this.#flush();
    this.#cancelWelcomeTimeout?.();
    this.#welcome = undefined;
    await this.#link.stop();
  }

  /** The limits in force; undefined while nobody listens. */
  get welcome(): Welcome | undefined {
    return this.#welcome;
  }

  nextCorrelationId(): number {
    return ++this.#correlationId;
  }

  /** Sends a body with everything else that is due in this turn of the event loop; without a welcome it is dropped. */
  post(body: UpBody, correlationId = 0): void {
    if (this.#welcome !== undefined) this.#gather(topicKindOf(body), body, correlationId);
  }

  #gather(kind: TopicKind, body: UpBody, correlationId: number): void {
    const gathered = this.#gathered[kind];
    gathered.push({ correlationId, body });
    if (gathered.length >= GATHERED_MAX) this.#flushKind(kind);
    if (this.#flushPlanned) return;
    this.#flushPlanned = true;
    // After the poll phase: whatever other sockets and children brought in this turn leaves in the same frame.
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#flushPlanned = false;
    this.#flushKind('frame');
    this.#flushKind('blob');
  }

  #flushKind(kind: TopicKind): void {
    const envelopes = this.#gathered[kind];
    if (envelopes.length === 0) return;
    this.#gathered[kind] = [];
    for (const frame of encodeFrames(envelopes)) this.#link.send(kind, frame);
  }

  #sayHello(): void {
    this.#malformedSinceWelcome = 0;
    this.#helloCorrelationId = this.nextCorrelationId();
    this.#gather('frame', this.#handlers.hello(), this.#helloCorrelationId);
    this.#cancelWelcomeTimeout?.();
    this.#cancelWelcomeTimeout = this.#clock.setTimer(WELCOME_TIMEOUT_MS, () => {
      this.#link.reconnect({
        code: 'not_welcomed',
        detail: `no answer to hello within ${WELCOME_TIMEOUT_MS / 1000} s`,
      });
    });
  }

  #forget(cause: LinkDown): void {
    this.#cancelWelcomeTimeout?.();
    this.#welcome = undefined;
    this.#gathered.frame = [];
    this.#gathered.blob = [];
    this.#handlers.lost(cause);
  }

  #received(payload: Uint8Array): void {
    const frame = decodeDownFrame(payload);
    if (!frame.ok) {
      this.#complain({ code: frame.code, detail: frame.detail }, 'the pile sent a frame that cannot be read');
      return;
    }
    if (frame.rejected.length > 0) {
      this.#complain({ rejected: frame.rejected.slice(0, 3) }, 'the pile sent bodies that cannot be read');
    }
    for (const { body, correlationId } of frame.envelopes) this.#hear(body, correlationId);
  }

  #hear(body: DownBody, correlationId: number): void {
    if (body.kind === 'welcome') {
      this.#cancelWelcomeTimeout?.();
      this.#welcome = body;
      this.#link.settled();
      this.#handlers.welcomed(body);
      return;
    }
    if (
      body.kind === 'refused' &&
      correlationId === this.#helloCorrelationId &&
      this.#welcome === undefined
    ) {
      const detail = body.reasons.map((reason) => `${reason.code}: ${reason.detail}`).join('; ');
      this.#link.reconnect({ code: 'not_welcomed', detail: `the pile refused hello: ${detail}` });
      return;
    }
    this.#handlers.body(body, correlationId);
  }

  /** A pile that sends rubbish must not fill the vehicle's log. */
  #complain(fields: object, message: string): void {
    this.#malformedSinceWelcome += 1;
    if (this.#malformedSinceWelcome <= 3) this.#log.warn(fields, message);
  }
}
