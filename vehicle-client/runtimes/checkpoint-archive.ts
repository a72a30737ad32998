/**
 * The files of `/checkpoint` as one run of bytes, the same for the same files: what a pile stores and the next donor unpacks.
 *
 *   "PPCK", u8 version 1, u32 number of files; for each file, in the order of the bytes of their paths:
 *   u16 length of the path, the path in UTF-8, u32 length of the content, the content. Numbers are little-endian.
 *
 * Parent and child both import it, so it imports nothing but what every JavaScript has. What comes in is a stranger's bytes.
 */

/** Of the whole archive; a test holds it equal to that of the wire (proto/limits.ts). */
export const CHECKPOINT_BYTES_MAX = 16 * 1024 * 1024;
export const CHECKPOINT_FILES_MAX = 256;
export const CHECKPOINT_PATH_BYTES_MAX = 1024;

const MAGIC = 0x4b435050;
const VERSION = 1;
const HEADER_BYTES = 9;
const FILE_HEADER_BYTES = 6;

export interface CheckpointFile {
  /** Relative to `/checkpoint`, its parts joined by `/`. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

export type Packed =
  { readonly ok: true; readonly archive: Uint8Array } | { readonly ok: false; readonly why: string };

export type Unpacked =
  | { readonly ok: true; readonly files: readonly CheckpointFile[] }
  | { readonly ok: false; readonly why: string };

/** A name that no checkpoint holds: where a program writes what is not whole yet. */
export function isPassingName(name: string): boolean {
  return name.startsWith('.') || name.endsWith('.tmp');
}

/** Copies what is there; refuses what is above the bounds. */
export function packCheckpoint(files: readonly CheckpointFile[]): Packed {
  const encoder = new TextEncoder();
  const entries = files.map(({ path, bytes }) => ({ path: encoder.encode(path), bytes }));
  entries.sort((a, b) => compareBytes(a.path, b.path));
  const sizeBytes = entries.reduce(
    (sum, { path, bytes }) => sum + FILE_HEADER_BYTES + path.byteLength + bytes.byteLength,
    HEADER_BYTES,
  );
  const why = whyTooLarge(entries, sizeBytes);
  if (why !== undefined) return { ok: false, why };
  const archive = new Uint8Array(sizeBytes);
  const view = new DataView(archive.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint8(4, VERSION);
  view.setUint32(5, entries.length, true);
  let at = HEADER_BYTES;
  for (const { path, bytes } of entries) {
    view.setUint16(at, path.byteLength, true);
    archive.set(path, at + 2);
    view.setUint32(at + 2 + path.byteLength, bytes.byteLength, true);
    archive.set(bytes, at + FILE_HEADER_BYTES + path.byteLength);
    at += FILE_HEADER_BYTES + path.byteLength + bytes.byteLength;
  }
  return { ok: true, archive };
}

function whyTooLarge(entries: readonly { readonly path: Uint8Array }[], sizeBytes: number) {
  if (entries.length > CHECKPOINT_FILES_MAX) return `${entries.length} files, above ${CHECKPOINT_FILES_MAX}`;
  if (entries.some(({ path }) => path.byteLength > CHECKPOINT_PATH_BYTES_MAX))
    return `a path of more than ${CHECKPOINT_PATH_BYTES_MAX} bytes`;
  return sizeBytes > CHECKPOINT_BYTES_MAX ? `${sizeBytes} bytes, above ${CHECKPOINT_BYTES_MAX}` : undefined;
}

/** The files of an archive, which share its memory; anything that packing would not have made is refused. */
export function unpackCheckpoint(archive: Uint8Array): Unpacked {
  try {
    return { ok: true, files: unpack(archive) };
  } catch (error) {
    return { ok: false, why: error instanceof Error ? error.message : String(error) };
  }
}

function unpack(archive: Uint8Array): CheckpointFile[] {
  const view = new DataView(archive.buffer, archive.byteOffset, archive.byteLength);
  must(archive.byteLength <= CHECKPOINT_BYTES_MAX, `it has more than ${CHECKPOINT_BYTES_MAX} bytes`);
  must(archive.byteLength >= HEADER_BYTES && view.getUint32(0, true) === MAGIC, 'it is no checkpoint');
  must(view.getUint8(4) === VERSION, `it is of version ${view.getUint8(4)}, not ${VERSION}`);
  const count = view.getUint32(5, true);
  must(count <= CHECKPOINT_FILES_MAX, `it has more than ${CHECKPOINT_FILES_MAX} files`);
  const files: CheckpointFile[] = [];
  let at = HEADER_BYTES;
  let before = new Uint8Array();
  const take = (length: number): number => {
    must(at + length <= archive.byteLength, 'it is cut off');
    return (at += length) - length;
  };
  for (let index = 0; index < count; index++) {
    const pathLength = view.getUint16(take(2), true);
    const path = archive.slice(at, take(pathLength) + pathLength);
    must(index === 0 || compareBytes(before, path) < 0, 'its paths are not in order');
    before = path;
    const length = view.getUint32(take(4), true);
    const start = take(length);
    files.push({ path: readPath(path), bytes: archive.subarray(start, start + length) });
  }
  must(at === archive.byteLength, 'something follows the last file');
  mustBeTree(files);
  return files;
}

function readPath(bytes: Uint8Array): string {
  must(bytes.byteLength <= CHECKPOINT_PATH_BYTES_MAX, 'a path is too long');
  const path = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  const isPlain = path.split('/').every((name) => name !== '' && !isPassingName(name));
  must(isPlain && !path.includes('\0'), `the path ${JSON.stringify(path.slice(0, 80))} has no place in it`);
  return path;
}

/** No file is a directory of another. */
function mustBeTree(files: readonly CheckpointFile[]): void {
  const paths = new Set(files.map(({ path }) => path));
  for (const path of paths)
    for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1))
      must(!paths.has(path.slice(0, slash)), 'a file of it is also a directory');
}

function must(holds: boolean, why: string): asserts holds {
  if (!holds) throw new Error(why);
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shorter = Math.min(a.byteLength, b.byteLength);
  for (let at = 0; at < shorter; at++) if (a[at] !== b[at]) return a[at]! - b[at]!;
  return a.byteLength - b.byteLength;
}
