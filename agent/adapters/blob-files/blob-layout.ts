/** Where blobs lie: `blobs/ab/<sha256>`, and what is not whole yet under `blobs/partial/`. */
import type { Digest } from '@plugpool/proto';
import { mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BlobError } from './blob-error.ts';

const DIGEST = /^[0-9a-f]{64}$/;

export interface BlobLayout {
  readonly root: string;
  readonly partial: string;
  pathOf(digest: Digest): string;
  partialPathOf(digest: Digest): string;
}

export function blobLayout(dataDir: string): BlobLayout {
  const root = join(dataDir, 'blobs');
  const partial = join(root, 'partial');
  return {
    root,
    partial,
    pathOf: (digest) => join(root, digest.slice(0, 2), digest),
    partialPathOf: (digest) => join(partial, digest),
  };
}

export function isDigest(name: string): name is Digest {
  return DIGEST.test(name);
}

/** A digest becomes a path: nothing else may. */
export function assertDigest(digest: string): asserts digest is Digest {
  if (isDigest(digest)) return;
  throw new BlobError(
    'digest_malformed',
    `a digest is 64 lower-case hex characters, not ${digest.slice(0, 80)}`,
  );
}

/** Makes the directory of a path, and syncs its parent, so that the directory is there after a power cut. */
export async function makeParent(path: string): Promise<void> {
  const directory = dirname(path);
  const made = await mkdir(directory, { recursive: true, mode: 0o700 });
  if (made !== undefined) await syncDirectory(dirname(made));
}

/** A rename is on disk when its directory is. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
