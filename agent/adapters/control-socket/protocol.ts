/**
 * What passes over the control socket: one JSON object a line. A question is `{ id, verb, args }`, its answer
 * `{ id, ok: true, value }` or `{ id, ok: false, error: { code, detail, hint } }`; answers may come in another order.
 */
import type { Socket } from 'node:net';

export interface ControlError {
  readonly code: string;
  readonly detail: string;
  /** What to do about it. */
  readonly hint: string;
}

export type ControlAnswer =
  { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: ControlError };

/** A question: 128 KiB of an image in base64, and room for the rest. */
export const QUESTION_BYTES_MAX = 256 * 1024;
/** An answer: a thousand tasks with their histories. */
export const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
export const IMAGE_PART_BYTES_MAX = 128 * 1024;
/** What the kernel takes as a socket's path (`sun_path`), less the byte that ends it. */
const PATH_BYTES_MAX = 107;

/** The error to tell where a path is too long for a socket. */
export function pathProblem(path: string): ControlError | undefined {
  const bytes = Buffer.byteLength(path);
  if (bytes <= PATH_BYTES_MAX) return undefined;
  return {
    code: 'path_too_long',
    detail: `the control socket ${path} has a path of ${bytes} bytes; a socket can have ${PATH_BYTES_MAX}`,
    hint: 'choose a data directory with a shorter path (--data-dir)',
  };
}

/** Calls back for each whole line; a longer one than `lineBytesMax` calls `tooLong` and ends the reading. */
export function readLines(
  socket: Socket,
  lineBytesMax: number,
  onLine: (line: string) => void,
  tooLong: () => void,
): void {
  let parts: Buffer[] = [];
  let partBytes = 0;
  const onData = (chunk: Buffer): void => {
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      parts.push(chunk.subarray(from, end));
      const line = Buffer.concat(parts);
      [parts, partBytes, from] = [[], 0, end + 1];
      if (line.length > lineBytesMax) return stop();
      onLine(line.toString('utf8'));
    }
    parts.push(chunk.subarray(from));
    partBytes += chunk.length - from;
    if (partBytes > lineBytesMax) stop();
  };
  const stop = (): void => {
    socket.removeListener('data', onData);
    parts = [];
    tooLong();
  };
  socket.on('data', onData);
}
