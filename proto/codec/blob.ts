/** The chunks of images, inputs and outputs, which both sides ask for and answer; both ways. */
import type { BlobChunk, BlobPull, BlobRefused } from '../messages.ts';
import { BLOB_BYTES_MAX } from '../limits.ts';
import { BodyRefused } from './refusal.ts';
import {
  readBytes,
  readCode,
  readDigest,
  readInteger,
  writeDigest,
  writeInteger,
  writeText,
} from './values.ts';
import type { WireBlobChunk, WireBlobPull, WireBlobRefused } from './wire.ts';

export function readBlobPull(wire: WireBlobPull): BlobPull {
  const offset = readInteger(wire.offset);
  const length = readInteger(wire.length);
  if (offset + length > BLOB_BYTES_MAX) throw new BodyRefused('BlobPull: beyond the largest blob');
  return { kind: 'blobPull', digest: readDigest(wire.sha256, 'BlobPull.sha256'), offset, length };
}

export function writeBlobPull(body: BlobPull): WireBlobPull {
  return {
    sha256: writeDigest(body.digest),
    offset: writeInteger(body.offset, 'BlobPull.offset'),
    length: writeInteger(body.length, 'BlobPull.length'),
  };
}

export function readBlobChunk(wire: WireBlobChunk): BlobChunk {
  const offset = readInteger(wire.offset);
  const sizeBytes = readInteger(wire.sizeBytes);
  const data = readBytes(wire.data);
  if (offset + data.length > sizeBytes) throw new BodyRefused('BlobChunk: beyond the end of its blob');
  return { kind: 'blobChunk', digest: readDigest(wire.sha256, 'BlobChunk.sha256'), offset, data, sizeBytes };
}

export function writeBlobChunk(body: BlobChunk): WireBlobChunk {
  return {
    sha256: writeDigest(body.digest),
    offset: writeInteger(body.offset, 'BlobChunk.offset'),
    data: body.data,
    sizeBytes: writeInteger(body.sizeBytes, 'BlobChunk.size_bytes'),
  };
}

export function readBlobRefused(wire: WireBlobRefused): BlobRefused {
  return {
    kind: 'blobRefused',
    digest: readDigest(wire.sha256, 'BlobRefused.sha256'),
    code: readCode(wire.code, 'BlobRefused.code'),
    detail: wire.detail ?? '',
  };
}

export function writeBlobRefused(body: BlobRefused): WireBlobRefused {
  return { sha256: writeDigest(body.digest), code: body.code, detail: writeText(body.detail) };
}
