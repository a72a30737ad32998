/** How a run's output reaches the pile: small ones within the result, large ones as a file that the pile pulls. */
import { INLINE_BYTES_MAX, type Offer, type Payload } from '@plugpool/proto';
import type { OutputFiles } from './adapters/output-files.ts';
import type { BlobShelf } from './blob-shelf.ts';
import type { Conversation } from './conversation.ts';
import type { Log } from './ports.ts';

export interface OutputSurroundings {
  readonly outputs: OutputFiles;
  readonly shelf: BlobShelf;
  readonly conversation: Conversation;
  readonly log: Log;
}

export function fitsInline(
  { conversation }: Pick<OutputSurroundings, 'conversation'>,
  { limits }: Offer,
  output: Uint8Array,
): boolean {
  const welcomedMax = conversation.welcome?.inlineBytesMax ?? INLINE_BYTES_MAX;
  return output.length <= Math.min(welcomedMax, limits.inlineBytes ?? Infinity);
}

export type StoredOutput =
  { readonly ok: true; readonly payload: Payload } | { readonly ok: false; readonly detail: string };

/** Undefined where nobody wants it any more: the lease ended, or the donor, while it was written. */
export async function storeOutput(
  { outputs, shelf, log }: OutputSurroundings,
  { taskId }: Offer,
  output: Uint8Array,
  isWanted: () => boolean,
): Promise<StoredOutput | undefined> {
  try {
    const blob = await outputs.keep(output);
    const shelved = await outputs.shelve(blob);
    if (shelved === undefined || !isWanted()) return undefined;
    shelf.put(blob.digest, shelved);
    return { ok: true, payload: { where: 'blob', blob } };
  } catch (error) {
    log.error({ taskId, err: error }, 'a large output could not be written');
    const why = error instanceof Error ? error.message : String(error);
    return { ok: false, detail: `the donor could not store the output: ${why}` };
  }
}
