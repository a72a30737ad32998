/** Compares two results of which at least one lies on the disk, slice by slice. */
import type { Payload } from '@plugpool/proto';
import type { Comparison } from './core/records.ts';
import { comparing } from './core/replicas/compare.ts';
import type { BlobStore } from './ports.ts';

const EMPTY = new Uint8Array(0);

export async function comparePayloads(
  blobs: Pick<BlobStore, 'read'>,
  [a, b]: readonly [Payload, Payload],
  compare: Comparison,
): Promise<boolean> {
  const run = comparing([sizeOf(a), sizeOf(b)], compare);
  let next = run.next([EMPTY, EMPTY]);
  while (next.done !== true) {
    const { start, end } = next.value;
    next = run.next([await read(blobs, a, start, end), await read(blobs, b, start, end)]);
  }
  return next.value;
}

function sizeOf(payload: Payload): number {
  return payload.where === 'inline' ? payload.bytes.length : payload.blob.sizeBytes;
}

async function read(
  blobs: Pick<BlobStore, 'read'>,
  payload: Payload,
  start: number,
  end: number,
): Promise<Uint8Array> {
  if (payload.where === 'inline') return payload.bytes.subarray(start, end);
  return blobs.read(payload.blob.digest, start, Math.min(end, payload.blob.sizeBytes));
}
