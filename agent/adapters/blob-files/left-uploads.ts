/** Partial files that an earlier run left: each goes on where it ends once its bytes are sent again, or goes. */
import type { Digest } from '@plugpool/proto';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isDigest, type BlobLayout } from './blob-layout.ts';

interface LeftUpload {
  readonly sizeBytes: number;
  readonly touchedWallMs: number;
}

export class LeftUploads {
  readonly #layout: BlobLayout;
  readonly #byDigest = new Map<Digest, LeftUpload>();

  constructor(layout: BlobLayout) {
    this.#layout = layout;
  }

  async find(ignored: (path: string) => void): Promise<void> {
    const { partial } = this.#layout;
    for (const name of await readdir(partial)) {
      const path = join(partial, name);
      const { size, mtimeMs } = await stat(path);
      if (isDigest(name)) this.#byDigest.set(name, { sizeBytes: size, touchedWallMs: mtimeMs });
      // A `put` that a crash cut short is begun again by whoever asked for it.
      else if (name.endsWith('.put')) await rm(path, { force: true });
      else ignored(path);
    }
  }

  get bytes(): number {
    let bytes = 0;
    for (const { sizeBytes } of this.#byDigest.values()) bytes += sizeBytes;
    return bytes;
  }

  list() {
    return [...this.#byDigest].map(([digest, left]) => ({
      digest,
      ...left,
      drop: () => this.#drop(digest),
    }));
  }

  countWithout(digest: Digest): number {
    return this.#byDigest.size - (this.#byDigest.has(digest) ? 1 : 0);
  }

  /** It goes on, or the run is over; its file stays. */
  forget(digest: Digest): void {
    this.#byDigest.delete(digest);
  }

  clear(): void {
    this.#byDigest.clear();
  }

  async #drop(digest: Digest): Promise<void> {
    // Gone on with meanwhile.
    if (!this.#byDigest.delete(digest)) return;
    await rm(this.#layout.partialPathOf(digest), { force: true });
  }
}
