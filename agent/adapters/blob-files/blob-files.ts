/** The BlobStore port on plain files named by their sha256; a file that has its name is whole, verified and synced. */
import type { BlobRef, Digest, VehicleId } from '@plugpool/proto';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { SharedTable } from '../../core/clients/share.ts';
import type { BlobStore, BlobUpload, BlobUsage, SpareBlob } from '../../ports.ts';
import { HINT_FULL, StoreError, storeErrorOfFile } from '../../store-error.ts';
import { BlobError } from './blob-error.ts';
import { assertDigest, blobLayout, syncDirectory, type BlobLayout } from './blob-layout.ts';
import { BlobHolders } from './blob-holders.ts';
import { BlobReads } from './blob-reads.ts';
import { assertSize, finishedUpload } from './blob-size.ts';
import { DiskLimit } from './disk-limit.ts';
import { findHeldBlobs, HeldBlobs } from './held-blobs.ts';
import { LeftUploads } from './left-uploads.ts';
import { openPartial, type PartialUpload } from './partial-upload.ts';
import { putFile } from './put-file.ts';

export const BLOBS_MAX = 100_000;
/** As many as requests and results may wait for (agent/core/limits.ts): that bound is shared among vehicles, this one is not. */
export const UPLOADS_MAX = 256;
/** An upload that got no byte for this long gives way when there are too many. */
export const UPLOAD_IDLE_MS = 2 * 60 * 1000;

export interface BlobFilesOptions {
  readonly dataDir: string;
  /** Of all blobs and uploads together; an upload counts with the size that it is to have. */
  readonly totalBytesMax: number;
  /** Of the disk, for the store beside them; 0, the default: the disk is not looked at. */
  readonly keepFreeBytes?: number;
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
  /** Of uploads that are under way. */
  readonly #writtenBytes = new Map<Digest, number>();
  readonly #left: LeftUploads;
  readonly #disk: DiskLimit;
  /** A file whose removal is under way must not take a new one of the same name with it. */
  readonly #removals = new Map<Digest, Promise<void>>();
  readonly #reads = new BlobReads();
  #puts = 0;
  #started = false;

  constructor(options: BlobFilesOptions) {
    this.#layout = blobLayout(options.dataDir);
    this.#left = new LeftUploads(this.#layout);
    this.#disk = new DiskLimit(this.#layout.root, options.keepFreeBytes ?? 0);
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
      this.#held = await findHeldBlobs(this.#layout, this.#clock(), this.#ignored);
      await this.#left.find(this.#ignored);
    } catch (error) {
      throw storeErrorOfFile(error, `read the blobs in ${this.#layout.root}`);
    }
    this.#started = true;
    await this.lookAtDisk();
  }

  has(digest: Digest): boolean {
    return this.#touched(digest) !== undefined;
  }

  sizeOf(digest: Digest): number | undefined {
    return this.#touched(digest)?.sizeBytes;
  }

  /** Who asks for a blob is about to need it: until a task that names it is committed, nothing else keeps it from a sweep. */
  #touched(digest: Digest) {
    return this.#held.touch(digest, this.#clock());
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
      await putFile(this.#layout, join(this.#layout.partial, key), bytes, digest);
      this.#held.add(digest, { sizeBytes: blob.sizeBytes, touchedWallMs: this.#clock() });
      return blob;
    } finally {
      this.#reservedBytes.delete(key);
    }
  }

  async upload(blob: BlobRef, holder?: VehicleId, spareBytes = 0): Promise<BlobUpload> {
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
      return await this.#open(blob, spareBytes);
    } catch (error) {
      this.#releaseIfGone(blob.digest);
      throw error;
    }
  }

  async #displace(digest: Digest): Promise<void> {
    const current = await this.#uploads.get(digest)?.catch(() => undefined);
    await current?.abandon();
  }

  async #open(blob: BlobRef, spareBytes: number): Promise<BlobUpload> {
    await this.#removals.get(blob.digest);
    const held = this.#touched(blob.digest);
    if (held !== undefined) return finishedUpload(blob, held.sizeBytes);
    const current = this.#uploads.get(blob.digest);
    if (current !== undefined) return this.#join(await current, blob, spareBytes);
    return this.#begin(blob, spareBytes);
  }

  async #join(upload: PartialUpload, blob: BlobRef, spareBytes: number): Promise<BlobUpload> {
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
    return this.#open(blob, spareBytes);
  }

  #begin(blob: BlobRef, spareBytes: number): Promise<BlobUpload> {
    const { digest } = blob;
    // Before anything is awaited: a second caller must find the first.
    const begun = this.#makeRoom(digest)
      .then(() => {
        this.#left.forget(digest);
        this.#reserve(digest, blob, spareBytes);
        return openPartial(blob, this.#layout, this.#clock, {
          wrote: (bytes) => this.#writtenBytes.set(digest, bytes),
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
    this.#writtenBytes.delete(digest);
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
    return { max: this.#maxBytes() - othersBytes, used, own: this.#holders.bytesOf(holder) };
  }

  /** Drops the upload that has been idle for longest, where there is no room for one more. */
  async #makeRoom(digest: Digest): Promise<void> {
    if (this.#uploads.size + this.#left.countWithout(digest) < this.#uploadsMax) return;
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
    const settled = await Promise.allSettled(this.#uploads.values());
    const open = settled
      .filter((result) => result.status === 'fulfilled')
      .map(({ value: upload }) => ({
        digest: upload.blob.digest,
        touchedWallMs: upload.touchedWallMs,
        sizeBytes: upload.nextOffset,
        drop: () => upload.abandon(),
      }));
    return [...this.#left.list(), ...open].sort((a, b) => a.touchedWallMs - b.touchedWallMs);
  }

  #isIdle(touchedWallMs: number): boolean {
    return this.#clock() - touchedWallMs >= UPLOAD_IDLE_MS;
  }

  #reserve(key: Digest, { digest, sizeBytes }: BlobRef, spareBytes = 0): void {
    const usedBytes = this.#usedBytes();
    const maxBytes = this.#maxBytes();
    if (usedBytes + sizeBytes > maxBytes + spareBytes) {
      throw new StoreError(
        'full',
        `the blob ${digest} of ${sizeBytes} bytes does not fit: ${usedBytes} of ${maxBytes} bytes are taken, in ${this.#held.count} blobs`,
        { hint: HINT_FULL, retryable: true },
      );
    }
    this.#reservedBytes.set(key, sizeBytes);
  }

  #usedBytes(): number {
    return this.#heldBytes() + sum(this.#reservedBytes.values());
  }

  /** Of both bounds, bytes and number, the one that is nearer; with what an earlier run left. */
  #heldBytes(): number {
    return Math.max(this.#held.bytes, this.#held.count * this.#countedBytes(0)) + this.#left.bytes;
  }

  #maxBytes(): number {
    return Math.min(this.#totalBytesMax, this.#disk.blobBytesMax);
  }

  usage(): BlobUsage {
    const { free } = this.#disk;
    const writtenBytes = this.#heldBytes() + sum(this.#writtenBytes.values());
    const usage = { maxBytes: this.#maxBytes(), usedBytes: this.#usedBytes(), writtenBytes };
    return free === undefined ? usage : { ...usage, disk: free };
  }

  async lookAtDisk(): Promise<void> {
    await this.#disk.look(this.#held.bytes + this.#left.bytes + sum(this.#writtenBytes.values()));
  }

  async spare(keep: ReadonlySet<Digest>, olderThanMs: number): Promise<readonly SpareBlob[]> {
    const untouchedSinceMs = this.#clock() - olderThanMs;
    const uploads = (await this.#uploadsByAge()).filter((each) => each.touchedWallMs <= untouchedSinceMs);
    const spare: SpareBlob[] = [];
    for (const [digest, { sizeBytes, touchedWallMs }] of this.#held.untouchedSince(untouchedSinceMs))
      if (!keep.has(digest)) spare.push(this.#spareOf(digest, sizeBytes, touchedWallMs));
    if (uploads.length === 0) return spare;
    for (const { digest, sizeBytes, touchedWallMs } of uploads)
      spare.push(this.#spareOf(digest, sizeBytes, touchedWallMs));
    return spare.sort((a, b) => a.touchedWallMs - b.touchedWallMs);
  }

  #spareOf(digest: Digest, sizeBytes: number, touchedWallMs: number): SpareBlob {
    const holding = this.#holders.holdingOf(digest);
    const countedBytes = holding?.bytes ?? this.#reservedBytes.get(digest) ?? this.#countedBytes(sizeBytes);
    return { digest, holder: holding?.holder, sizeBytes, countedBytes, touchedWallMs };
  }

  async letGo({ digest, touchedWallMs, sizeBytes }: SpareBlob): Promise<number> {
    const held = this.#held.get(digest);
    if (held !== undefined) {
      if (held.touchedWallMs !== touchedWallMs) return 0;
      await this.#remove(digest);
      return sizeBytes;
    }
    const upload = (await this.#uploadsByAge()).find((each) => each.digest === digest);
    if (upload?.touchedWallMs !== touchedWallMs) return 0;
    await upload.drop();
    return sizeBytes;
  }

  async sweep(keep: ReadonlySet<Digest>, olderThanMs: number): Promise<number> {
    let freedBytes = 0;
    for (const each of await this.spare(keep, olderThanMs)) freedBytes += await this.letGo(each);
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
    this.#writtenBytes.clear();
    this.#left.clear();
    this.#started = false;
  }
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
