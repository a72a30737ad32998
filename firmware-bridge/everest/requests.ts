/** Requests that wait for EVerest's answer, each at a topic of its own. */
import type { FirmwareClock } from '../clock.ts';
import { PAYLOAD_BYTES_MAX, REQUESTS_MAX } from './limits.ts';

/** How EVerest wraps what asks for an answer. */
export interface Wrapped {
  readonly headers: { readonly replyTo: string };
  readonly payload: unknown;
}

export class Requests {
  readonly #clock: FirmwareClock;
  /** By the topic of the answer. */
  readonly #waiting = new Map<string, (answer: unknown) => void>();

  constructor(clock: FirmwareClock) {
    this.#clock = clock;
  }

  /** The answer's JSON; undefined where none came in time, or too many wait. `send`: whether it left. */
  async ask(
    replyTopic: string,
    payload: unknown,
    withinMs: number,
    send: (wrapped: Wrapped) => Promise<boolean>,
  ): Promise<unknown> {
    if (this.#waiting.size >= REQUESTS_MAX) return undefined;
    const replyTo = `${replyTopic}/${crypto.randomUUID()}`;
    const answered = new Promise<unknown>((resolve) => this.#waiting.set(replyTo, resolve));
    const cancel = this.#clock.setTimer(withinMs, () => this.#settle(replyTo, undefined));
    if (!(await send({ headers: { replyTo }, payload }))) this.#settle(replyTo, undefined);
    const answer = await answered;
    cancel();
    return answer;
  }

  /** Whether it was an answer that somebody waits for. */
  hear(topic: string, payload: Uint8Array): boolean {
    if (!this.#waiting.has(topic)) return false;
    this.#settle(topic, payload.length > PAYLOAD_BYTES_MAX ? undefined : jsonOf(payload));
    return true;
  }

  /** The link is lost: no answer will come. */
  giveUp(): void {
    for (const topic of this.#waiting.keys()) this.#settle(topic, undefined);
  }

  #settle(topic: string, answer: unknown): void {
    this.#waiting.get(topic)?.(answer);
    this.#waiting.delete(topic);
  }
}

function jsonOf(payload: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(payload).toString('utf8'));
  } catch {
    return undefined;
  }
}
