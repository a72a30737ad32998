/**
 * The images that the pile deploys to this donor: fetched before they are needed, one at a time, and never in the way of a run.
 *
 * A wish moves: missing → fetching → kept. It is missing again where its fetch fails or where it had to leave the cache, and is
 * then left alone for a while, so that neither a pile that does not have an image nor a cache that is too small is a busy loop.
 */
import type { BlobRef, Deploy, DeployedImage, Digest, RuntimeKind } from '@plugpool/proto';
import { backoffDelaysMs } from './core/backoff.ts';
import { PlugpoolError } from './errors.ts';
import type { BlobPulls } from './blob-pulls.ts';
import type { LendingNow } from './offer-judgement.ts';
import type { BlobCache, Clock, Log } from './ports.ts';

/** Between the tries of one image. */
export const FETCH_BACKOFF = { minMs: 5_000, maxMs: 600_000 };
/** What had to leave the cache is not fetched again before: whatever took its place is in use. */
export const FETCH_AGAIN_AFTER_MS = 60_000;

interface Wish {
  readonly image: BlobRef;
  readonly name: string;
  delays: Iterator<number, never>;
  /** Infinity: not before another deployment. */
  retryAtMonoMs: number;
}

export interface DeployedImagesOptions {
  readonly cache: BlobCache;
  readonly pulls: Pick<BlobPulls, 'pull'>;
  readonly runtimes: { has(kind: RuntimeKind): boolean };
  readonly clock: Clock;
  readonly log: Log;
  lending(): LendingNow;
  /** True while a lease waits for these bytes. */
  isAwaited(digest: Digest): boolean;
  /** Another image is here. */
  fetched(): void;
}

export class DeployedImages {
  readonly #options: DeployedImagesOptions;
  /** Most wanted first. */
  #wishes: readonly Wish[] = [];
  #fetching: Promise<void> | undefined;
  #cancelRetry: (() => void) | undefined;
  #isStopped = false;

  constructor(options: DeployedImagesOptions) {
    this.#options = options;
  }

  /** How many of the images that can be kept here are here. */
  get counts(): { readonly deployed: number; readonly kept: number } {
    return { deployed: this.#wishes.length, kept: this.#wishes.length - this.#missing().length };
  }

  /** Replaces the last deployment. */
  deployed({ images }: Deploy): void {
    const useful = new Map(
      images.filter((image) => this.#isUseful(image)).map((one) => [one.image.digest, one]),
    );
    const earlier = new Map(this.#wishes.map((wish) => [wish.image.digest, wish]));
    const kept = this.#options.cache.prefer(
      [...useful.values()].map(({ image }) => image),
      (digest) => this.#evicted(digest),
    );
    this.#wishes = kept.map(
      ({ digest }) => earlier.get(digest) ?? newWish(useful.get(digest) as DeployedImage),
    );
    this.#options.log.info({ deployed: images.length, kept: kept.length }, 'images deployed to this donor');
    this.wake();
  }

  /** Fetches what is missing and due; nothing while the owner lends nothing. */
  wake(): void {
    if (this.#isStopped || this.#fetching !== undefined || this.#options.lending().lendable === undefined)
      return;
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    const nowMonoMs = this.#options.clock.monoMs();
    const missing = this.#missing();
    const due = missing.find((wish) => wish.retryAtMonoMs <= nowMonoMs);
    if (due !== undefined) this.#fetching = this.#fetch(due);
    else this.#wakeAt(Math.min(...missing.map((wish) => wish.retryAtMonoMs)), nowMonoMs);
  }

  /** Resolves when nothing is written any more; what is being pulled must be ended by who owns the pulls. */
  stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelRetry?.();
    return this.#fetching ?? Promise.resolve();
  }

  #isUseful({ runtime, algorithmId }: DeployedImage): boolean {
    const { allowedAlgorithms } = this.#options.lending();
    const isAllowed = allowedAlgorithms.length === 0 || allowedAlgorithms.includes(algorithmId);
    return isAllowed && this.#options.runtimes.has(runtime);
  }

  #missing(): readonly Wish[] {
    return this.#wishes.filter((wish) => !this.#options.cache.isVerified(wish.image.digest));
  }

  #wakeAt(atMonoMs: number, nowMonoMs: number): void {
    if (atMonoMs === Infinity) return;
    this.#cancelRetry = this.#options.clock.setTimer(atMonoMs - nowMonoMs, () => this.wake());
  }

  async #fetch(wish: Wish): Promise<void> {
    const { cache, log } = this.#options;
    try {
      await cache.pin(wish.image, () => this.#pull(wish.image));
      cache.unpin(wish.image.digest);
      wish.delays = newDelays();
      log.info({ image: wish.image.digest, algorithm: wish.name }, 'a deployed image is here');
      this.#options.fetched();
    } catch (error) {
      this.#failed(wish, error);
    }
    this.#fetching = undefined;
    this.wake();
  }

  #pull(image: BlobRef): Promise<Uint8Array> {
    return this.#options.pulls.pull(image, this.#options.isAwaited(image.digest) ? 'awaited' : 'ahead');
  }

  #failed(wish: Wish, error: unknown): void {
    if (this.#isStopped) return;
    const canRetry = !(error instanceof PlugpoolError) || error.retryable;
    const retryInMs = canRetry ? wish.delays.next().value : Infinity;
    wish.retryAtMonoMs = this.#options.clock.monoMs() + retryInMs;
    this.#options.log.warn(
      { algorithm: wish.name, retryInMs, err: error },
      'a deployed image was not fetched',
    );
  }

  #evicted(digest: Digest): void {
    const wish = this.#wishes.find(({ image }) => image.digest === digest);
    if (wish === undefined) return;
    wish.retryAtMonoMs = this.#options.clock.monoMs() + FETCH_AGAIN_AFTER_MS;
    this.wake();
  }
}

function newWish({ image, algorithmId, version }: DeployedImage): Wish {
  return { image, name: `${algorithmId}@${version}`, delays: newDelays(), retryAtMonoMs: 0 };
}

function newDelays(): Iterator<number, never> {
  return backoffDelaysMs(Math.random, FETCH_BACKOFF);
}
