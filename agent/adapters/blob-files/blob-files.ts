/** The BlobStore port on plain files named by their sha256; a file that has its name is whole, verified and synced. */
import type { BlobRef, Digest, VehicleId } from '@plugpool/proto';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { SharedTable } from '../../core/clients/share.ts';
import type { BlobStore, BlobUpload } from '../../ports.ts';
import { HINT_FULL, StoreError, storeErrorOfFile } from '../../store-error.ts';
import { BlobError } from './blob-error.ts';
import {
  assertDigest,
  blobLayout,
  isDigest,
  makeParent,
  syncDirectory,
  type BlobLayout,
} from './blob-layout.ts';
import { BlobHolders } from './blob-holders.ts';
import { BlobReads } from './blob-reads.ts';
import { assertSize, finishedUpload } from './blob-size.ts';
import { findHeldBlobs, HeldBlobs } from './held-blobs.ts';
import { openPartial, writeWhole, type PartialUpload } from './partial-upload.ts';

export const BLOBS_MAX = 100_000;
/** As many as requests and results may wait for (agent/core/limits.ts): that bound is shared among vehicles, this one is not. */
export const UPLOADS_MAX = 256;
/** An upload that got no byte for this long gives way when there are too many. */
export const UPLOAD_IDLE_MS = 2 * 60 * 1000;

export interface BlobFilesOptions {
  readonly dataDir: string;
  /** Of all blobs and uploads together; an upload counts with the size that it is to have. */
  readonly totalBytesMax: number;
  readonly uploadsMax?: number;
  /** Wall time, ms since 1970. */
  readonly clock?: () => number;
  /** Told of each file that is none of ours. */
  readonly ignored?: (path: string) => void;
}

/** The wall clock of the start, and steady from then on: one that is set forward makes no blob old. */
function steadyWallMs(): number {
  return performance.timeOrigin + performance.now();
}

export function createBlobFiles(options: BlobFilesOptions): BlobStore {
  return new BlobFiles(options);
}

/** An upload of which no client has a handle since the last start. */
interface LeftUpload {
  readonly sizeBytes: number;
  readonly touchedWallMs: number;
}

class BlobFiles implements BlobStore {
  readonly #layout: BlobLayout;
  readonly #totalBytesMax: number;
  readonly #uploadsMax: number;
  readonly #clock: () => number;
  readonly #ignored: (path: string) => void;
  readonly #holders = new BlobHolders();
  #held = new HeldBlobs();
  readonly #uploads = new Map<Digest, Promise<PartialUpload>>();
  readonly #reservedBytes = new Map<Digest, number>();
  readonly #left = new Map<Digest, LeftUpload>();
  /** A file whose removal is under way must not take a new one of the same name with it. */
  readonly #removals = new Map<Digest, Promise<void>>();
  readonly #reads = new BlobReads();
  #puts = 0;
  #started = false;

  constructor(options: BlobFilesOptions) {
    this.#layout = blobLayout(options.dataDir);
    this.#totalBytesMax = options.totalBytesMax;
    this.#uploadsMax = options.uploadsMax ?? UPLOADS_MAX;
    this.#clock = options.clock ?? steadyWallMs;
    this.#ignored = options.ignored ?? (() => undefined);
  }

  async start(): Promise<void> {
    assert.ok(!this.#started, 'the blob store is started already');
    try {
      const made = await mkdir(this.#layout.partial, { recursive: true, mode: 0o700 });
      if (made !== undefined) await syncDirectory(dirname(made));
      this.#held = await findHeldBlobs(this.#layout, this.#ignored);
      await this.#findLeftUploads();
    } catch (error) {
      throw storeErrorOfFile(error, `read the blobs in ${this.#layout.root}`);
    }
    this.#started = true;
  }

  async #findLeftUploads(): Promise<void> {
    for (const name of await readdir(this.#layout.partial)) {
      const path = join(this.#layout.partial, name);
      const { size, mtimeMs } = await stat(path);
      if (isDigest(name)) this.#left.set(name, { sizeBytes: size, touchedWallMs: mtimeMs });
      // A `put` that a crash cut short is begun again by whoever asked for it.
      else if (name.endsWith('.put')) await rm(path, { force: true });
      else this.#ignored(path);
    }
  }

  has(digest: Digest): boolean {
    return this.#touched(digest) !== undefined;
  }

  sizeOf(digest: Digest): number | undefined {
    return this.#touched(digest)?.sizeBytes;
  }

  /** Who asks for a blob is about to need it: until a task that names it is committed, nothing else keeps it from a sweep. */
  #touched(digest: Digest) {
    const blob = this.#held.get(digest);
    if (blob !== undefined) blob.touchedWallMs = this.#clock();
    return blob;
  }

  async read(digest: Digest, start: number, end: number): Promise<Uint8Array> {
    const blob = this.#touched(digest);
    if (blob === undefined) throw new BlobError('unknown', `no blob ${digest} is held`);
    if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start) {
      throw new BlobError('out_of_range', `bytes ${start} to ${end} of ${digest} are no range`);
    }
    const length = Math.min(end, blob.sizeBytes) - start;
    if (length <= 0) return new Uint8Array();
    try {
      return await this.#reads.read(this.#layout.pathOf(digest), start, length);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') this.#held.remove(digest);
      throw storeErrorOfFile(error, `read the blob ${digest}`);
    }
  }

  async put(bytes: Uint8Array): Promise<BlobRef> {
    const digest = createHash('sha256').update(bytes).digest('hex') as Digest;
    const blob = { digest, sizeBytes: bytes.byteLength };
    assertSize(blob);
    await this.#removals.get(digest);
    if (this.has(digest)) return blob;
    const key = `${digest}.${this.#puts}.put` as Digest;
    this.#puts += 1;
    this.#reserve(key, blob);
    try {
      await this.#writePut(join(this.#layout.partial, key), bytes, digest);
      this.#held.add(digest, { sizeBytes: blob.sizeBytes, touchedWallMs: this.#clock() });
      return blob;
    } finally {
      this.#reservedBytes.delete(key);
    }
  }

  async #writePut(temporary: string, bytes: Uint8Array, digest: Digest): Promise<void> {
    const path = this.#layout.pathOf(digest);
    try {
      const file = await open(temporary, 'wx', 0o600);
      try {
        await writeWhole(file, bytes, 0);
        await file.sync();
      } finally {
        await file.close();
      }
      await makeParent(path);
      await rename(temporary, path);
      await syncDirectory(dirname(path));
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw storeErrorOfFile(error, `keep the blob ${digest}`);
    }
  }

  async upload(blob: BlobRef, holder?: VehicleId): Promise<BlobUpload> {
    assert.ok(this.#started, 'start() comes before upload()');
    assertDigest(blob.digest);
    assertSize(blob);
    if (holder !== undefined) {
      const other = this.#holders.of(blob.digest);
      if (other !== undefined && other !== holder) await this.#displace(blob.digest);
      // At once, so that what comes next of the same vehicle sees it.
      if (this.#held.get(blob.digest) === undefined)
        this.#holders.hold(blob.digest, holder, this.#countedBytes(blob.sizeBytes));
    }
    try {
      return await this.#open(blob);
    } catch (error) {
      this.#releaseIfGone(blob.digest);
      throw error;
    }
  }

  async #displace(digest: Digest): Promise<void> {
    const current = await this.#uploads.get(digest)?.catch(() => undefined);
    await current?.abandon();
  }

  async #open(blob: BlobRef): Promise<BlobUpload> {
    await this.#removals.get(blob.digest);
    const held = this.#touched(blob.digest);
    if (held !== undefined) return finishedUpload(blob, held.sizeBytes);
    const current = this.#uploads.get(blob.digest);
    if (current !== undefined) return this.#join(await current, blob);
    return this.#begin(blob);
  }

  async #join(upload: PartialUpload, blob: BlobRef): Promise<BlobUpload> {
    if (upload.blob.sizeBytes === blob.sizeBytes) {
      upload.touch();
      return upload;
    }
    if (!this.#isIdle(upload.touchedWallMs)) {
      const { digest, sizeBytes } = upload.blob;
      throw new BlobError(
        'size_differs',
        `${digest} is being uploaded with ${sizeBytes} bytes, not ${blob.sizeBytes}`,
      );
    }
    await upload.abandon();
    return this.#open(blob);
  }

  #begin(blob: BlobRef): Promise<BlobUpload> {
    const { digest } = blob;
    // Before anything is awaited: a second caller must find the first.
    const begun = this.#makeRoom(digest)
      .then(() => {
        this.#left.delete(digest);
        this.#reserve(digest, blob);
        return openPartial(blob, this.#layout, this.#clock, {
          published: () => {
            this.#held.add(digest, { sizeBytes: blob.sizeBytes, touchedWallMs: this.#clock() });
            this.#forgetUpload(digest);
          },
          dropped: () => this.#forgetUpload(digest),
        });
      })
      .catch((error: unknown) => {
        this.#forgetUpload(digest);
        throw error;
      });
    this.#uploads.set(digest, begun);
    return begun;
  }

  #forgetUpload(digest: Digest): void {
    this.#uploads.delete(digest);
    this.#reservedBytes.delete(digest);
    this.#releaseIfGone(digest);
  }

  /** The number of blobs is bounded too: of that, small ones take more than their bytes. */
  #countedBytes(sizeBytes: number): number {
    return Math.max(sizeBytes, Math.ceil(this.#totalBytesMax / BLOBS_MAX));
  }

  #releaseIfGone(digest: Digest): void {
    if (this.#held.get(digest) === undefined && !this.#uploads.has(digest)) this.#holders.release(digest);
  }

  holderOf(digest: Digest): VehicleId | undefined {
    return this.#holders.of(digest);
  }

  assign(digest: Digest, holder: VehicleId): void {
    const held = this.#held.get(digest);
    if (held !== undefined) this.#holders.hold(digest, holder, this.#countedBytes(held.sizeBytes));
  }

  tableOf(holder: VehicleId): SharedTable {
    const used = this.#holders.bytes;
    const othersBytes = Math.max(0, this.#usedBytes() - used);
    return { max: this.#totalBytesMax - othersBytes, used, own: this.#holders.bytesOf(holder) };
  }

  /** Drops the upload that has been idle for longest, where there is no room for one more. */
  async #makeRoom(digest: Digest): Promise<void> {
    const others = this.#left.size - (this.#left.has(digest) ? 1 : 0);
    if (this.#uploads.size + others < this.#uploadsMax) return;
    const idle = (await this.#uploadsByAge()).find(
      (upload) => upload.digest !== digest && this.#isIdle(upload.touchedWallMs),
    );
    if (idle === undefined) {
      throw new BlobError(
        'too_many_uploads',
        `${this.#uploadsMax} uploads are under way: try again when one is done`,
      );
    }
    await idle.drop();
  }

  async #uploadsByAge() {
    const left = [...this.#left].map(([digest, { sizeBytes, touchedWallMs }]) => ({
      digest,
      touchedWallMs,
      sizeBytes,
      drop: () => this.#dropLeft(digest),
    }));
    const settled = await Promise.allSettled(this.#uploads.values());
    const open = settled
      .filter((result) => result.status === 'fulfilled')
      .map(({ value: upload }) => ({
        digest: upload.blob.digest,
        touchedWallMs: upload.touchedWallMs,
        sizeBytes: upload.nextOffset,
        drop: () => upload.abandon(),
      }));
    return [...left, ...open].sort((a, b) => a.touchedWallMs - b.touchedWallMs);
  }

  async #dropLeft(digest: Digest): Promise<void> {
    this.#left.delete(digest);
    await rm(this.#layout.partialPathOf(digest), { force: true });
  }

  #isIdle(touchedWallMs: number): boolean {
    return this.#clock() - touchedWallMs >= UPLOAD_IDLE_MS;
  }

  #reserve(key: Digest, { digest, sizeBytes }: BlobRef): void {
    const usedBytes = this.#usedBytes();
    if (usedBytes + sizeBytes > this.#totalBytesMax || this.#held.count >= BLOBS_MAX) {
      throw new StoreError(
        'full',
        `the blob ${digest} of ${sizeBytes} bytes does not fit: ${usedBytes} of ${this.#totalBytesMax} bytes are taken, in ${this.#held.count} blobs`,
        { hint: HINT_FULL, retryable: true },
      );
    }
    this.#reservedBytes.set(key, sizeBytes);
  }

  #usedBytes(): number {
    const leftBytes = sum([...this.#left.values()].map((left) => left.sizeBytes));
    return this.#held.bytes + sum(this.#reservedBytes.values()) + leftBytes;
  }

  async sweep(keep: ReadonlySet<Digest>, olderThanMs: number, holder?: VehicleId): Promise<number> {
    const untouchedSinceMs = this.#clock() - olderThanMs;
    let freedBytes = 0;
    for (const digest of this.#held.untouchedSince(untouchedSinceMs)) {
      const blob = this.#held.get(digest);
      // Touched while an earlier file was removed.
      if (keep.has(digest) || blob === undefined || blob.touchedWallMs > untouchedSinceMs) continue;
      if (holder !== undefined && (this.#holders.of(digest) ?? holder) !== holder) continue;
      await this.#remove(digest);
      freedBytes += blob.sizeBytes;
    }
    for (const upload of await this.#uploadsByAge()) {
      if (upload.touchedWallMs > untouchedSinceMs) break;
      if (holder !== undefined && this.#holders.of(upload.digest) !== holder) continue;
      freedBytes += upload.sizeBytes;
      await upload.drop();
    }
    return freedBytes;
  }

  async #remove(digest: Digest): Promise<void> {
    this.#held.remove(digest);
    this.#holders.release(digest);
    const removal = rm(this.#layout.pathOf(digest), { force: true }).finally(() =>
      this.#removals.delete(digest),
    );
    this.#removals.set(digest, removal);
    try {
      await removal;
    } catch (error) {
      throw storeErrorOfFile(error, `remove the blob ${digest}`);
    }
  }

  /** Uploads keep their bytes: they go on after the next start. */
  async stop(): Promise<void> {
    for (const result of await Promise.allSettled(this.#uploads.values())) {
      if (result.status === 'fulfilled') await result.value.suspend();
    }
    this.#uploads.clear();
    this.#reservedBytes.clear();
    this.#left.clear();
    this.#started = false;
  }
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
