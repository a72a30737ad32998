/** A link to EVerest's broker that a test holds: it goes up and down, and hears, when the test says so. */
import type { EverestLink, EverestLinkHandlers } from '../../firmware-bridge/index.ts';

export class HeldLink implements EverestLink {
  readonly published: { readonly topic: string; readonly payload: unknown }[] = [];
  /** What nobody heard. */
  readonly undelivered: { readonly topic: string; readonly payload: string }[] = [];
  #handlers: EverestLinkHandlers | undefined;
  #isUp = false;
  /** What the broker says of the next messages. */
  acknowledges = true;
  /** Called for each message to EVerest. */
  answer: (topic: string, payload: unknown) => void = () => undefined;

  anew(): this {
    this.#isUp = false;
    return this;
  }

  start(_filters: readonly string[], handlers: EverestLinkHandlers): void {
    this.#handlers = handlers;
  }

  publish(topic: string, payload: string): Promise<boolean> {
    if (!this.#isUp) return Promise.resolve(false);
    const message: unknown = JSON.parse(payload);
    this.published.push({ topic, payload: message });
    this.answer(topic, message);
    return Promise.resolve(this.acknowledges);
  }

  stop(): Promise<void> {
    this.#isUp = false;
    this.#handlers = undefined;
    return Promise.resolve();
  }

  up(): void {
    if (this.#isUp || this.#handlers === undefined) return;
    this.#isUp = true;
    this.#handlers.up();
  }

  down(reason: string): void {
    if (!this.#isUp) return;
    this.#isUp = false;
    this.#handlers?.down(reason);
  }

  deliver(topic: string, payload: string, isRetained = false): void {
    if (this.#isUp) this.#handlers?.message(topic, Buffer.from(payload), isRetained);
    else this.undelivered.push({ topic, payload });
  }
}
