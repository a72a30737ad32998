/**
 * What may go where there is no room, in the order in which it goes: the least recently asked for first, and what is held for a
 * resident after all else. An id costs nothing to make up: what strangers leave would else push out what residents have here.
 */
import type { VehicleId } from '@plugpool/proto';
import type { SharedTable } from '../core/clients/share.ts';
import type { SpareBlob } from '../ports.ts';

interface OfHolder {
  readonly isResident: boolean;
  /** Those that go first stand last. */
  readonly line: SpareBlob[];
  countedBytes: number;
}

export class SpareBlobs {
  readonly #of = new Map<VehicleId | undefined, OfHolder>();
  /** Those that go first stand last, in both. */
  readonly #strangers: SpareBlob[] = [];
  readonly #residents: SpareBlob[] = [];
  readonly #taken = new Set<SpareBlob>();
  #countedBytes = 0;
  #bytes = 0;

  /** `oldestFirst`: as the blob store lists them. */
  constructor(oldestFirst: readonly SpareBlob[], isResident: (vehicleId: VehicleId) => boolean) {
    for (const spare of oldestFirst.toReversed()) {
      const ofHolder = this.#ofHolder(spare.holder, isResident);
      ofHolder.line.push(spare);
      (ofHolder.isResident ? this.#residents : this.#strangers).push(spare);
      this.#count(spare, ofHolder, 1);
    }
  }

  #ofHolder(
    holder: VehicleId | undefined,
    isResident: (vehicleId: VehicleId) => boolean = () => false,
  ): OfHolder {
    let known = this.#of.get(holder);
    if (known === undefined) {
      known = { isResident: holder !== undefined && isResident(holder), line: [], countedBytes: 0 };
      this.#of.set(holder, known);
    }
    return known;
  }

  get countedBytes(): number {
    return this.#countedBytes;
  }

  /** On the disk. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The next one to go; nobody is given it again. */
  take(): SpareBlob | undefined {
    return this.#takeFrom(this.#strangers) ?? this.#takeFrom(this.#residents);
  }

  takeOf(holder: VehicleId): SpareBlob | undefined {
    return this.#takeFrom(this.#of.get(holder)?.line ?? []);
  }

  #takeFrom(line: SpareBlob[]): SpareBlob | undefined {
    for (let next = line.pop(); next !== undefined; next = line.pop()) {
      if (this.#taken.has(next)) continue;
      this.#taken.add(next);
      this.#count(next, this.#ofHolder(next.holder), -1);
      return next;
    }
    return undefined;
  }

  /** As if all of it had gone. */
  tableWithout({ max, used, own }: SharedTable, holder: VehicleId): SharedTable {
    const unknownBytes = this.#of.get(undefined)?.countedBytes ?? 0;
    return {
      max: max + unknownBytes,
      used: used - (this.#countedBytes - unknownBytes),
      own: own - (this.#of.get(holder)?.countedBytes ?? 0),
    };
  }

  #count({ sizeBytes, countedBytes }: SpareBlob, ofHolder: OfHolder, by: 1 | -1): void {
    this.#bytes += by * sizeBytes;
    this.#countedBytes += by * countedBytes;
    ofHolder.countedBytes += by * countedBytes;
  }
}
