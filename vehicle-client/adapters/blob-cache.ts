/**
 * Images and large inputs by their digest, as files in the data directory; bounded in bytes and in number. When something must
 * go, the least recently used goes first, what is preferred goes last, and what is in use never.
 *
 * A file is trusted only after it was hashed once in this process's life, so that nothing needs to be synced when it is
 * written: what a power cut left half written is found out and fetched again.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { CACHED_IMAGES_MAX, type BlobRef, type Digest } from '@plugpool/proto';
import { PlugpoolError } from '../errors.ts';
import type { BlobCache } from '../ports.ts';

export const CACHE_BYTES_DEFAULT = 1024 * 1024 * 1024;
const DIGEST_PATTERN = /^[0-9a-f]{64}$/;

interface Entry {
  readonly sizeBytes: number;
  verified: boolean;
  pins: number;
}

export interface CacheBounds {
  readonly bytesMax: number;
  readonly filesMax: number;
}

/** More than the pile could be told of is of no use. */
const BOUNDS_DEFAULT: CacheBounds = { bytesMax: CACHE_BYTES_DEFAULT, filesMax: CACHED_IMAGES_MAX };

export class FileBlobCache implements BlobCache {
  readonly #directory: string;
  readonly #bounds: CacheBounds;
  /** In order of use: the first is the least recently used. */
  readonly #entries = new Map<Digest, Entry>();
  readonly #arriving = new Map<Digest, Promise<void>>();
  #bytes = 0;
  #preferred: ReadonlySet<Digest> = new Set();
  #tellEvicted: (digest: Digest) => void = () => undefined;

  constructor(directory: string, bounds: Partial<CacheBounds> = {}) {
    this.#directory = directory;
    this.#bounds = { ...BOUNDS_DEFAULT, ...bounds };
  }

  async start(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const files = await Promise.all((await readdir(this.#directory)).map((name) => this.#look(name)));
    for (const file of files
      .filter((found) => found !== undefined)
      .sort((a, b) => a.usedWallMs - b.usedWallMs)) {
      this.#add(file.digest, { sizeBytes: file.sizeBytes, verified: false, pins: 0 });
    }
    await this.#evict();
  }

  pinVerified(digest: Digest): string | undefined {
    const entry = this.#entries.get(digest);
    if (entry === undefined || !entry.verified) return undefined;
    this.#use(digest, entry);
    entry.pins += 1;
    return this.#pathOf(digest);
  }

  async pin(blob: BlobRef, fetch: () => Promise<Uint8Array>): Promise<string> {
    for (;;) {
      const path = this.pinVerified(blob.digest);
      if (path !== undefined) return path;
      const arriving = this.#arriving.get(blob.digest) ?? this.#arrive(blob, fetch);
      await arriving;
    }
  }

  unpin(digest: Digest): void {
    const entry = this.#entries.get(digest);
    if (entry !== undefined && entry.pins > 0) entry.pins -= 1;
  }

  isVerified(digest: Digest): boolean {
    return this.#entries.get(digest)?.verified === true;
  }

  prefer(blobs: readonly BlobRef[], evicted: (digest: Digest) => void): readonly BlobRef[] {
    let bytesLeft = this.#bounds.bytesMax;
    let filesLeft = this.#bounds.filesMax;
    const fitting = blobs.filter(({ sizeBytes }) => {
      if (sizeBytes > bytesLeft || filesLeft === 0) return false;
      bytesLeft -= sizeBytes;
      filesLeft -= 1;
      return true;
    });
    this.#preferred = new Set(fitting.map(({ digest }) => digest));
    this.#tellEvicted = evicted;
    return fitting;
  }

  digests(): readonly Digest[] {
    return [...this.#entries.keys()];
  }

  #arrive(blob: BlobRef, fetch: () => Promise<Uint8Array>): Promise<void> {
    const arriving = this.#verifyOrFetch(blob, fetch).finally(() => this.#arriving.delete(blob.digest));
    this.#arriving.set(blob.digest, arriving);
    return arriving;
  }

  async #verifyOrFetch(blob: BlobRef, fetch: () => Promise<Uint8Array>): Promise<void> {
    const entry = this.#entries.get(blob.digest);
    if (entry !== undefined) {
      if ((await hashFile(this.#pathOf(blob.digest))) === blob.digest) {
        entry.verified = true;
        return;
      }
      await this.#remove(blob.digest, entry);
    }
    await this.#write(blob, await fetch());
  }

  async #write(blob: BlobRef, bytes: Uint8Array): Promise<void> {
    if (createHash('sha256').update(bytes).digest('hex') !== blob.digest) {
      throw new PlugpoolError({
        code: 'digest_mismatch',
        message: `the bytes for ${blob.digest.slice(0, 12)}… hash to something else`,
        hint: 'the pile gave other bytes than it announced; report it to its operator',
        retryable: true,
      });
    }
    const path = this.#pathOf(blob.digest);
    const partial = `${path}.${randomBytes(4).toString('hex')}.part`;
    try {
      await writeFile(partial, bytes, { mode: 0o600, flag: 'wx' });
      await rename(partial, path);
    } catch (error) {
      await rm(partial, { force: true });
      throw error;
    }
    // Pinned until the eviction that it causes is over: it must not be what is thrown out.
    const entry: Entry = { sizeBytes: bytes.length, verified: true, pins: 1 };
    this.#add(blob.digest, entry);
    await this.#evict();
    entry.pins -= 1;
  }

  /** What cannot be thrown out because it is in use stays, over the bound if need be. */
  async #evict(): Promise<void> {
    for (const [digest, entry] of this.#leavingFirst()) {
      if (this.#bytes <= this.#bounds.bytesMax && this.#entries.size <= this.#bounds.filesMax) return;
      if (entry.pins > 0 || this.#entries.get(digest) !== entry) continue;
      await this.#remove(digest, entry);
      if (this.#preferred.has(digest)) this.#tellEvicted(digest);
    }
  }

  #leavingFirst(): readonly (readonly [Digest, Entry])[] {
    const byUse = [...this.#entries];
    return [
      ...byUse.filter(([digest]) => !this.#preferred.has(digest)),
      ...byUse.filter(([digest]) => this.#preferred.has(digest)),
    ];
  }

  #add(digest: Digest, entry: Entry): void {
    this.#entries.set(digest, entry);
    this.#bytes += entry.sizeBytes;
  }

  async #remove(digest: Digest, entry: Entry): Promise<void> {
    this.#entries.delete(digest);
    this.#bytes -= entry.sizeBytes;
    await rm(this.#pathOf(digest), { force: true });
  }

  #use(digest: Digest, entry: Entry): void {
    this.#entries.delete(digest);
    this.#entries.set(digest, entry);
  }

  #pathOf(digest: Digest): string {
    return join(this.#directory, digest);
  }

  /** A file that is a blob; anything else here is a leftover of a write that was cut, and goes. */
  async #look(name: string): Promise<{ digest: Digest; sizeBytes: number; usedWallMs: number } | undefined> {
    const path = join(this.#directory, name);
    if (!DIGEST_PATTERN.test(name)) {
      await rm(path, { force: true, recursive: true });
      return undefined;
    }
    const { size, mtimeMs } = await stat(path);
    return { digest: name as Digest, sizeBytes: size, usedWallMs: mtimeMs };
  }
}

async function hashFile(path: string): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(path), hash);
    return hash.digest('hex');
  } catch {
    // Gone or unreadable: fetched again.
    return undefined;
  }
}
