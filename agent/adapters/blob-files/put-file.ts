/** Bytes that are all here become a blob: written beside, synced, and only then given their name. */
import type { Digest } from '@plugpool/proto';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { storeErrorOfFile } from '../../store-error.ts';
import { makeParent, syncDirectory, type BlobLayout } from './blob-layout.ts';
import { writeWhole } from './partial-upload.ts';

export async function putFile(
  layout: BlobLayout,
  temporary: string,
  bytes: Uint8Array,
  digest: Digest,
): Promise<void> {
  const path = layout.pathOf(digest);
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await writeWhole(file, bytes, 0);
      await file.sync();
    } finally {
      await file.close();
    }
    await makeParent(path);
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw storeErrorOfFile(error, `keep the blob ${digest}`);
  }
}
