/** Reading a part of a blob's file, so many files at once and no more. */
import { open } from 'node:fs/promises';

/** Files open for reading at once; further reads wait. */
const READS_MAX = 32;

export class BlobReads {
  readonly #waiting: (() => void)[] = [];
  #reads = 0;

  /** Rejects with what the file system says, or where the file is shorter. */
  async read(path: string, start: number, length: number): Promise<Uint8Array> {
    if (this.#reads >= READS_MAX) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#reads += 1;
    try {
      return await readFile(path, start, length);
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#reads -= 1;
    }
  }
}

async function readFile(path: string, start: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  const file = await open(path, 'r');
  try {
    for (let filled = 0; filled < length;) {
      const { bytesRead } = await file.read(bytes, filled, length - filled, start + filled);
      if (bytesRead === 0) throw new Error(`the file ends at byte ${start + filled}`);
      filled += bytesRead;
    }
  } finally {
    await file.close();
  }
  return bytes;
}
