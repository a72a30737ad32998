/**
 * An upload that is hashed and not kept: the pile has the bytes already, and who names them shows that it has them too. Otherwise
 * whoever heard of a digest could name it as its own input or output, and be handed the bytes.
 */
import { createHash } from 'node:crypto';
import type { BlobRef } from '@plugpool/proto';
import { BlobError } from '../adapters/blob-files/blob-error.ts';
import type { BlobUpload } from '../ports.ts';

export class ProofUpload implements BlobUpload {
  readonly #blob: BlobRef;
  readonly #hash = createHash('sha256');
  #nextOffset = 0;

  constructor(blob: BlobRef) {
    this.#blob = blob;
  }

  get nextOffset(): number {
    return this.#nextOffset;
  }

  write(offset: number, data: Uint8Array): Promise<void> {
    const { digest, sizeBytes } = this.#blob;
    if (offset !== this.#nextOffset || offset + data.byteLength > sizeBytes)
      return Promise.reject(new BlobError('out_of_range', `byte ${offset} of ${digest} is not the next`));
    this.#hash.update(data);
    this.#nextOffset += data.byteLength;
    return Promise.resolve();
  }

  finish(): Promise<void> {
    const { digest } = this.#blob;
    const found = this.#hash.digest('hex');
    if (found === digest) return Promise.resolve();
    return Promise.reject(new BlobError('digest_mismatch', `the bytes sent as ${digest} hash to ${found}`));
  }

  abandon(): Promise<void> {
    return Promise.resolve();
  }
}
