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
} from '@plugpool/proto';
import { CHUNK_BYTES_MAX, CHUNK_WINDOW } from '@plugpool/proto';
import { BlobError } from './adapters/blob-files/blob-error.ts';
import type { BlobFailure } from './core/events.ts';
import type { BlobStore, BlobUpload, Clock } from './ports.ts';
import { StoreError } from './store-error.ts';

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
  mayPull(client: ClientName, digest: Digest): boolean;
  send(clientId: ClientId, envelope: Envelope<BlobBody>): void;
  arrived(digest: Digest): void;
  failed(digest: Digest, why: BlobFailure): void;
}

interface Download {
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
  readonly #downloads = new Map<Digest, Download>();
  /** Being opened: a second request for the same bytes changes only whom they are asked of. */
  readonly #opening = new Map<Digest, ClientId>();
  #correlation = 0;

  constructor(around: BlobExchangeSurroundings) {
    this.#around = around;
  }

  /** Pulls `blob` from a client; goes on where an earlier pull of the same digest stopped. */
  async fetch(clientId: ClientId, blob: BlobRef): Promise<void> {
    const running = this.#downloads.get(blob.digest);
    if (running !== undefined) return this.#turnTo(running, clientId);
    if (this.#opening.has(blob.digest)) {
      this.#opening.set(blob.digest, clientId);
      return;
    }
    const heldBytes = this.#around.blobs.sizeOf(blob.digest);
    if (heldBytes !== undefined)
      return heldBytes === blob.sizeBytes
        ? this.#around.arrived(blob.digest)
        : this.#around.failed(blob.digest, {
            code: 'digest_mismatch',
            detail: `the pile has it, with ${heldBytes} bytes and not ${blob.sizeBytes}`,
          });
    this.#opening.set(blob.digest, clientId);
    try {
      const upload = await this.#around.blobs.upload(blob);
      // Given up while it was opened.
      if (!this.#opening.has(blob.digest)) return await upload.abandon();
      const download: Download = {
        blob,
        upload,
        clientId: this.#opening.get(blob.digest) ?? clientId,
        askedTo: upload.nextOffset,
        stalls: 0,
        early: new Map(),
        cancelStall: () => undefined,
        writing: Promise.resolve(),
      };
      this.#downloads.set(blob.digest, download);
      if (upload.nextOffset >= blob.sizeBytes) await this.#finish(download);
      else this.#ask(download);
    } catch (error) {
      this.#around.failed(blob.digest, whyOf(error));
    } finally {
      this.#opening.delete(blob.digest);
    }
  }

  /** A body of the `blob` topic. Rejects never: what is wrong is answered. */
  async onBody(client: ClientName, { correlationId, body }: Envelope<BlobBody>): Promise<void> {
    switch (body.kind) {
      case 'blobPull':
        return this.#serve(client, correlationId, body);
      case 'blobChunk':
        return this.#onChunk(client, body);
      case 'blobRefused': {
        const download = this.#downloads.get(body.digest);
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
  async giveUp(digest: Digest, keep: boolean): Promise<void> {
    this.#opening.delete(digest);
    const download = this.#downloads.get(digest);
    if (download === undefined) return;
    download.cancelStall();
    this.#downloads.delete(digest);
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
    const sizeBytes = blobs.sizeOf(digest);
    if (!this.#around.mayPull(client, digest) || sizeBytes === undefined)
      return refuse('blob_unknown', 'no lease, delivery or algorithm gives this client these bytes');
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

  async #onChunk(client: ClientName, chunk: BlobChunk): Promise<void> {
    const download = this.#downloads.get(chunk.digest);
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
    if (this.#downloads.get(chunk.digest) !== download || chunk.data.length === 0) return;
    const { upload, early } = download;
    // Asked for in order, but a client may answer as its disk does: what is early waits, within the window.
    if (chunk.offset > upload.nextOffset && chunk.offset < download.askedTo && early.size < CHUNK_WINDOW)
      early.set(chunk.offset, chunk.data);
    // Seen already (asked for twice), or never asked for.
    if (chunk.offset !== upload.nextOffset) return;
    try {
      for (let data: Uint8Array | undefined = chunk.data; data !== undefined;) {
        early.delete(upload.nextOffset);
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
    download.cancelStall();
    try {
      await download.upload.finish();
    } catch (error) {
      this.#downloads.delete(download.blob.digest);
      return this.#around.failed(download.blob.digest, whyOf(error));
    }
    this.#downloads.delete(download.blob.digest);
    this.#around.arrived(download.blob.digest);
  }

  async #fail(download: Download, why: BlobFailure): Promise<void> {
    await download.upload.abandon().catch(() => undefined);
    this.#leave(download, why);
  }

  #leave(download: Download, why: BlobFailure): void {
    download.cancelStall();
    this.#downloads.delete(download.blob.digest);
    this.#around.failed(download.blob.digest, why);
  }
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
  return error.code === 'digest_mismatch' || error.code === 'size_differs'
    ? 'digest_mismatch'
    : 'input_unavailable';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
