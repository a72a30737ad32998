/** One upload: chunks in order into a partial file, hashed as they come, published under its digest when whole. */
import type { BlobRef } from '@plugpool/proto';
import { createHash, type Hash } from 'node:crypto';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { BlobUpload } from '../../ports.ts';
import { StoreError, storeErrorOfFile } from '../../store-error.ts';
import { BlobError } from './blob-error.ts';
import { makeParent, syncDirectory, type BlobLayout } from './blob-layout.ts';

const REHASH_BYTES = 1024 * 1024;

/** What the blob store does as an upload goes on, and when it comes to an end. */
export interface UploadNews {
  /** So many bytes of it are on the disk. */
  wrote(bytes: number): void;
  published(): void;
  dropped(): void;
}

export class PartialUpload implements BlobUpload {
  readonly blob: BlobRef;
  readonly #layout: BlobLayout;
  readonly #clock: () => number;
  readonly #news: UploadNews;
  readonly #file: FileHandle;
  readonly #hash: Hash;
  #nextOffset: number;
  #touchedWallMs: number;
  #state: 'open' | 'published' | 'closed' = 'open';
  /** One operation at a time: two clients may send the same blob. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    blob: BlobRef,
    parts: {
      readonly layout: BlobLayout;
      readonly clock: () => number;
      readonly news: UploadNews;
      readonly file: FileHandle;
      readonly hash: Hash;
      readonly nextOffset: number;
    },
  ) {
    this.blob = blob;
    this.#layout = parts.layout;
    this.#clock = parts.clock;
    this.#news = parts.news;
    this.#file = parts.file;
    this.#hash = parts.hash;
    this.#nextOffset = parts.nextOffset;
    this.#touchedWallMs = parts.clock();
  }

  get nextOffset(): number {
    return this.#nextOffset;
  }

  get touchedWallMs(): number {
    return this.#touchedWallMs;
  }

  touch(): void {
    this.#touchedWallMs = this.#clock();
  }

  write(offset: number, data: Uint8Array): Promise<void> {
    return this.#inTurn(() => this.#write(offset, data));
  }

  async #write(offset: number, data: Uint8Array): Promise<void> {
    this.#assertOpen();
    this.#assertNext(offset, data.byteLength);
    try {
      await writeWhole(this.#file, data, offset);
    } catch (error) {
      throw storeErrorOfFile(error, `write the upload of ${this.blob.digest}`);
    }
    // Only now: after a failed write the same chunk can be written again.
    this.#hash.update(data);
    this.#nextOffset += data.byteLength;
    this.#news.wrote(this.#nextOffset);
    this.touch();
  }

  #assertNext(offset: number, length: number): void {
    const { digest, sizeBytes } = this.blob;
    if (!Number.isSafeInteger(offset) || offset < 0 || offset + length > sizeBytes) {
      throw new BlobError(
        'out_of_range',
        `bytes ${offset} to ${offset + length} of ${digest}: it has ${sizeBytes}`,
      );
    }
    if (offset !== this.#nextOffset) {
      throw new BlobError('out_of_order', `byte ${offset} of ${digest}: byte ${this.#nextOffset} comes next`);
    }
  }

  finish(): Promise<void> {
    return this.#inTurn(() => this.#finish());
  }

  async #finish(): Promise<void> {
    // Two clients that share an upload both finish it.
    if (this.#state === 'published') return;
    this.#assertOpen();
    const { digest, sizeBytes } = this.blob;
    if (this.#nextOffset !== sizeBytes) {
      throw new BlobError('incomplete', `${digest} has ${this.#nextOffset} of ${sizeBytes} bytes`);
    }
    const found = this.#hash.digest('hex');
    if (found !== digest) {
      await this.#drop();
      throw new BlobError(
        'digest_mismatch',
        `the bytes sent as ${digest} hash to ${found}; they were removed`,
      );
    }
    try {
      await this.#publish();
    } catch (error) {
      // After a failed sync nobody knows what is on disk: start over.
      await this.#drop();
      throw storeErrorOfFile(error, `publish the blob ${digest}`);
    }
  }

  async #publish(): Promise<void> {
    const { digest } = this.blob;
    const path = this.#layout.pathOf(digest);
    await this.#file.sync();
    await this.#file.close();
    await makeParent(path);
    await rename(this.#layout.partialPathOf(digest), path);
    await syncDirectory(dirname(path));
    this.#state = 'published';
    this.#news.published();
  }

  /** Removes the bytes. */
  abandon(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#state === 'open') await this.#drop();
    });
  }

  /** Keeps the bytes: after a restart the upload goes on where it was. */
  suspend(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#state !== 'open') return;
      this.#state = 'closed';
      await this.#file.close();
    });
  }

  async #drop(): Promise<void> {
    this.#state = 'closed';
    await this.#file.close().catch(() => undefined);
    await rm(this.#layout.partialPathOf(this.blob.digest), { force: true }).catch(() => undefined);
    this.#news.dropped();
  }

  #assertOpen(): void {
    if (this.#state === 'open') return;
    throw new BlobError('closed', `the upload of ${this.blob.digest} was finished or abandoned`);
  }

  #inTurn<Result>(operation: () => Promise<Result>): Promise<Result> {
    const done = this.#last.then(operation);
    this.#last = done.catch(() => undefined);
    return done;
  }
}

/** Opens the partial file, new or as an earlier upload left it, and hashes what it holds. */
export async function openPartial(
  blob: BlobRef,
  layout: BlobLayout,
  clock: () => number,
  news: UploadNews,
): Promise<PartialUpload> {
  const path = layout.partialPathOf(blob.digest);
  let file: FileHandle | undefined;
  try {
    file = await openOrMake(path);
    const { size } = await file.stat();
    const usable = size <= blob.sizeBytes;
    if (!usable) await file.truncate(0);
    const nextOffset = usable ? size : 0;
    const hash = await hashOf(file, nextOffset);
    news.wrote(nextOffset);
    return new PartialUpload(blob, { layout, clock, news, file, hash, nextOffset });
  } catch (error) {
    await file?.close();
    throw storeErrorOfFile(error, `open the upload of ${blob.digest}`);
  }
}

async function openOrMake(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r+');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return open(path, 'wx+', 0o600);
  }
}

async function hashOf(file: FileHandle, length: number): Promise<Hash> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(Math.min(REHASH_BYTES, length));
  for (let offset = 0; offset < length;) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.byteLength, length - offset), offset);
    if (bytesRead === 0) throw new Error(`the file became shorter than ${length} bytes`);
    hash.update(buffer.subarray(0, bytesRead));
    offset += bytesRead;
  }
  return hash;
}

/** A nearly full disk writes a part and says so only at the next write. */
export async function writeWhole(file: FileHandle, data: Uint8Array, offset: number): Promise<void> {
  for (let written = 0; written < data.byteLength;) {
    const { bytesWritten } = await file.write(data, written, data.byteLength - written, offset + written);
    if (bytesWritten === 0) {
      throw new StoreError('unavailable', 'the disk takes no more bytes, and does not say why', {
        hint: 'Check the disk of the data directory.',
        retryable: true,
      });
    }
    written += bytesWritten;
  }
}
