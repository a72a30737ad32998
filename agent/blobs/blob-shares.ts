/**
 * How many bytes on the disk one vehicle may cause: its share of what all may (agent/core/clients/share.ts). What nobody is owed any more is
 * as good as free: its own gives way to a vehicle that has no room, and that of others where it has room in its share.
 */
import type { VehicleId } from '@plugpool/proto';
import type { SharedTable, Use } from '../core/clients/share.ts';
import { BlobError } from '../adapters/blob-files/blob-error.ts';
import type { BlobStore } from '../ports.ts';
import type { DiskRoom } from './disk-room.ts';
import type { SpareBlobs } from './spare-blobs.ts';

export interface BlobSharesSurroundings {
  readonly blobs: Pick<BlobStore, 'tableOf'>;
  readonly room: Pick<DiskRoom, 'spare' | 'letGo' | 'makeRoom'>;
  mayTake(vehicleId: VehicleId, table: SharedTable, bytes: number, use: Use): boolean;
}

/** Bytes that a vehicle asks room for. */
interface Wanted {
  readonly holder: VehicleId;
  readonly bytes: number;
  readonly use: Use;
}

export class BlobShares {
  readonly #around: BlobSharesSurroundings;
  /** One after the other: what gave way for one must not be taken for room by the next. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(around: BlobSharesSurroundings) {
    this.#around = around;
  }

  hasRoom(holder: VehicleId, bytes: number, use: Use): boolean {
    const table = this.#around.blobs.tableOf(holder);
    return table.used + bytes <= table.max && this.#around.mayTake(holder, table, bytes, use);
  }

  /**
   * Of its own, what may go does; of that of others so much may while the bytes come as is returned. Rejects with a `BlobError`
   * `share_full` where that is not enough, or a `StoreError`.
   */
  makeRoom(holder: VehicleId, bytes: number, use: Use): Promise<number> {
    const made = this.#last.then(() => this.#make({ holder, bytes, use }));
    this.#last = made.catch(() => undefined);
    return made;
  }

  async #make(wanted: Wanted): Promise<number> {
    const { holder, bytes } = wanted;
    const { blobs, room } = this.#around;
    const spare = await room.spare();
    if (!this.#isWithinShare(wanted, spare)) throw this.#shareFull(wanted);
    const table = (): SharedTable => blobs.tableOf(holder);
    const wasOwn = table().own;
    // Of its own as much as it asks room for, where that is not there.
    while (table().used + bytes > table().max && wasOwn - table().own < bytes) {
      const next = spare.takeOf(holder);
      if (next === undefined) break;
      await room.letGo(next);
    }
    return spare.countedBytes;
  }

  #shareFull({ holder, bytes }: Wanted): BlobError {
    const { own } = this.#around.blobs.tableOf(holder);
    return new BlobError(
      'share_full',
      `the pile holds ${own} bytes for ${holder} and has no room for ${bytes} more`,
    );
  }

  /** By what is owed alone. */
  #isWithinShare({ holder, bytes, use }: Wanted, spare: SpareBlobs): boolean {
    const table = spare.tableWithout(this.#around.blobs.tableOf(holder), holder);
    return table.used + bytes <= table.max && this.#around.mayTake(holder, table, bytes, use);
  }

  /** As they come, not as they are announced: who sends nothing pushes out nothing. */
  async giveWayTo(bytes: number): Promise<void> {
    await this.#around.room.makeRoom(bytes);
  }
}
