/** Pairs of results that the core cannot compare itself, one after the other: each pair may be 128 MiB on the disk. */
import { comparePayloads, type CompareSurroundings } from './compare-payloads.ts';
import type { Effects } from './core/effects.ts';

type Asked = Effects['compares'][number];

export interface ComparisonsSurroundings extends Pick<CompareSurroundings, 'blobs'> {
  /** Off the event loop, and given up after `signal`. */
  sameJson(
    texts: readonly [Uint8Array, Uint8Array],
    tolerance: number,
    signal: AbortSignal,
  ): Promise<boolean>;
  compared(pair: Asked['pair'], isSame: boolean): void;
  failed(pair: Asked['pair'], error: unknown): void;
}

export class Comparisons {
  readonly #around: ComparisonsSurroundings;
  readonly #stopping = new AbortController();
  #last: Promise<void> = Promise.resolve();

  constructor(around: ComparisonsSurroundings) {
    this.#around = around;
  }

  push(asked: Asked): void {
    this.#last = this.#last.then(() => this.#compare(asked));
  }

  /** What was not compared by then is asked for again by the next start. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#last;
  }

  /** What cannot be read is not the same as anything. */
  async #compare({ pair, payloads, compare }: Asked): Promise<void> {
    const { signal } = this.#stopping;
    if (this.#isStopping()) return;
    const around = this.#around;
    const { blobs } = around;
    const sameJson: CompareSurroundings['sameJson'] = (texts, tolerance) =>
      around.sameJson(texts, tolerance, signal);
    const isSame = await comparePayloads({ blobs, sameJson }, payloads, compare).catch((error: unknown) => {
      if (!this.#isStopping()) around.failed(pair, error);
      return false;
    });
    if (!this.#isStopping()) around.compared(pair, isSame);
  }

  #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }
}
