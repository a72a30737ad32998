/** Brings what a run needs onto this vehicle: the image, the input, and the state that it goes on from. */
import { readFile } from 'node:fs/promises';
import type { BlobRef, FailureCode, Offer } from '@plugpool/proto';
import type { BlobPulls } from './blob-pulls.ts';
import type { BlobCache, Log } from './ports.ts';
import { unpackCheckpoint } from './runtimes/checkpoint-archive.ts';

export interface FetchSurroundings {
  readonly cache: BlobCache;
  readonly pulls: BlobPulls;
  readonly log: Log;
}

export interface WhoFetches {
  /** Where the image is, when it is here and pinned already. */
  readonly pinnedPath: string | undefined;
  /** False once the lease is over: then nothing more is fetched. */
  isWanted(): boolean;
  /** The image is held in the cache from now on, until whoever runs it lets it go. */
  pinned(): void;
}

export type FetchedForRun =
  | {
      readonly ok: true;
      readonly imagePath: string;
      readonly input: Uint8Array;
      readonly state: Uint8Array | undefined;
    }
  | { readonly ok: false; readonly code: FailureCode; readonly detail: string };

/** Undefined where nobody wants it any more. */
export async function fetchForRun(
  around: FetchSurroundings,
  offer: Offer,
  who: WhoFetches,
): Promise<FetchedForRun | undefined> {
  const { image, input, checkpoint, taskId } = offer;
  let missing: FailureCode = 'image_unavailable';
  try {
    const imagePath = who.pinnedPath ?? (await fetchImage(around, image, who));
    missing = 'input_unavailable';
    if (!who.isWanted()) return undefined;
    const bytes = input.where === 'inline' ? input.bytes : await fetchBytes(around, input.blob);
    if (!who.isWanted()) return undefined;
    const state = checkpoint === undefined ? undefined : await fetchBytes(around, checkpoint);
    around.log.debug({ taskId, image: image.digest }, 'image and input are here');
    const unpacked = state === undefined ? undefined : unpackCheckpoint(state);
    if (unpacked?.ok === false) return { ok: false, code: 'checkpoint_invalid', detail: unpacked.why };
    return { ok: true, imagePath, input: bytes, state };
  } catch (error) {
    around.log.warn({ taskId, code: missing, err: error }, 'an attempt could not start');
    return { ok: false, code: missing, detail: error instanceof Error ? error.message : String(error) };
  }
}

async function fetchImage(
  { cache, pulls }: FetchSurroundings,
  image: BlobRef,
  who: WhoFetches,
): Promise<string> {
  // It may be on its way already, for later.
  pulls.hurry(image.digest);
  const path = await cache.pin(image, () => pulls.pull(image));
  if (who.isWanted()) who.pinned();
  else cache.unpin(image.digest);
  return path;
}

/** Of an input or a checkpoint. */
async function fetchBytes({ cache, pulls }: FetchSurroundings, blob: BlobRef): Promise<Uint8Array> {
  const path = await cache.pin(blob, () => pulls.pull(blob));
  try {
    return await readFile(path);
  } finally {
    cache.unpin(blob.digest);
  }
}
