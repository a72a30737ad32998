/** Large bytes that the pile may pull from this client: a requester's inputs, a donor's outputs. */
import { CHUNK_WINDOW, type BlobPull, type Digest } from '@plugpool/proto';
import type { Conversation } from './conversation.ts';

/** Pulls that wait for those before them. */
const UNANSWERED_MAX = 256;

export interface ShelvedBlob {
  readonly sizeBytes: number;
  /** Exactly the bytes [offset, offset + length), which lie within the blob. */
  read(offset: number, length: number): Uint8Array | Promise<Uint8Array>;
}

export function shelvedBytes(bytes: Uint8Array): ShelvedBlob {
  return { sizeBytes: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
}

export class BlobShelf {
  readonly #conversation: Conversation;
  /** One blob may be owed for several reasons: it stays until the last is gone. */
  readonly #blobs = new Map<Digest, { readonly blob: ShelvedBlob; holders: number }>();

  #answering = Promise.resolve();
  #unanswered = 0;

  constructor(conversation: Conversation) {
    this.#conversation = conversation;
  }

  put(digest: Digest, blob: ShelvedBlob): void {
    const known = this.#blobs.get(digest);
    if (known === undefined) this.#blobs.set(digest, { blob, holders: 1 });
    else known.holders += 1;
  }

  /** True where nobody else still owes the same bytes: whatever stores them may go. */
  remove(digest: Digest): boolean {
    const known = this.#blobs.get(digest);
    if (known === undefined) return true;
    known.holders -= 1;
    if (known.holders > 0) return false;
    this.#blobs.delete(digest);
    return true;
  }

  /**
   * Answers with chunks, or says why not; in the order in which it was asked, for a pile writes what it gets one after the
   * other. Never rejects.
   */
  answer(pull: BlobPull, correlationId: number): Promise<void> {
    if (this.#unanswered >= UNANSWERED_MAX) {
      this.#refuse(pull.digest, correlationId, 'too_many_pulls', `${UNANSWERED_MAX} pulls wait already`);
      return this.#answering;
    }
    this.#unanswered += 1;
    this.#answering = this.#answering.then(async () => {
      await this.#answerNow(pull, correlationId);
      this.#unanswered -= 1;
    });
    return this.#answering;
  }

  async #answerNow(pull: BlobPull, correlationId: number): Promise<void> {
    const { digest, offset, length } = pull;
    const blob = this.#blobs.get(digest)?.blob;
    if (blob === undefined)
      return this.#refuse(digest, correlationId, 'blob_unknown', 'this client does not hold it');
    if (length <= 0 || offset < 0 || offset + length > blob.sizeBytes) {
      const detail = `bytes ${offset}+${length} are not within its ${blob.sizeBytes}`;
      return this.#refuse(digest, correlationId, 'range_invalid', detail);
    }
    const chunkBytesMax = this.#conversation.welcome?.chunkBytesMax;
    if (chunkBytesMax === undefined) return;
    if (length > chunkBytesMax * CHUNK_WINDOW) {
      return this.#refuse(
        digest,
        correlationId,
        'range_invalid',
        `ask for at most ${CHUNK_WINDOW} chunks at once`,
      );
    }
    try {
      for (let at = offset; at < offset + length; at += chunkBytesMax) {
        const data = await blob.read(at, Math.min(offset + length - at, chunkBytesMax));
        this.#conversation.post(
          { kind: 'blobChunk', digest, offset: at, data, sizeBytes: blob.sizeBytes },
          correlationId,
        );
      }
    } catch (error) {
      this.#refuse(
        digest,
        correlationId,
        'blob_unreadable',
        error instanceof Error ? error.message : String(error),
      );
    }
  }

  #refuse(digest: Digest, correlationId: number, code: string, detail: string): void {
    this.#conversation.post(
      { kind: 'blobRefused', digest, code, detail: detail.slice(0, 300) },
      correlationId,
    );
  }
}
