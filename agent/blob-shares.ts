/**
 * How many bytes on the disk one vehicle may cause: its share of what all may (core/clients/share.ts). Where it is full, what is held
 * for it and no task needs any more is removed first.
 */
import type { VehicleId } from '@plugpool/proto';
import type { SharedTable, Use } from './core/clients/share.ts';
import { BlobError } from './adapters/blob-files/blob-error.ts';
import type { BlobStore, Clock, Store } from './ports.ts';

/** Younger bytes may be of a request that is being committed. */
const YOUNG_MS = 60_000;
/** What tasks need is read from the store: no more often than this, whoever asks. */
const CLEAR_EVERY_MS = 5_000;

export interface BlobSharesSurroundings {
  readonly blobs: Pick<BlobStore, 'tableOf' | 'sweep'>;
  readonly store: Pick<Store, 'referencedBlobs'>;
  readonly clock: Clock;
  mayTake(vehicleId: VehicleId, table: SharedTable, bytes: number, use: Use): boolean;
}

export class BlobShares {
  readonly #around: BlobSharesSurroundings;
  #clearedMonoMs = -Infinity;

  constructor(around: BlobSharesSurroundings) {
    this.#around = around;
  }

  hasRoom(holder: VehicleId, bytes: number, use: Use): boolean {
    return this.#around.mayTake(holder, this.#around.blobs.tableOf(holder), bytes, use);
  }

  /** Rejects with a `BlobError` `share_full` where nothing could be removed. */
  async makeRoom(holder: VehicleId, bytes: number, use: Use): Promise<void> {
    await this.#clear(holder);
    if (this.hasRoom(holder, bytes, use)) return;
    const { own } = this.#around.blobs.tableOf(holder);
    throw new BlobError(
      'share_full',
      `the pile holds ${own} bytes for ${holder} and has no room for ${bytes} more`,
    );
  }

  async #clear(holder: VehicleId): Promise<void> {
    const { monoMs } = this.#around.clock.now();
    if (monoMs - this.#clearedMonoMs < CLEAR_EVERY_MS) return;
    this.#clearedMonoMs = monoMs;
    const needed = await this.#around.store.referencedBlobs();
    await this.#around.blobs.sweep(needed, YOUNG_MS, holder);
  }
}
