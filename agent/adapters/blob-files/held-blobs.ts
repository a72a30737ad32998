/** Which blobs are held, how large they are, and when each was last of use: in memory, found on disk at a start. */
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

  untouchedSince(wallMs: number): Digest[] {
    return [...this.#byDigest].filter(([, blob]) => blob.touchedWallMs <= wallMs).map(([digest]) => digest);
  }
}

/** Sizes come from the file system; contents were verified before they got their name, and receivers verify them again. */
export async function findHeldBlobs(layout: BlobLayout, ignored: (path: string) => void): Promise<HeldBlobs> {
  const held = new HeldBlobs();
  for (const entry of await readdir(layout.root, { withFileTypes: true })) {
    const directory = join(layout.root, entry.name);
    if (directory === layout.partial) continue;
    if (entry.isDirectory() && SHARD.test(entry.name))
      await findInShard(held, directory, entry.name, ignored);
    else ignored(directory);
  }
  return held;
}

async function findInShard(
  held: HeldBlobs,
  directory: string,
  shard: string,
  ignored: (path: string) => void,
): Promise<void> {
  const names = await readdir(directory);
  const found = await Promise.all(
    names.map(async (name) => ({ name, stats: await stat(join(directory, name)) })),
  );
  for (const { name, stats } of found) {
    if (!isDigest(name) || !name.startsWith(shard) || !stats.isFile()) ignored(join(directory, name));
    else held.add(name, { sizeBytes: stats.size, touchedWallMs: stats.mtimeMs });
  }
}
