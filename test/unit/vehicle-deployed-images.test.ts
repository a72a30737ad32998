/** When a donor fetches the images that the pile deploys to it, in which order, and how it behaves where it cannot. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { AlgorithmId, BlobRef, Deploy, DeployedImage, Digest } from '@plugpool/proto';
import {
  DeployedImages,
  FETCH_AGAIN_AFTER_MS,
  FETCH_BACKOFF,
  type DeployedImagesOptions,
} from '../../vehicle-client/deployed-images.ts';
import { PlugpoolError } from '../../vehicle-client/errors.ts';
import type { BlobCache, Clock } from '../../vehicle-client/ports.ts';
import { SILENT_LOG } from '../../vehicle-client/sdk.ts';
import { refOf } from '../integration/vehicle-scripted-pile.ts';

const CAPACITY = { cpuMillicores: 1000, memoryMib: 1000, gpus: [] };

/** Stands still until it is told to go on. */
class ToldClock implements Clock {
  #nowMs = 0;
  readonly #timers = new Map<symbol, { atMs: number; callback: () => void }>();

  monoMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  localTime(): ReturnType<Clock['localTime']> {
    return { weekday: 'mon', minuteOfDay: 0 };
  }

  setTimer(delayMs: number, callback: () => void): () => void {
    const timer = Symbol('timer');
    this.#timers.set(timer, { atMs: this.#nowMs + delayMs, callback });
    return () => void this.#timers.delete(timer);
  }

  get timers(): number {
    return this.#timers.size;
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    for (const [timer, { atMs, callback }] of [...this.#timers]) {
      if (atMs > this.#nowMs) continue;
      this.#timers.delete(timer);
      callback();
    }
  }
}

/** Keeps what it is given, and lets go of what a test takes. */
class MemoryCache implements BlobCache {
  readonly here = new Set<Digest>();
  #evicted: (digest: Digest) => void = () => undefined;

  start(): Promise<void> {
    return Promise.resolve();
  }

  pinVerified(digest: Digest): string | undefined {
    return this.here.has(digest) ? digest : undefined;
  }

  async pin(blob: BlobRef, fetch: () => Promise<Uint8Array>): Promise<string> {
    await fetch();
    this.here.add(blob.digest);
    return blob.digest;
  }

  unpin(): void {}

  isVerified(digest: Digest): boolean {
    return this.here.has(digest);
  }

  prefer(blobs: readonly BlobRef[], evicted: (digest: Digest) => void): readonly BlobRef[] {
    this.#evicted = evicted;
    return blobs;
  }

  digests(): readonly Digest[] {
    return [...this.here];
  }

  evict(digest: Digest): void {
    this.here.delete(digest);
    this.#evicted(digest);
  }
}

interface Asked {
  readonly digest: Digest;
  readonly urgency: string;
  readonly come: () => Promise<void>;
  readonly fail: (retryable: boolean) => Promise<void>;
}

/** Everything that was asked for and not yet answered is in `asked`, the latest last. */
function scene(over: Partial<DeployedImagesOptions> = {}) {
  const clock = new ToldClock();
  const cache = new MemoryCache();
  const asked: Asked[] = [];
  const reports: number[] = [];
  const told = { lends: true };
  const pull = (blob: BlobRef, urgency = 'awaited'): Promise<Uint8Array> => {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const over = async (end: () => void): Promise<void> => {
      asked.splice(
        asked.findIndex(({ digest }) => digest === blob.digest),
        1,
      );
      end();
      // Every promise that hangs on this one settles within one turn.
      await new Promise((turn) => setImmediate(turn));
    };
    asked.push({
      digest: blob.digest,
      urgency,
      come: () => over(() => resolve(new Uint8Array())),
      fail: (retryable) =>
        over(() => reject(new PlugpoolError({ code: 'blob_unknown', message: 'no', hint: 'no', retryable }))),
    });
    return promise;
  };
  const images = new DeployedImages({
    cache,
    pulls: { pull },
    runtimes: new Set(['wasm', 'echo']),
    clock,
    log: SILENT_LOG,
    lending: () => ({ lendable: told.lends ? CAPACITY : undefined, reason: '', allowedAlgorithms: [] }),
    isAwaited: () => false,
    fetched: () => reports.push(clock.monoMs()),
    ...over,
  });
  return { images, clock, cache, asked, reports, told };
}

function imageOf(name: string, over: Partial<DeployedImage> = {}): DeployedImage {
  const image = refOf(randomBytes(32));
  return { algorithmId: name as AlgorithmId, version: '1', runtime: 'wasm', image, ...over };
}

function deploy(...images: readonly DeployedImage[]): Deploy {
  return { kind: 'deploy', images };
}

test('images come one at a time, the most wanted first, and each is reported', async () => {
  const { images, asked, reports, clock } = scene();
  const [a, b] = [imageOf('a'), imageOf('b')];
  images.deployed(deploy(a, b));
  assert.deepEqual(
    asked.map(({ digest, urgency }) => [digest, urgency]),
    [[a.image.digest, 'ahead']],
  );
  await asked[0]?.come();
  assert.deepEqual(
    asked.map(({ digest }) => digest),
    [b.image.digest],
  );
  await asked[0]?.come();
  assert.deepEqual([asked.length, reports.length, clock.timers], [0, 2, 0]);
  assert.deepEqual(images.counts, { deployed: 2, kept: 2 });
});

test('what could not run here is not fetched', () => {
  const allowed = { lendable: CAPACITY, reason: '', allowedAlgorithms: ['a', 'b'] };
  const { images, asked } = scene({ lending: () => allowed });
  images.deployed(deploy(imageOf('a', { runtime: 'onnx' }), imageOf('c'), imageOf('b')));
  assert.equal(asked.length, 1);
  assert.deepEqual(images.counts, { deployed: 1, kept: 0 });
});

test('a new deployment replaces the old wishes, and what is under way comes to its end', async () => {
  const { images, asked } = scene();
  const [a, b, c] = [imageOf('a'), imageOf('b'), imageOf('c')];
  images.deployed(deploy(a, b));
  images.deployed(deploy(c));
  assert.equal(asked.length, 1);
  await asked[0]?.come();
  assert.deepEqual(
    asked.map(({ digest }) => digest),
    [c.image.digest],
  );
});

test('a failed fetch lets the others go first and is tried again later and later', async () => {
  const { images, asked, clock } = scene();
  const [a, b] = [imageOf('a'), imageOf('b')];
  images.deployed(deploy(a, b));
  await asked.at(0)?.fail(true);
  assert.equal(asked.at(0)?.digest, b.image.digest);
  await asked.at(0)?.come();
  assert.equal(asked.length, 0);
  clock.advance(FETCH_BACKOFF.minMs - 1);
  assert.equal(asked.length, 0, 'not before the shortest delay');
  let tries = 0;
  for (let second = 0; second < 3600; second++) {
    clock.advance(1000);
    tries += asked.length;
    await asked.at(0)?.fail(true);
  }
  assert.ok(tries >= 4 && tries < 40, `${tries} tries in an hour`);
});

test('the same wish deployed again does not start its delays anew', async () => {
  const { images, asked } = scene();
  const a = imageOf('a');
  images.deployed(deploy(a));
  await asked[0]?.fail(true);
  for (let i = 0; i < 10; i++) images.deployed(deploy(a));
  assert.equal(asked.length, 0);
});

test('what can never come is not asked for again before another deployment', async () => {
  const { images, asked, clock } = scene();
  images.deployed(deploy(imageOf('a')));
  await asked[0]?.fail(false);
  assert.deepEqual([asked.length, clock.timers], [0, 0]);
});

test('what had to leave the cache comes back, and not at once', async () => {
  const { images, asked, clock, cache } = scene();
  const a = imageOf('a');
  images.deployed(deploy(a));
  await asked[0]?.come();
  cache.evict(a.image.digest);
  assert.equal(asked.length, 0);
  clock.advance(FETCH_AGAIN_AFTER_MS);
  assert.equal(asked[0]?.digest, a.image.digest);
});

test('nothing is fetched while the owner lends nothing', () => {
  const { images, asked, told } = scene();
  told.lends = false;
  images.deployed(deploy(imageOf('a')));
  assert.equal(asked.length, 0);
  told.lends = true;
  images.wake();
  assert.equal(asked.length, 1);
});

test('after a stop nothing is asked for any more', async () => {
  const { images, asked, clock } = scene();
  images.deployed(deploy(imageOf('a'), imageOf('b')));
  const stopped = images.stop();
  await asked[0]?.fail(true);
  await stopped;
  clock.advance(FETCH_BACKOFF.maxMs);
  assert.deepEqual([asked.length, clock.timers], [0, 0]);
});
