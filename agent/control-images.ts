/** Images that an operator adds: they come part by part, and must be what their runtime runs. */
import type { Digest } from '@plugpool/proto';
import type { z } from 'zod';
import type { imagePartArgs } from './control-args.ts';
import { Refusal } from './control-refusal.ts';
import type { DiskRoom } from './blobs/disk-room.ts';
import type { BlobStore } from './ports.ts';
import { StoreError } from './store-error.ts';

const WASM_MAGIC = Buffer.from([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);

/** The same upload goes on with each part: the blob store gives back the one that is under way. */
export async function takeImagePart(
  blobs: BlobStore,
  room: Pick<DiskRoom, 'makeRoom' | 'spare'>,
  part: z.output<typeof imagePartArgs>,
) {
  const image = { digest: part.digest as Digest, sizeBytes: part.sizeBytes };
  const { countedBytes } = await room.spare();
  const upload = await blobs.upload(image, undefined, countedBytes);
  if (upload.nextOffset >= part.sizeBytes || part.offset !== upload.nextOffset)
    return { nextOffset: upload.nextOffset };
  const bytes = Buffer.from(part.dataBase64, 'base64');
  if (bytes.length === 0 || part.offset + bytes.length > part.sizeBytes)
    throw new Refusal(
      'invalid_argument',
      'the part does not fit the size of the image',
      'add the image again',
    );
  await room.makeRoom(bytes.length);
  await upload.write(part.offset, bytes);
  const nextOffset = part.offset + bytes.length;
  if (nextOffset === part.sizeBytes) await finishImage(upload, part.digest);
  return { nextOffset };
}

async function finishImage(upload: { finish(): Promise<void> }, expected: string): Promise<void> {
  await upload.finish().catch((error: unknown) => {
    if (error instanceof StoreError) throw error;
    throw new Refusal(
      'digest_mismatch',
      `the bytes that arrived are not those of sha256 ${expected}`,
      'was the file changed meanwhile? add it again',
    );
  });
}

export async function checkImage(
  blobs: BlobStore,
  runtime: string,
  { digest, sizeBytes }: { readonly digest: Digest; readonly sizeBytes: number },
): Promise<void> {
  if (blobs.sizeOf(digest) !== sizeBytes)
    throw new Refusal(
      'image_missing',
      `the agent does not hold an image ${digest}`,
      'send its parts first (plugpool algorithms add does)',
    );
  const head = Buffer.from(await blobs.read(digest, 0, WASM_MAGIC.length));
  const isWasm = head.equals(WASM_MAGIC);
  if (runtime === 'wasm' && !isWasm)
    throw new Refusal(
      'image_invalid',
      'the file is no WebAssembly module: it does not begin with \\0asm, version 1',
      'give the .wasm file; a .wat text or a component must be compiled to a core module first',
    );
  if (runtime === 'onnx' && isWasm)
    throw new Refusal(
      'image_invalid',
      'the file is a WebAssembly module, not an ONNX model',
      'say --runtime wasm',
    );
}
