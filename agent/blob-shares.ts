/**
 * How many bytes on the disk one vehicle may cause: its share of what all may (core/clients/share.ts). Where it is full, what is held
 * for it and is owed to nobody any more is removed first.
 */
import type { Digest, VehicleId } from '@plugpool/proto';
import type { SharedTable, Use } from './core/clients/share.ts';
import { BlobError } from './adapters/blob-files/blob-error.ts';
import type { BlobStore, Clock, Store } from './ports.ts';

/** Younger bytes may be of a request that is being committed. */
const YOUNG_MS = 60_000;
/** What is owed is read from the store no more often than this, whoever asks, and each vehicle's bytes are looked through once by it. */
const CLEAR_EVERY_MS = 5_000;

export interface BlobSharesSurroundings {
  readonly blobs: Pick<BlobStore, 'tableOf' | 'sweep'>;
  readonly store: Pick<Store, 'owedBlobs'>;
  readonly clock: Clock;
  mayTake(vehicleId: VehicleId, table: SharedTable, bytes: number, use: Use): boolean;
}

export class BlobShares {
  readonly #around: BlobSharesSurroundings;
  #readMonoMs = -Infinity;
  #owed: Promise<ReadonlySet<Digest>> | undefined;
  /** By what was read last: one that has nothing to remove must not take the turn of another. */
  readonly #clearings = new Map<VehicleId, Promise<unknown>>();

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
    if (this.#owed === undefined || monoMs - this.#readMonoMs >= CLEAR_EVERY_MS) {
      this.#readMonoMs = monoMs;
      this.#owed = this.#around.store.owedBlobs();
      this.#clearings.clear();
    }
    const clearing = this.#clearings.get(holder) ?? this.#sweep(this.#owed, holder);
    this.#clearings.set(holder, clearing);
    await clearing;
  }

  async #sweep(owed: Promise<ReadonlySet<Digest>>, holder: VehicleId): Promise<void> {
    await this.#around.blobs.sweep(await owed, YOUNG_MS, holder);
  }
}
