/** For whom the bytes on the disk are held: who sent them or whose task needs them; in memory, since a start can tell it anew. */
import type { Digest, VehicleId } from '@plugpool/proto';

export interface Holding {
  readonly holder: VehicleId;
  readonly bytes: number;
}

export class BlobHolders {
  readonly #holdings = new Map<Digest, Holding>();
  readonly #bytesOf = new Map<VehicleId, number>();
  #bytes = 0;

  /** Of all holders together. */
  get bytes(): number {
    return this.#bytes;
  }

  bytesOf(holder: VehicleId): number {
    return this.#bytesOf.get(holder) ?? 0;
  }

  of(digest: Digest): VehicleId | undefined {
    return this.#holdings.get(digest)?.holder;
  }

  holdingOf(digest: Digest): Holding | undefined {
    return this.#holdings.get(digest);
  }

  hold(digest: Digest, holder: VehicleId, bytes: number): void {
    this.release(digest);
    this.#holdings.set(digest, { holder, bytes });
    this.#count(holder, bytes);
  }

  release(digest: Digest): void {
    const holding = this.#holdings.get(digest);
    if (holding === undefined) return;
    this.#holdings.delete(digest);
    this.#count(holding.holder, -holding.bytes);
  }

  #count(holder: VehicleId, bytes: number): void {
    this.#bytes += bytes;
    const ofHolder = this.bytesOf(holder) + bytes;
    if (ofHolder > 0) this.#bytesOf.set(holder, ofHolder);
    else this.#bytesOf.delete(holder);
  }
}
