/** Bulk bytes between the pile and its vehicles: serves what they may pull, pulls what requests and results speak of. */
import type {
  BlobBody,
  BlobChunk,
  BlobPull,
  BlobRef,
  ClientId,
  ClientName,
  Digest,
  Envelope,
  VehicleId,
} from '@plugpool/proto';
import { CHUNK_BYTES_MAX, CHUNK_WINDOW, vehicleIdOf } from '@plugpool/proto';
import { BlobError } from '../adapters/blob-files/blob-error.ts';
import type { Effects } from '../core/effects.ts';
import type { BlobFailure } from '../core/events.ts';
import type { BlobStore, BlobUpload, Clock } from '../ports.ts';
import { StoreError } from '../store-error.ts';
import type { BlobShares } from './blob-shares.ts';
import { ProofUpload } from './proof-upload.ts';

/** Without a chunk for so long, the window is asked for again. */
const STALL_MS = 10_000;
const STALLS_MAX = 3;
/** A client that left comes back within so long, or its pull takes no more memory. */
const LEFT_MS = 30_000;
/** Bytes that one pull may ask for: what the window allows at a time. */
const PULL_BYTES_MAX = CHUNK_WINDOW * CHUNK_BYTES_MAX;

export interface BlobExchangeSurroundings {
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly shares: Pick<BlobShares, 'hasRoom' | 'makeRoom' | 'giveWayTo'>;
  /** The pile has them, and that vehicle may have them. */
  mayPull(vehicleId: VehicleId, digest: Digest): boolean;
  send(clientId: ClientId, envelope: Envelope<BlobBody>): void;
  /** That vehicle sent them, or showed that it has them. */
  arrived(digest: Digest, vehicleId: VehicleId): void;
  failed(digest: Digest, vehicleId: VehicleId, why: BlobFailure): void;
}

type Wanted = Effects['fetches'][number];
/** Two vehicles that name the same bytes each send them: `<vehicle id>/<digest>`. */
type PullKey = `${VehicleId}/${Digest}`;

interface Download {
  readonly key: PullKey;
  readonly vehicleId: VehicleId;
  /** For whom the bytes are held once they are here. */
  readonly requester: VehicleId;
  readonly blob: BlobRef;
  readonly upload: BlobUpload;
  clientId: ClientId;
  /** First byte that was not asked for. */
  askedTo: number;
  stalls: number;
  /** Chunks that came before their turn, by offset. */
  readonly early: Map<number, Uint8Array>;
  cancelStall: () => void;
  /** Chunks are written one after the other. */
  writing: Promise<void>;
}

export class BlobExchange {
  readonly #around: BlobExchangeSurroundings;
  readonly #downloads = new Map<PullKey, Download>();
  /** Being opened: a second request for the same bytes changes only whom they are asked of. */
  readonly #opening = new Map<PullKey, ClientId>();
  #correlation = 0;

  constructor(around: BlobExchangeSurroundings) {
    this.#around = around;
  }

  /** Pulls bytes from a client; goes on where an earlier pull of the same vehicle stopped. */
  async fetch({ clientId, blob, requester }: Wanted): Promise<void> {
    const vehicleId = vehicleIdOf(clientId);
    const key = keyOf(vehicleId, blob.digest);
    const running = this.#downloads.get(key);
    if (running !== undefined) return this.#turnTo(running, clientId);
    if (this.#opening.has(key)) {
      this.#opening.set(key, clientId);
      return;
    }
    const heldBytes = this.#heldBytes(vehicleId, blob.digest);
    if (heldBytes !== undefined)
      return heldBytes === blob.sizeBytes
        ? this.#around.arrived(blob.digest, vehicleId)
        : this.#around.failed(blob.digest, vehicleId, {
            code: 'digest_mismatch',
            detail: `the pile has it, with ${heldBytes} bytes and not ${blob.sizeBytes}`,
          });
    const isElsewhere = this.#isFromElsewhere(vehicleId, blob.digest);
    return this.#pull(clientId, blob, requester, isElsewhere ? () => new ProofUpload(blob) : undefined);
  }

  async #pull(
    clientId: ClientId,
    blob: BlobRef,
    requester: VehicleId,
    open: () => BlobUpload | Promise<BlobUpload> = () => this.#open(vehicleIdOf(clientId), blob, requester),
  ): Promise<void> {
    const vehicleId = vehicleIdOf(clientId);
    const key = keyOf(vehicleId, blob.digest);
    this.#opening.set(key, clientId);
    try {
      const upload = await open();
      // Given up while it was opened.
      if (!this.#opening.has(key)) return await upload.abandon();
      const download: Download = {
        ...{ key, vehicleId, requester, blob, upload },
        clientId: this.#opening.get(key) ?? clientId,
        askedTo: upload.nextOffset,
        stalls: 0,
        early: new Map(),
        cancelStall: () => undefined,
        writing: Promise.resolve(),
      };
      this.#downloads.set(key, download);
      if (upload.nextOffset >= blob.sizeBytes) await this.#finish(download);
      else this.#ask(download);
    } catch (error) {
      this.#around.failed(blob.digest, vehicleId, whyOf(error));
    } finally {
      this.#opening.delete(key);
    }
  }

  /** Undefined also where that vehicle may not know. */
  #heldBytes(vehicleId: VehicleId, digest: Digest): number | undefined {
    return this.#around.mayPull(vehicleId, digest) ? this.#around.blobs.sizeOf(digest) : undefined;
  }

  /** Of bytes that are here, or on their way from another vehicle, one more vehicle has only to show that it has them too. */
  #isFromElsewhere(vehicleId: VehicleId, digest: Digest): boolean {
    const holder = this.#around.blobs.holderOf(digest);
    return this.#around.blobs.has(digest) || (holder !== undefined && holder !== vehicleId);
  }

  async #open(vehicleId: VehicleId, blob: BlobRef, requester: VehicleId): Promise<BlobUpload> {
    const { blobs, shares } = this.#around;
    // Nothing is awaited where there is room: the next one of the same vehicle must see that this one took it.
    const use = requester === vehicleId ? 'asked' : 'owed';
    let spareBytes = 0;
    for (const holder of new Set([requester, vehicleId]))
      if (!shares.hasRoom(holder, blob.sizeBytes, use))
        spareBytes = await shares.makeRoom(holder, blob.sizeBytes, use);
    return blobs.upload(blob, vehicleId, spareBytes);
  }

  /** A body of the `blob` topic. Rejects never: what is wrong is answered. */
  async onBody(client: ClientName, { correlationId, body }: Envelope<BlobBody>): Promise<void> {
    switch (body.kind) {
      case 'blobPull':
        return this.#serve(client, correlationId, body);
      case 'blobChunk':
        return this.#onChunk(client, body);
      case 'blobRefused': {
        const download = this.#downloads.get(keyOf(client.vehicleId, body.digest));
        if (download?.clientId !== client.clientId) return;
        return this.#fail(download, unavailable(`the client refused: ${body.code} ${body.detail}`));
      }
    }
  }

  /** Pulls stop where they are; a request or result that is sent again goes on with them, in a while from the disk. */
  onDisconnected(clientId: ClientId): void {
    for (const download of this.#downloads.values()) {
      if (download.clientId !== clientId) continue;
      download.cancelStall();
      download.cancelStall = this.#around.clock.setTimer(LEFT_MS, () =>
        this.#leave(download, unavailable('the client left')),
      );
    }
  }

  /** Nobody waits for these bytes any more: they are asked for no longer, and no memory is kept for them. */
  async giveUp({ digest, vehicleId, keep }: Effects['abandons'][number]): Promise<void> {
    const key = keyOf(vehicleId, digest);
    this.#opening.delete(key);
    const download = this.#downloads.get(key);
    if (download === undefined) return;
    download.cancelStall();
    this.#downloads.delete(key);
    if (!keep) await download.upload.abandon().catch(() => undefined);
  }

  async stop(): Promise<void> {
    for (const download of this.#downloads.values()) {
      download.cancelStall();
      await download.writing.catch(() => undefined);
    }
    this.#downloads.clear();
  }

  async #serve(client: ClientName, correlationId: number, pull: BlobPull): Promise<void> {
    const { blobs } = this.#around;
    const { digest, offset } = pull;
    const refuse = (code: string, detail: string): void =>
      this.#around.send(client.clientId, {
        correlationId,
        body: { kind: 'blobRefused', digest, code, detail },
      });
    const sizeBytes = this.#heldBytes(client.vehicleId, digest);
    if (sizeBytes === undefined) return refuse('blob_unknown', this.#whyUnknown(client.vehicleId, digest));
    if (offset > sizeBytes) return refuse('range_invalid', `the blob has ${sizeBytes} bytes`);
    const end = Math.min(sizeBytes, offset + Math.min(pull.length, PULL_BYTES_MAX));
    try {
      let at = offset;
      do {
        const data = await blobs.read(digest, at, Math.min(end, at + CHUNK_BYTES_MAX));
        const body: BlobChunk = { kind: 'blobChunk', digest, offset: at, data, sizeBytes };
        this.#around.send(client.clientId, { correlationId, body });
        at += CHUNK_BYTES_MAX;
      } while (at < end);
    } catch (error) {
      refuse('blob_unreadable', messageOf(error));
    }
  }

  #whyUnknown(vehicleId: VehicleId, digest: Digest): string {
    return this.#around.mayPull(vehicleId, digest)
      ? 'the pile has these bytes no longer: what was acknowledged gives way where there is no room'
      : 'no lease, delivery or algorithm gives this client these bytes';
  }

  async #onChunk(client: ClientName, chunk: BlobChunk): Promise<void> {
    const download = this.#downloads.get(keyOf(client.vehicleId, chunk.digest));
    // Late or unasked: bytes that nobody waits for are dropped.
    if (download?.clientId !== client.clientId) return;
    if (chunk.sizeBytes !== download.blob.sizeBytes)
      return this.#fail(download, {
        code: 'digest_mismatch',
        detail: `the digest was announced with ${download.blob.sizeBytes} bytes`,
      });
    download.writing = download.writing.then(() => this.#take(download, chunk));
    return download.writing;
  }

  async #take(download: Download, chunk: BlobChunk): Promise<void> {
    // An empty chunk is no progress: it must not keep a transfer alive.
    if (this.#downloads.get(download.key) !== download || chunk.data.length === 0) return;
    const { upload, early } = download;
    // Asked for in order, but a client may answer as its disk does: what is early waits, within the window.
    if (chunk.offset > upload.nextOffset && chunk.offset < download.askedTo && early.size < CHUNK_WINDOW)
      early.set(chunk.offset, chunk.data);
    // Seen already (asked for twice), or never asked for.
    if (chunk.offset !== upload.nextOffset) return;
    try {
      for (let data: Uint8Array | undefined = chunk.data; data !== undefined;) {
        early.delete(upload.nextOffset);
        if (!(upload instanceof ProofUpload)) await this.#around.shares.giveWayTo(data.length);
        await upload.write(upload.nextOffset, data);
        data = early.get(upload.nextOffset);
      }
    } catch (error) {
      // What arrived before the disk was full is kept: the same request, sent again, goes on from there.
      if (error instanceof StoreError) return this.#leave(download, whyOf(error));
      return this.#fail(download, whyOf(error));
    }
    download.stalls = 0;
    if (upload.nextOffset >= download.blob.sizeBytes) return this.#finish(download);
    this.#ask(download);
  }

  /** Keeps one window asked for, a chunk a pull, so that the answers flow without a pause. */
  #ask(download: Download): void {
    const { upload, blob } = download;
    const windowEnd = Math.min(blob.sizeBytes, upload.nextOffset + PULL_BYTES_MAX);
    while (download.askedTo < windowEnd) {
      const length = Math.min(CHUNK_BYTES_MAX, blob.sizeBytes - download.askedTo);
      this.#correlation += 1;
      this.#around.send(download.clientId, {
        correlationId: this.#correlation,
        body: { kind: 'blobPull', digest: blob.digest, offset: download.askedTo, length },
      });
      download.askedTo += length;
    }
    download.cancelStall();
    download.cancelStall = this.#around.clock.setTimer(STALL_MS, () => this.#onStall(download));
  }

  #onStall(download: Download): void {
    download.stalls += 1;
    if (download.stalls > STALLS_MAX) {
      void this.#fail(download, unavailable('the client sends no bytes'));
      return;
    }
    this.#turnTo(download, download.clientId);
  }

  #turnTo(download: Download, clientId: ClientId): void {
    download.clientId = clientId;
    download.early.clear();
    download.askedTo = download.upload.nextOffset;
    this.#ask(download);
  }

  async #finish(download: Download): Promise<void> {
    const { blob, vehicleId, requester } = download;
    download.cancelStall();
    try {
      await download.upload.finish();
    } catch (error) {
      return this.#leave(download, whyOf(error));
    }
    if (download.upload instanceof ProofUpload) return this.#shown(download);
    this.#downloads.delete(download.key);
    this.#around.blobs.assign(blob.digest, requester);
    this.#around.arrived(blob.digest, vehicleId);
    this.#tellWhoShowed(blob.digest);
  }

  /** It has the bytes: they are here, or come from another vehicle, or from itself where that one is slow or never meant to. */
  #shown(download: Download): Promise<void> | void {
    const { key, blob, vehicleId } = download;
    if (this.#around.blobs.has(blob.digest)) {
      this.#downloads.delete(key);
      return this.#around.arrived(blob.digest, vehicleId);
    }
    const isComing = [...this.#downloads.values()].some(
      (other) => other.blob.digest === blob.digest && !(other.upload instanceof ProofUpload),
    );
    if (!isComing) return this.#sendItself(download);
    download.cancelStall = this.#around.clock.setTimer(STALL_MS, () => void this.#sendItself(download));
  }

  async #sendItself({ key, clientId, blob, requester }: Download): Promise<void> {
    this.#downloads.delete(key);
    await this.#pull(clientId, blob, requester);
  }

  /** An upload of these bytes has ended, well or badly. */
  #tellWhoShowed(digest: Digest): void {
    for (const download of [...this.#downloads.values()]) {
      const { blob, upload } = download;
      const hasShown = upload instanceof ProofUpload && upload.nextOffset >= blob.sizeBytes;
      if (blob.digest !== digest || !hasShown) continue;
      download.cancelStall();
      void this.#shown(download);
    }
  }

  async #fail(download: Download, why: BlobFailure): Promise<void> {
    await download.upload.abandon().catch(() => undefined);
    this.#leave(download, why);
  }

  #leave(download: Download, why: BlobFailure): void {
    download.cancelStall();
    this.#downloads.delete(download.key);
    this.#around.failed(download.blob.digest, download.vehicleId, why);
    this.#tellWhoShowed(download.blob.digest);
  }
}

function keyOf(vehicleId: VehicleId, digest: Digest): PullKey {
  return `${vehicleId}/${digest}`;
}

function unavailable(detail: string): BlobFailure {
  return { code: 'input_unavailable', detail };
}

function whyOf(error: unknown): BlobFailure {
  return { code: codeOf(error), detail: messageOf(error) };
}

function codeOf(error: unknown): BlobFailure['code'] {
  if (error instanceof StoreError) return error.code === 'full' ? 'storage_full' : 'storage_unavailable';
  if (!(error instanceof BlobError)) return 'input_unavailable';
  if (error.code === 'too_many_uploads') return 'rate_limited';
  if (error.code === 'share_full') return 'storage_full';
  return error.code === 'digest_mismatch' || error.code === 'size_differs'
    ? 'digest_mismatch'
    : 'input_unavailable';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
