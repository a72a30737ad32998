/**
 * Pulls large bytes from the pile in chunks: a window of them asked for at a time, taken up again where a lost connection cut
 * them, verified against the digest before anybody sees them. A pull for later pauses while anything is pulled that somebody
 * waits for.
 */
import { createHash, type Hash } from 'node:crypto';
import { CHUNK_WINDOW, type BlobChunk, type BlobRef, type BlobRefused, type Digest } from '@plugpool/proto';
import { PlugpoolError } from './errors.ts';
import type { Conversation } from './conversation.ts';
import type { Clock } from './ports.ts';

/** Bytes of all awaited pulls that run at once, and of one for later beside them; the others wait their turn. */
export const PULLING_BYTES_MAX = 128 * 1024 * 1024;
/** Chunks asked for of a pull for later: a lease that comes meanwhile has no more than these before its own. */
export const CHUNK_WINDOW_AHEAD = 2;
/** Pulls that run or wait. */
export const PULLS_MAX = 1024;
/** A chunk that does not come in this time is asked for again … */
export const CHUNK_TIMEOUT_MS = 10_000;
/** … so many times while connected, then the pull fails. */
export const CHUNK_TRIES_MAX = 3;

/** Whether somebody waits for the bytes, or only may want them later. */
export type PullUrgency = 'awaited' | 'ahead';

/** What pulls need of a conversation. */
export type PullingConversation = Pick<Conversation, 'welcome' | 'nextCorrelationId' | 'post'>;

interface AskedChunk {
  readonly offset: number;
  readonly length: number;
  readonly askedMonoMs: number;
  readonly tries: number;
}

interface Pull {
  readonly blob: BlobRef;
  urgency: PullUrgency;
  readonly hash: Hash;
  /** Allocated when its turn comes. */
  bytes: Buffer | undefined;
  /** Everything before this is here and hashed. */
  hashedTo: number;
  /** Everything before this was asked for at least once. */
  askedTo: number;
  /** Chunks that came before one that precedes them: offset → end. */
  readonly ahead: Map<number, number>;
  /** By correlation id. */
  readonly asked: Map<number, AskedChunk>;
  readonly done: PromiseWithResolvers<Uint8Array>;
}

export class BlobPulls {
  readonly #conversation: PullingConversation;
  readonly #clock: Clock;
  readonly #running = new Map<Digest, Pull>();
  readonly #waiting = new Map<Digest, Pull>();
  readonly #byCorrelation = new Map<number, Pull>();
  /** Of awaited pulls, as the next. */
  #runningBytes = 0;
  #awaitedCount = 0;
  #cancelTick: (() => void) | undefined;

  constructor(conversation: PullingConversation, clock: Clock) {
    this.#conversation = conversation;
    this.#clock = clock;
  }

  /** The verified bytes. Whoever asks for the same blob meanwhile shares the pull. */
  pull(blob: BlobRef, urgency: PullUrgency = 'awaited'): Promise<Uint8Array> {
    const known = this.#running.get(blob.digest) ?? this.#waiting.get(blob.digest);
    if (known !== undefined) {
      if (urgency === 'awaited') this.hurry(blob.digest);
      return known.done.promise;
    }
    const bytesMax = this.#conversation.welcome?.blobBytesMax ?? PULLING_BYTES_MAX;
    if (blob.sizeBytes > bytesMax) {
      return Promise.reject(
        pullError(blob, 'blob_too_large', `it has ${blob.sizeBytes} bytes, more than ${bytesMax}`),
      );
    }
    if (this.#running.size + this.#waiting.size >= PULLS_MAX) {
      return Promise.reject(
        pullError(blob, 'too_many_pulls', `${PULLS_MAX} transfers are already under way`),
      );
    }
    const pull: Pull = {
      blob,
      urgency,
      hash: createHash('sha256'),
      bytes: undefined,
      hashedTo: 0,
      askedTo: 0,
      ahead: new Map(),
      asked: new Map(),
      done: Promise.withResolvers(),
    };
    this.#waiting.set(blob.digest, pull);
    if (urgency === 'awaited') this.#awaitedCount += 1;
    this.#startWaiting();
    return pull.done.promise;
  }

  /** Somebody waits now for what was pulled for later; nothing where it is not being pulled. */
  hurry(digest: Digest): void {
    const running = this.#running.get(digest);
    const pull = running ?? this.#waiting.get(digest);
    if (pull === undefined || pull.urgency === 'awaited') return;
    pull.urgency = 'awaited';
    this.#awaitedCount += 1;
    if (running === undefined) return this.#startWaiting();
    this.#runningBytes += running.blob.sizeBytes;
    this.#askMore(running);
  }

  chunk(correlationId: number, chunk: BlobChunk): void {
    const pull = this.#byCorrelation.get(correlationId);
    const asked = pull?.asked.get(correlationId);
    if (pull === undefined || asked === undefined || pull.bytes === undefined) return;
    this.#forgetAsked(pull, correlationId);
    const isWhatWasAsked =
      chunk.digest === pull.blob.digest &&
      chunk.offset === asked.offset &&
      chunk.sizeBytes === pull.blob.sizeBytes &&
      chunk.data.length > 0 &&
      chunk.data.length <= asked.length;
    if (!isWhatWasAsked) {
      this.#fail(pull, 'chunk_wrong', `the pile answered bytes ${asked.offset}+${asked.length} with others`);
      return;
    }
    pull.bytes.set(chunk.data, chunk.offset);
    this.#advance(pull, chunk.offset, chunk.offset + chunk.data.length);
    const missing = asked.length - chunk.data.length;
    if (missing > 0) this.#ask(pull, chunk.offset + chunk.data.length, missing, 1);
    if (pull.hashedTo === pull.blob.sizeBytes) this.#finish(pull);
    else this.#askMore(pull);
  }

  refused(correlationId: number, refusal: BlobRefused): void {
    const pull = this.#byCorrelation.get(correlationId);
    if (pull !== undefined) this.#fail(pull, refusal.code || 'blob_refused', refusal.detail);
  }

  /** After each welcome: asks again for everything that was under way. */
  connected(): void {
    for (const pull of this.#running.values()) {
      const open = [...pull.asked.values()];
      for (const correlationId of [...pull.asked.keys()]) this.#forgetAsked(pull, correlationId);
      for (const asked of open) this.#ask(pull, asked.offset, asked.length, 1);
      this.#askMore(pull);
    }
  }

  /** Nobody will answer any more: every pull fails. */
  stop(): void {
    this.#cancelTick?.();
    this.#cancelTick = undefined;
    for (const pull of [...this.#running.values(), ...this.#waiting.values()]) {
      this.#fail(pull, 'closed', 'the client was closed');
    }
  }

  #startWaiting(): void {
    for (const pull of this.#waiting.values()) {
      if (pull.urgency === 'ahead') continue;
      if (this.#runningBytes > 0 && this.#runningBytes + pull.blob.sizeBytes > PULLING_BYTES_MAX) return;
      this.#runningBytes += pull.blob.sizeBytes;
      this.#start(pull);
    }
    if (this.#awaitedCount === 0) this.#goOnAhead();
  }

  /** One at a time: what is fetched for later is not worth the memory of several. */
  #goOnAhead(): void {
    const isAhead = (pull: Pull): boolean => pull.urgency === 'ahead';
    const running = [...this.#running.values()].find(isAhead);
    if (running !== undefined) return this.#askMore(running);
    const next = [...this.#waiting.values()].find(isAhead);
    if (next !== undefined) this.#start(next);
  }

  #start(pull: Pull): void {
    const { digest, sizeBytes } = pull.blob;
    this.#waiting.delete(digest);
    this.#running.set(digest, pull);
    pull.bytes = Buffer.allocUnsafe(sizeBytes);
    if (sizeBytes === 0) this.#finish(pull);
    else this.#askMore(pull);
  }

  #askMore(pull: Pull): void {
    const welcome = this.#conversation.welcome;
    if (welcome === undefined || (pull.urgency === 'ahead' && this.#awaitedCount > 0)) return;
    const window = pull.urgency === 'ahead' ? CHUNK_WINDOW_AHEAD : CHUNK_WINDOW;
    while (pull.asked.size < window && pull.askedTo < pull.blob.sizeBytes) {
      const length = Math.min(welcome.chunkBytesMax, pull.blob.sizeBytes - pull.askedTo);
      this.#ask(pull, pull.askedTo, length, 1);
      pull.askedTo += length;
    }
  }

  #ask(pull: Pull, offset: number, length: number, tries: number): void {
    const correlationId = this.#conversation.nextCorrelationId();
    pull.asked.set(correlationId, { offset, length, askedMonoMs: this.#clock.monoMs(), tries });
    this.#byCorrelation.set(correlationId, pull);
    this.#conversation.post({ kind: 'blobPull', digest: pull.blob.digest, offset, length }, correlationId);
    this.#cancelTick ??= this.#clock.setTimer(CHUNK_TIMEOUT_MS / 4, () => this.#tick());
  }

  #forgetAsked(pull: Pull, correlationId: number): void {
    pull.asked.delete(correlationId);
    this.#byCorrelation.delete(correlationId);
  }

  /** Hashes as far as the bytes are here without a gap, so that no large blob is hashed in one go at its end. */
  #advance(pull: Pull, offset: number, end: number): void {
    pull.ahead.set(offset, end);
    for (;;) {
      const next = pull.ahead.get(pull.hashedTo);
      if (next === undefined) return;
      pull.ahead.delete(pull.hashedTo);
      pull.hash.update((pull.bytes as Buffer).subarray(pull.hashedTo, next));
      pull.hashedTo = next;
    }
  }

  #finish(pull: Pull): void {
    if (pull.hash.digest('hex') !== pull.blob.digest) {
      this.#fail(pull, 'digest_mismatch', 'its bytes hash to something else');
      return;
    }
    const bytes = pull.bytes as Buffer;
    this.#end(pull);
    pull.done.resolve(bytes);
    this.#startWaiting();
  }

  #fail(pull: Pull, code: string, detail: string): void {
    this.#end(pull);
    pull.done.reject(pullError(pull.blob, code, detail));
    this.#startWaiting();
  }

  #end(pull: Pull): void {
    for (const correlationId of [...pull.asked.keys()]) this.#forgetAsked(pull, correlationId);
    const { digest, sizeBytes } = pull.blob;
    const wasKnown = this.#waiting.has(digest) || this.#running.has(digest);
    const wasRunning = this.#running.delete(digest);
    this.#waiting.delete(digest);
    pull.bytes = undefined;
    if (pull.urgency === 'ahead' || !wasKnown) return;
    this.#awaitedCount -= 1;
    if (wasRunning) this.#runningBytes -= sizeBytes;
  }

  #tick(): void {
    this.#cancelTick = undefined;
    const overdueMonoMs = this.#clock.monoMs() - CHUNK_TIMEOUT_MS;
    const isConnected = this.#conversation.welcome !== undefined;
    for (const pull of [...this.#running.values()]) {
      if (isConnected) this.#askOverdue(pull, overdueMonoMs);
    }
    if (this.#running.size > 0)
      this.#cancelTick ??= this.#clock.setTimer(CHUNK_TIMEOUT_MS / 4, () => this.#tick());
  }

  #askOverdue(pull: Pull, overdueMonoMs: number): void {
    for (const [correlationId, asked] of [...pull.asked]) {
      if (asked.askedMonoMs > overdueMonoMs) continue;
      this.#forgetAsked(pull, correlationId);
      if (asked.tries >= CHUNK_TRIES_MAX) {
        this.#fail(
          pull,
          'timeout',
          `no answer for bytes ${asked.offset}+${asked.length} after ${asked.tries} tries`,
        );
        return;
      }
      this.#ask(pull, asked.offset, asked.length, asked.tries + 1);
    }
  }
}

function pullError(blob: BlobRef, code: string, detail: string): PlugpoolError {
  return new PlugpoolError({
    code,
    message: `could not fetch ${blob.digest.slice(0, 12)}… from the pile: ${detail}`,
    hint: 'ask again; if it stays so, the pile no longer has these bytes',
    retryable: code !== 'blob_too_large',
  });
}
