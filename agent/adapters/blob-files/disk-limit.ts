/**
 * How much of its file system blobs may take: all but what is kept free, so that the store beside them can still commit when they
 * have to wait.
 */
import { statfs } from 'node:fs/promises';
import { storeErrorOfFile } from '../../store-error.ts';

/** Of a small disk no more than this part is kept free, whatever is asked for. */
const KEPT_PART_MAX = 1 / 8;

export interface DiskFree {
  readonly freeBytes: number;
  /** What of it is kept for the store. */
  readonly keepBytes: number;
}

export class DiskLimit {
  readonly #directory: string;
  readonly #keepBytes: number;
  #blobBytesMax = Infinity;
  #free: DiskFree | undefined;

  /** `keepBytes` 0: the disk is not looked at. */
  constructor(directory: string, keepBytes: number) {
    this.#directory = directory;
    this.#keepBytes = keepBytes;
  }

  /** When it was last looked at. */
  get blobBytesMax(): number {
    return this.#blobBytesMax;
  }

  get free(): DiskFree | undefined {
    return this.#free;
  }

  /** `blobBytes`: what blobs and uploads take of the disk now. Rejects with a `StoreError`. */
  async look(blobBytes: number): Promise<void> {
    if (this.#keepBytes === 0) return;
    try {
      const { bavail, blocks, bsize } = await statfs(this.#directory);
      const keepBytes = Math.min(this.#keepBytes, Math.floor(blocks * bsize * KEPT_PART_MAX));
      const freeBytes = bavail * bsize;
      this.#free = { freeBytes, keepBytes };
      this.#blobBytesMax = Math.max(0, blobBytes + freeBytes - keepBytes);
    } catch (error) {
      throw storeErrorOfFile(error, `look how full the disk of ${this.#directory} is`);
    }
  }
}
