/** Large outputs that the pile has yet to pull: one file each, synced before the result that names it is sent. */
import { createHash } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { BlobRef, Digest } from '@plugpool/proto';
import type { ShelvedBlob } from '../blob-shelf.ts';

export class OutputFiles {
  readonly #directory: string;
  #writes = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Keeps the files that a kept result still names and removes all others. */
  async start(named: ReadonlySet<Digest>): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.#directory)) {
      if (!named.has(name as Digest)) await rm(join(this.#directory, name), { force: true });
    }
  }

  async keep(bytes: Uint8Array): Promise<BlobRef> {
    const digest = createHash('sha256').update(bytes).digest('hex') as Digest;
    const partial = `${this.#pathOf(digest)}.${++this.#writes}.part`;
    const file = await open(partial, 'wx', 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, this.#pathOf(digest));
    return { digest, sizeBytes: bytes.length };
  }

  /** Undefined where the file is gone. */
  async shelve(blob: BlobRef): Promise<ShelvedBlob | undefined> {
    const path = this.#pathOf(blob.digest);
    try {
      if ((await stat(path)).size !== blob.sizeBytes) return undefined;
    } catch {
      return undefined;
    }
    return { sizeBytes: blob.sizeBytes, read: (offset, length) => readRange(path, offset, length) };
  }

  async remove(digest: Digest): Promise<void> {
    await rm(this.#pathOf(digest), { force: true });
  }

  #pathOf(digest: Digest): string {
    return join(this.#directory, digest);
  }
}

async function readRange(path: string, offset: number, length: number): Promise<Uint8Array> {
  const file: FileHandle = await open(path, 'r');
  try {
    const bytes = Buffer.allocUnsafe(length);
    const { bytesRead } = await file.read(bytes, 0, length, offset);
    if (bytesRead !== length) throw new Error(`${path} is shorter than it was`);
    return bytes;
  } finally {
    await file.close();
  }
}
