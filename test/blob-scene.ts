/** Vehicles that send and pull bulk bytes of a pile, over real files, with time in hand. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import type { BlobBody, BlobPull, BlobRef, Digest, VehicleId } from '@plugpool/proto';
import { createBlobFiles } from '../agent/adapters/blob-files/blob-files.ts';
import { BlobExchange } from '../agent/blobs/blob-exchange.ts';
import { BlobShares } from '../agent/blobs/blob-shares.ts';
import { DiskRoom } from '../agent/blobs/disk-room.ts';
import { mayTake } from '../agent/core/clients/share.ts';
import { isResident } from '../agent/core/clients/standing.ts';
import type { BlobStore } from '../agent/ports.ts';
import { clientName, pileWith } from './simulation/simulated-pile.ts';

export const KIB = 1024;
export const TOTAL_BYTES = 1_600 * KIB;

interface Sent {
  readonly clientId: string;
  readonly body: BlobBody;
}

/** An exchange over real files, with time in hand; `resident` is plugged in, all others are strangers. */
export class BlobScene {
  nowMs = 1e6;
  readonly blobs: BlobStore;
  readonly exchange: BlobExchange;
  readonly room: DiskRoom;
  /** What the operator reads. */
  readonly lines: { readonly what: string; readonly hint?: string }[] = [];
  /** What tasks need. */
  readonly needed = new Set<Digest>();
  readonly mayPull = new Set<string>();
  readonly told: string[] = [];
  readonly #sent: Sent[] = [];
  readonly #timers = new Set<() => void>();

  constructor(dataDir: string) {
    const clock = {
      now: () => ({ monoMs: this.nowMs, wallMs: this.nowMs }),
      setTimer: (_delayMs: number, callback: () => void) => {
        this.#timers.add(callback);
        return () => this.#timers.delete(callback);
      },
    };
    this.blobs = createBlobFiles({ dataDir, totalBytesMax: TOTAL_BYTES, clock: () => this.nowMs });
    const { state } = pileWith('resident');
    const { blobs } = this;
    const write = (fields: object, what = ''): void => void this.lines.push({ ...fields, what });
    this.room = new DiskRoom({
      ...{ blobs, clock },
      log: { info: write, warn: write },
      store: {
        owedBlobs: () => Promise.resolve(this.needed),
        freeAcknowledged: () => Promise.resolve({ payloads: 0, freeBytes: 0 }),
      },
      isResident: (vehicleId) => isResident(state, vehicleId),
    });
    this.exchange = new BlobExchange({
      blobs,
      clock,
      shares: new BlobShares({
        blobs,
        room: this.room,
        mayTake: (vehicleId, table, bytes, use) => mayTake(state, vehicleId, table, bytes, use),
      }),
      mayPull: (vehicleId, digest) =>
        blobs.holderOf(digest) === vehicleId || this.mayPull.has(`${vehicleId}/${digest}`),
      send: (clientId, { body }) => this.#sent.push({ clientId, body }),
      arrived: (_digest, vehicleId) => this.told.push(`${vehicleId} arrived`),
      failed: (_digest, vehicleId, { code }) => this.told.push(`${vehicleId} ${code}`),
    });
  }

  /** The core wants these bytes of a vehicle; `requester` is whose task it is. */
  async names(vehicle: string, blob: BlobRef, requester = vehicle): Promise<void> {
    const { clientId } = clientName(`${vehicle}.ask-1`);
    await this.exchange.fetch({ clientId, blob, requester: requester as VehicleId });
  }

  /** The vehicle answers what it is asked for, until it is asked for nothing. */
  async sends(vehicle: string, bytes: Uint8Array): Promise<void> {
    for (let asked = this.pullsOf(vehicle); asked.length > 0; asked = this.pullsOf(vehicle))
      for (const { digest, offset, length } of asked) {
        const data = bytes.subarray(offset, offset + length);
        await this.exchange.onBody(clientName(`${vehicle}.ask-1`), {
          correlationId: 1,
          body: { kind: 'blobChunk', digest, offset, data, sizeBytes: bytes.length },
        });
      }
  }

  /** All that was set falls due, so much later. */
  async passes(ms: number): Promise<void> {
    this.nowMs += ms;
    for (const callback of [...this.#timers]) {
      this.#timers.delete(callback);
      callback();
    }
    await this.room.settled();
  }

  /** Whoever is waited for has been waited for long enough: then that vehicle is asked. */
  async stallsUntilAsked(vehicle: string): Promise<void> {
    for (const callback of [...this.#timers]) {
      this.#timers.delete(callback);
      callback();
    }
    while (!this.#sent.some(({ clientId }) => clientId.startsWith(`${vehicle}.`)))
      await new Promise(setImmediate);
  }

  pullsOf(vehicle: string): BlobPull[] {
    return this.#bodiesTo(vehicle).filter((body) => body.kind === 'blobPull');
  }

  /** What it is answered when it pulls. */
  async pulls(vehicle: string, digest: Digest): Promise<BlobBody[]> {
    const body = { kind: 'blobPull', digest, offset: 0, length: KIB } as const;
    await this.exchange.onBody(clientName(`${vehicle}.ask-1`), { correlationId: 1, body });
    return this.#bodiesTo(vehicle);
  }

  async uploads(vehicle: string, bytes: Uint8Array, requester = vehicle): Promise<string | undefined> {
    await this.names(vehicle, blobOf(bytes), requester);
    await this.sends(vehicle, bytes);
    return this.told.at(-1);
  }

  has({ digest }: BlobRef): boolean {
    return this.blobs.has(digest);
  }

  #bodiesTo(vehicle: string): BlobBody[] {
    const mine = this.#sent.filter(({ clientId }) => clientId.startsWith(`${vehicle}.`));
    for (const each of mine) this.#sent.splice(this.#sent.indexOf(each), 1);
    return mine.map(({ body }) => body);
  }
}

export async function blobScene(t: TestContext): Promise<BlobScene> {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'plugpool-shares-'));
  const made = new BlobScene(dataDir);
  await made.blobs.start();
  t.after(async () => {
    await made.room.stop();
    await made.exchange.stop();
    await made.blobs.stop();
    rmSync(dataDir, { recursive: true });
  });
  return made;
}

export function blobOf(bytes: Uint8Array): BlobRef {
  return { digest: createHash('sha256').update(bytes).digest('hex') as Digest, sizeBytes: bytes.length };
}
