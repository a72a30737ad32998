/**
 * Who may connect as which vehicle: a token is bound to a vehicle id at its first use and is that vehicle's CONNECT
 * password from then on.
 *
 *   mode `open`    loopback only: a vehicle without a bound token may come without one; one that it presents is bound
 *   mode `tokens`  every vehicle must present a token of at least 16 bytes
 *
 * **Hash.** Salted SHA-256, not scrypt. A token is made by a program from a random generator and never typed, so there
 * is no dictionary to try, and what a slow hash would add to 128 random bits is nothing. What it would cost is much: at
 * some 50 ms and 16 MiB a try, twenty CONNECTs a second from a stranger would take a pile's whole core.
 *
 * **Wrong tokens.** The right token is always accepted, however many wrong ones came before it: a limit that holds back
 * every try alike would let a stranger lock the owner out, and one that lets only the right token through limits no
 * guessing, for "not accepted" answers the guess. So the length of the token is what stands against guessing, and what is
 * limited for each vehicle id is what wrong tokens *cost*: the bound hash is kept in memory after the first try, a try
 * after that is one SHA-256 of a few bytes, and a few log lines are written, then one a minute. Reads of the store under
 * way and new bindings a minute are bounded too, so that made-up vehicle ids fill neither its queue nor the disk.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { ClientName, VehicleId } from '@plugpool/proto';
import type { Store } from '../ports.ts';
import { isLoopback, parseListenUrl } from './broker-aedes/listen-url.ts';
import { limitLog } from './broker-aedes/limited-log.ts';
import type { BrokerLog, LimitedLog } from './broker-aedes/limited-log.ts';
import { TokenBucket } from './broker-aedes/token-bucket.ts';

export type TokenMode = 'open' | 'tokens';
type Verdict = 'accepted' | 'refused' | 'unavailable';

export interface VehicleTokensOptions {
  readonly store: Pick<Store, 'tokenHash' | 'bindToken' | 'unbindToken'>;
  readonly mode: TokenMode;
  readonly log: BrokerLog;
  /** A clock that never jumps. */
  readonly monoMs?: () => number;
}

export interface VehicleTokens {
  /** The handler that the broker asks before CONNACK. Never rejects. */
  authenticate(name: ClientName, token: string | undefined): Promise<Verdict>;
  /** Unbinds in the store and in memory, so that the next token of the vehicle is bound; false where none was. */
  unbind(vehicleId: VehicleId): Promise<boolean>;
}

const TOKEN_BYTES_MIN = 16;
const SALT_BYTES = 16;
const CACHED_HASHES_MAX = 1024;
const WATCHED_VEHICLES_MAX = 1024;
const STORE_CALLS_MAX = 32;
const BINDINGS = { burst: 60, perSecond: 1 };
const WRONG_TOKEN_LINES = { burst: 5, perSecond: 1 / 60 };

export function createVehicleTokens(options: VehicleTokensOptions): VehicleTokens {
  return new BoundTokens(options);
}

/** Refuses what would let anybody on the network be any vehicle. */
export function mayListen(
  listen: string,
  mode: TokenMode,
): { readonly ok: true } | { readonly ok: false; readonly reason: string } {
  const url = parseListenUrl(listen);
  if (!url.ok) return url;
  if (mode === 'tokens' || isLoopback(url.address.host)) return { ok: true };
  return {
    ok: false,
    reason:
      `listening on ${listen} is open to the network, where anybody could connect as any vehicle: ` +
      `require tokens (mode 'tokens'), or listen on mqtt://127.0.0.1:${url.address.port}`,
  };
}

class BoundTokens implements VehicleTokens {
  readonly #options: VehicleTokensOptions;
  readonly #monoMs: () => number;
  readonly #limited: LimitedLog;
  /** Oldest use first. */
  readonly #hashes = new Map<VehicleId, string>();
  /** When wrong tokens of a vehicle were last worth a line. Oldest first. */
  readonly #wrongTokenLines = new Map<VehicleId, TokenBucket>();
  readonly #bindings: TokenBucket;
  #storeCalls = 0;
  /** A hash that was read before the latest unbinding must not be kept. */
  #unbindings = 0;

  constructor(options: VehicleTokensOptions) {
    this.#options = options;
    this.#monoMs = options.monoMs ?? (() => performance.now());
    this.#limited = limitLog(options.log, this.#monoMs);
    this.#bindings = new TokenBucket(BINDINGS, this.#monoMs());
  }

  async authenticate(name: ClientName, token: string | undefined): Promise<Verdict> {
    if (token === undefined && this.#options.mode === 'tokens') return 'refused';
    try {
      const bound = await this.#boundHash(name.vehicleId);
      if (bound !== undefined) return this.#compare(name.vehicleId, bound, token);
      if (token === undefined) return 'accepted';
      return await this.#bind(name.vehicleId, token);
    } catch (error) {
      this.#limited.warn('token_check', { error, vehicleId: name.vehicleId }, 'a token could not be checked');
      return 'unavailable';
    }
  }

  async unbind(vehicleId: VehicleId): Promise<boolean> {
    const wasBound = await this.#options.store.unbindToken(vehicleId);
    this.#unbindings += 1;
    this.#hashes.delete(vehicleId);
    return wasBound;
  }

  #compare(vehicleId: VehicleId, bound: string, token: string | undefined): Verdict {
    if (token !== undefined && isHashOf(bound, token)) return 'accepted';
    this.#warnOfWrongToken(vehicleId, token !== undefined);
    return 'refused';
  }

  async #bind(vehicleId: VehicleId, token: string): Promise<Verdict> {
    if (Buffer.byteLength(token) < TOKEN_BYTES_MIN) {
      this.#limited.warn(
        'short_token',
        { vehicleId, bytesMin: TOKEN_BYTES_MIN },
        'a token is too short to be bound',
      );
      return 'refused';
    }
    this.#bindings.fill(this.#monoMs());
    if (!this.#bindings.take()) return 'unavailable';
    const hash = hashToken(token, randomBytes(SALT_BYTES));
    const isBound = await this.#ask(() => this.#options.store.bindToken(vehicleId, hash));
    if (isBound) {
      this.#options.log.info({ vehicleId }, 'a token was bound to a vehicle');
      return 'accepted';
    }
    // Another connection of the same id was first.
    const bound = await this.#boundHash(vehicleId);
    return bound === undefined ? 'unavailable' : this.#compare(vehicleId, bound, token);
  }

  async #boundHash(vehicleId: VehicleId): Promise<string | undefined> {
    const cached = this.#hashes.get(vehicleId);
    if (cached !== undefined) {
      keepNewest(this.#hashes, vehicleId, cached, CACHED_HASHES_MAX);
      return cached;
    }
    const unbindings = this.#unbindings;
    const hash = await this.#ask(() => this.#options.store.tokenHash(vehicleId));
    if (hash !== undefined && unbindings === this.#unbindings) {
      keepNewest(this.#hashes, vehicleId, hash, CACHED_HASHES_MAX);
    }
    return hash;
  }

  async #ask<T>(call: () => Promise<T>): Promise<T> {
    if (this.#storeCalls >= STORE_CALLS_MAX) {
      throw new Error(`${STORE_CALLS_MAX} token checks wait for the store already`);
    }
    this.#storeCalls += 1;
    try {
      return await call();
    } finally {
      this.#storeCalls -= 1;
    }
  }

  #warnOfWrongToken(vehicleId: VehicleId, hasToken: boolean): void {
    const nowMs = this.#monoMs();
    const lines = this.#wrongTokenLines.get(vehicleId) ?? new TokenBucket(WRONG_TOKEN_LINES, nowMs);
    keepNewest(this.#wrongTokenLines, vehicleId, lines, WATCHED_VEHICLES_MAX);
    lines.fill(nowMs);
    if (!lines.take()) return;
    this.#options.log.warn(
      { vehicleId, hasToken },
      'a vehicle id was used without its token; if its owner lost it, unbind it',
    );
  }
}

/** `sha256$<salt>$<digest>`, both base64url. */
function hashToken(token: string, salt: Buffer): string {
  const digest = createHash('sha256').update(salt).update(token, 'utf8').digest('base64url');
  return `sha256$${salt.toString('base64url')}$${digest}`;
}

function isHashOf(hash: string, token: string): boolean {
  const [kind, salt] = hash.split('$');
  if (kind !== 'sha256' || salt === undefined) {
    throw new Error(`a stored token hash is of no known kind: '${kind ?? ''}'`);
  }
  const presented = Buffer.from(hashToken(token, Buffer.from(salt, 'base64url')));
  const bound = Buffer.from(hash);
  return presented.length === bound.length && timingSafeEqual(presented, bound);
}

function keepNewest<K, V>(map: Map<K, V>, key: K, value: V, sizeMax: number): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= sizeMax) return;
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
}
