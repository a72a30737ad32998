/** Which sizes a blob may have, and what the upload of one that is held already is. */
import { BLOB_BYTES_MAX, type BlobRef } from '@plugpool/proto';
import type { BlobUpload } from '../../ports.ts';
import { BlobError } from './blob-error.ts';

export function assertSize({ digest, sizeBytes }: BlobRef): void {
  if (Number.isSafeInteger(sizeBytes) && sizeBytes >= 0 && sizeBytes <= BLOB_BYTES_MAX) return;
  throw new BlobError('size_refused', `${digest} says ${sizeBytes} bytes; a blob has 0 to ${BLOB_BYTES_MAX}`);
}

/** Nothing is missing. */
export function finishedUpload(blob: BlobRef, sizeBytes: number): BlobUpload {
  if (blob.sizeBytes !== sizeBytes) {
    throw new BlobError('size_differs', `${blob.digest} has ${sizeBytes} bytes, not ${blob.sizeBytes}`);
  }
  return {
    nextOffset: sizeBytes,
    write: () => Promise.reject(new BlobError('closed', `${blob.digest} is held already`)),
    finish: () => Promise.resolve(),
    abandon: () => Promise.resolve(),
  };
}
