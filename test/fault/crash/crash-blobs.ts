/** The files of blobs with crash points in an upload and after it. */
import { createBlobFiles as create } from '../../../agent/adapters/blob-files/blob-files.ts';
import type { BlobStore, BlobUpload } from '../../../agent/ports.ts';
import { pass } from './crash-points.ts';

export * from '../../../agent/adapters/blob-files/blob-files.ts';

export function createBlobFiles(options: Parameters<typeof create>[0]): BlobStore {
  const blobs = create(options);
  const upload = blobs.upload.bind(blobs);
  return Object.assign(blobs, {
    upload: async (...blob: Parameters<BlobStore['upload']>) => passing(await upload(...blob)),
  });
}

/** The same upload may be handed out twice. */
const passingOnes = new WeakSet<BlobUpload>();

function passing(upload: BlobUpload): BlobUpload {
  if (passingOnes.has(upload)) return upload;
  passingOnes.add(upload);
  const [write, finish] = [upload.write.bind(upload), upload.finish.bind(upload)];
  return Object.assign(upload, {
    write: async (offset: number, data: Uint8Array) => {
      await write(offset, data);
      pass('chunk written');
    },
    finish: async () => {
      await finish();
      pass('upload verified');
    },
  });
}
