/** Pairs of results that the core cannot compare itself, one after the other: each pair may be 128 MiB on the disk. */
import { comparePayloads } from './compare-payloads.ts';
import type { Effects } from './core/effects.ts';
import type { BlobStore } from './ports.ts';

type Asked = Effects['compares'][number];

export interface ComparisonsSurroundings {
  readonly blobs: Pick<BlobStore, 'read'>;
  compared(pair: Asked['pair'], isSame: boolean): void;
  failed(pair: Asked['pair'], error: unknown): void;
}

export class Comparisons {
  readonly #around: ComparisonsSurroundings;
  #last: Promise<void> = Promise.resolve();

  constructor(around: ComparisonsSurroundings) {
    this.#around = around;
  }

  push(asked: Asked): void {
    this.#last = this.#last.then(() => this.#compare(asked));
  }

  /** What cannot be read is not the same as anything. */
  async #compare({ pair, payloads, compare }: Asked): Promise<void> {
    const around = this.#around;
    const isSame = await comparePayloads(around.blobs, payloads, compare).catch((error: unknown) => {
      around.failed(pair, error);
      return false;
    });
    around.compared(pair, isSame);
  }
}
