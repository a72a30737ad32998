/**
 * Which blobs are held, how large they are, and when each was last of use, in that order: there can be 100,000, and what may go is
 * looked for among them. In memory, found on disk at a start.
 */
import type { Digest } from '@plugpool/proto';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isDigest, type BlobLayout } from './blob-layout.ts';

const SHARD = /^[0-9a-f]{2}$/;

export interface HeldBlob {
  readonly sizeBytes: number;
  touchedWallMs: number;
}

export class HeldBlobs {
  readonly #byDigest = new Map<Digest, HeldBlob>();
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get count(): number {
    return this.#byDigest.size;
  }

  get(digest: Digest): HeldBlob | undefined {
    return this.#byDigest.get(digest);
  }

  add(digest: Digest, blob: HeldBlob): void {
    this.remove(digest);
    this.#byDigest.set(digest, blob);
    this.#bytes += blob.sizeBytes;
  }

  remove(digest: Digest): void {
    const blob = this.#byDigest.get(digest);
    if (blob === undefined) return;
    this.#byDigest.delete(digest);
    this.#bytes -= blob.sizeBytes;
  }

  touch(digest: Digest, wallMs: number): HeldBlob | undefined {
    const blob = this.#byDigest.get(digest);
    if (blob === undefined) return undefined;
    blob.touchedWallMs = wallMs;
    this.#byDigest.delete(digest);
    this.#byDigest.set(digest, blob);
    return blob;
  }

  /** The least recently touched first. */
  *untouchedSince(wallMs: number): Generator<readonly [Digest, HeldBlob]> {
    for (const entry of this.#byDigest) {
      if (entry[1].touchedWallMs > wallMs) return;
      yield entry;
    }
  }
}

type Found = HeldBlob & { readonly digest: Digest };

/** Sizes come from the file system; contents were verified before they got their name, and receivers verify them again. */
export async function findHeldBlobs(
  layout: BlobLayout,
  nowWallMs: number,
  ignored: (path: string) => void,
): Promise<HeldBlobs> {
  const found: Found[] = [];
  for (const entry of await readdir(layout.root, { withFileTypes: true })) {
    const directory = join(layout.root, entry.name);
    if (directory === layout.partial) continue;
    if (entry.isDirectory() && SHARD.test(entry.name))
      found.push(...(await findInShard(directory, entry.name, ignored)));
    else ignored(directory);
  }
  const held = new HeldBlobs();
  for (const { digest, sizeBytes, touchedWallMs } of found.sort((a, b) => a.touchedWallMs - b.touchedWallMs))
    // A clock that was set back since makes nothing young for ever.
    held.add(digest, { sizeBytes, touchedWallMs: Math.min(touchedWallMs, nowWallMs) });
  return held;
}

async function findInShard(
  directory: string,
  shard: string,
  ignored: (path: string) => void,
): Promise<Found[]> {
  const names = await readdir(directory);
  const found = await Promise.all(
    names.map(async (name) => ({ name, stats: await stat(join(directory, name)) })),
  );
  const blobs: Found[] = [];
  for (const { name, stats } of found) {
    if (!isDigest(name) || !name.startsWith(shard) || !stats.isFile()) ignored(join(directory, name));
    else blobs.push({ digest: name, sizeBytes: stats.size, touchedWallMs: stats.mtimeMs });
  }
  return blobs;
}
