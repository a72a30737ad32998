/**
 * How much a connection may send that cannot be read. A client that is newer than the pile does so now and then; one that says little
 * else costs a reading and an answer each time, and is closed.
 */
import type { ClientId } from '@plugpool/proto';
import { TokenBucket } from './adapters/broker-aedes/token-bucket.ts';

/** Bodies, and kilobytes with them: so many at once, and a second. */
const STRIKES = { burst: 512, perSecond: 1 };
const STRIKE_BYTES = 1024;

export class Strikes {
  readonly #monoMs: () => number;
  readonly #left = new Map<ClientId, TokenBucket>();

  constructor(monoMs: () => number) {
    this.#monoMs = monoMs;
  }

  /** False: it was too much. */
  mayErr(clientId: ClientId, bodies: number, bytes: number): boolean {
    const nowMs = this.#monoMs();
    const bucket = this.#left.get(clientId) ?? new TokenBucket(STRIKES, nowMs);
    this.#left.set(clientId, bucket);
    bucket.fill(nowMs);
    const strikes = bodies + Math.floor(bytes / STRIKE_BYTES);
    for (let each = 0; each < strikes; each += 1) if (!bucket.take()) return false;
    return true;
  }

  /** The connection is gone. */
  forget(clientId: ClientId): void {
    this.#left.delete(clientId);
  }
}
