/** Slows down whoever connects again and again, each on his own account, so that nobody else waits for it. */
import { ATTEMPT_EVERY_MS, ATTEMPT_KEYS_MAX, ATTEMPTS_AT_ONCE } from './limits.ts';

export class AttemptLimit {
  /** What each has left, and at what time that was so; whoever came last stands last. */
  readonly #left = new Map<string, { readonly attempts: number; readonly atMs: number }>();

  /** 0: may come in; else how long to wait. A refused attempt costs nothing. */
  waitMs(key: string, nowMs: number): number {
    const before = this.#left.get(key) ?? { attempts: ATTEMPTS_AT_ONCE, atMs: nowMs };
    const regained = (nowMs - before.atMs) / ATTEMPT_EVERY_MS;
    const attempts = Math.min(ATTEMPTS_AT_ONCE, before.attempts + regained);
    const isAdmitted = attempts >= 1;
    this.#left.delete(key);
    this.#left.set(key, { attempts: isAdmitted ? attempts - 1 : attempts, atMs: nowMs });
    if (this.#left.size > ATTEMPT_KEYS_MAX) this.#forgetOldest();
    return isAdmitted ? 0 : Math.ceil((1 - attempts) * ATTEMPT_EVERY_MS);
  }

  #forgetOldest(): void {
    const [key] = this.#left.keys();
    if (key !== undefined) this.#left.delete(key);
  }
}
