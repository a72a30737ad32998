/** How full the disk is and what of it could go: bytes that nobody is owed give way before anything is refused. */
import type { VehicleId } from '@plugpool/proto';
import type { Logger } from 'pino';
import type { BlobStore, BlobUsage, Clock, SpareBlob, Store } from '../ports.ts';
import { HINT_FULL, StoreError } from '../store-error.ts';
import { isMuchUsed, Shortages, type Shortage } from './shortage.ts';
import { SpareBlobs } from './spare-blobs.ts';

/** Of acknowledged payloads that the store lets go of at a look; commits pass between them. */
const SLICES_MAX = 100;
/** Younger bytes may be of a request that is being committed. */
const YOUNG_MS = 60_000;
/** What is owed is read from the store no more often than this, whoever asks. */
const READ_EVERY_MS = 5_000;
const LOOK_EVERY_MS = 10_000;
/** What may go is counted for the operator no more often: it takes a look at each blob. */
const TELL_EVERY_MS = 60_000;

export interface DiskRoomParts {
  readonly blobs: Pick<BlobStore, 'usage' | 'lookAtDisk' | 'spare' | 'letGo'>;
  readonly store: Pick<Store, 'owedBlobs' | 'freeAcknowledged'>;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  readonly isResident: (vehicleId: VehicleId) => boolean;
}

export interface DiskView {
  /** Images, inputs, outputs and checkpoints that are files. */
  readonly maxBytes: number;
  readonly usedBytes: number;
  /** Of these, what goes where there is no room; null: the store does not say. */
  readonly spareBytes: number | null;
  /** Null where the disk is not looked at. */
  readonly freeBytes: number | null;
  readonly keepBytes: number | null;
  /** What gets short, and what to do about it. */
  readonly short: readonly Shortage[];
}

export class DiskRoom {
  readonly #parts: DiskRoomParts;
  readonly #shortages = new Shortages();
  #readMonoMs = -Infinity;
  #toldMonoMs = -Infinity;
  #spare: Promise<SpareBlobs> | undefined;
  #cancel: () => void = () => undefined;
  #looking: Promise<void> = Promise.resolve();
  #gaveWay = { blobs: 0, bytes: 0, payloads: 0 };
  #stopped = false;

  constructor(parts: DiskRoomParts) {
    this.#parts = parts;
  }

  /** When the blobs are known and the store is open. */
  start(): Promise<void> {
    return this.#lookAgain();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await this.#looking;
  }

  /** Resolves when the look that is under way has ended. */
  settled(): Promise<void> {
    return this.#looking;
  }

  /** Rejects with a `StoreError`. */
  spare(): Promise<SpareBlobs> {
    const { monoMs } = this.#parts.clock.now();
    if (this.#spare === undefined || monoMs - this.#readMonoMs >= READ_EVERY_MS) {
      this.#readMonoMs = monoMs;
      this.#spare = this.#readSpare();
    }
    return this.#spare;
  }

  async #readSpare(): Promise<SpareBlobs> {
    const { blobs, store, clock, isResident } = this.#parts;
    const askedMonoMs = clock.now().monoMs;
    const owed = await store.owedBlobs();
    // Of a commit that began since, however long the store took.
    const youngMs = YOUNG_MS + clock.now().monoMs - askedMonoMs;
    return new SpareBlobs(await blobs.spare(owed, youngMs), isResident);
  }

  async letGo(spare: SpareBlob): Promise<void> {
    const bytes = await this.#parts.blobs.letGo(spare);
    if (bytes === 0) return;
    this.#gaveWay.blobs += 1;
    this.#gaveWay.bytes += bytes;
  }

  /** For bytes that are about to be written. Rejects with a `StoreError` `full` where nothing is left that may go. */
  async makeRoom(bytes: number): Promise<void> {
    await this.#letGoFor(bytes);
    if (!this.#isShortBy(bytes)) return;
    const { writtenBytes, maxBytes } = this.#parts.blobs.usage();
    throw new StoreError('full', `${writtenBytes} of ${maxBytes} bytes are taken, and needed`, {
      hint: HINT_FULL,
      retryable: true,
    });
  }

  async #letGoFor(bytes: number): Promise<void> {
    while (this.#isShortBy(bytes)) {
      const next = (await this.spare()).take();
      if (next === undefined) return;
      await this.letGo(next);
    }
  }

  #isShortBy(bytes: number): boolean {
    const { writtenBytes, maxBytes } = this.#parts.blobs.usage();
    return writtenBytes + bytes > maxBytes;
  }

  async view(): Promise<DiskView> {
    const usage = this.#parts.blobs.usage();
    const spareBytes = await this.spare().then(
      ({ bytes }) => bytes,
      () => null,
    );
    const { maxBytes, usedBytes, disk } = usage;
    return {
      ...{ maxBytes, usedBytes, spareBytes },
      freeBytes: disk?.freeBytes ?? null,
      keepBytes: disk?.keepBytes ?? null,
      short: this.#shortages.of(usage, spareBytes ?? usedBytes),
    };
  }

  #lookAgain(): Promise<void> {
    this.#looking = this.look().finally(() => {
      if (this.#stopped) return;
      this.#cancel = this.#parts.clock.setTimer(LOOK_EVERY_MS, () => void this.#lookAgain());
    });
    return this.#looking;
  }

  /** What is short gives way, and what was told is up to date. */
  async look(): Promise<void> {
    const { blobs, log } = this.#parts;
    try {
      await blobs.lookAtDisk();
      // Whatever else fills the disk: the store has what is kept for it.
      await this.#letGoFor(0);
      await this.#freeStore();
      this.#sayGaveWay();
      const { monoMs } = this.#parts.clock.now();
      if (monoMs - this.#toldMonoMs < TELL_EVERY_MS) return;
      this.#toldMonoMs = monoMs;
      await this.#tellShort();
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      log.warn({ err: error }, 'could not look how full the disk is');
    }
  }

  /** Files went first. What the store lets go of stays its own: the next commits take no more of the disk. */
  async #freeStore(): Promise<void> {
    const { blobs, store } = this.#parts;
    const { disk } = blobs.usage();
    if (disk === undefined || disk.freeBytes >= disk.keepBytes) return;
    await blobs.lookAtDisk();
    const missingBytes = missingOf(blobs.usage());
    for (let slices = 0; missingBytes > 0 && slices < SLICES_MAX; slices += 1) {
      const { payloads, freeBytes } = await store.freeAcknowledged(missingBytes);
      this.#gaveWay.payloads += payloads;
      if (payloads === 0 || freeBytes >= missingBytes) return;
    }
  }

  #sayGaveWay(): void {
    if (this.#gaveWay.blobs + this.#gaveWay.payloads === 0) return;
    this.#parts.log.info(this.#gaveWay, 'bytes that nobody is owed gave way');
    this.#gaveWay = { blobs: 0, bytes: 0, payloads: 0 };
  }

  async #tellShort(): Promise<void> {
    const { blobs, log } = this.#parts;
    const usage = blobs.usage();
    // Nothing is read where even all of it together would not be much.
    const spareBytes = isMuchUsed(usage) ? (await this.spare()).bytes : 0;
    this.#shortages.tell(usage, spareBytes, log);
  }
}

/** Of what is kept free. */
function missingOf({ disk }: BlobUsage): number {
  return disk === undefined ? 0 : disk.keepBytes - disk.freeBytes;
}
