/** Compares two results that the core cannot compare itself: slice by slice, and JSON, which is read whole, in a thread. */
import type { Payload } from '@plugpool/proto';
import type { Comparison } from './core/records.ts';
import { comparing, toleranceOfJson } from './core/replicas/compare.ts';
import type { BlobStore } from './ports.ts';

const EMPTY = new Uint8Array(0);

export interface CompareSurroundings {
  readonly blobs: Pick<BlobStore, 'read'>;
  /** Off the event loop: it takes seconds for what is read whole. */
  readonly sameJson: (texts: readonly [Uint8Array, Uint8Array], tolerance: number) => Promise<boolean>;
}

export async function comparePayloads(
  { blobs, sameJson }: CompareSurroundings,
  [a, b]: readonly [Payload, Payload],
  compare: Comparison,
): Promise<boolean> {
  const sizes = [sizeOf(a), sizeOf(b)] as const;
  const tolerance = toleranceOfJson(sizes, compare);
  if (tolerance !== undefined) {
    const texts = [await read(blobs, a, 0, sizes[0]), await read(blobs, b, 0, sizes[1])] as const;
    return sameJson(texts, tolerance);
  }
  const run = comparing(sizes, compare);
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
