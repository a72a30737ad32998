/** Reads a stream line by line, each line bounded; the two ends of the relay's tap. */
import type { Socket } from 'node:net';

const NEWLINE = 10;

/** Calls back for each whole line; one longer than `lineBytesMax` calls `tooLong` and ends the reading. */
export function readLines(
  socket: Socket,
  lineBytesMax: number,
  onLine: (line: string) => void,
  tooLong: () => void,
): void {
  let parts: Buffer[] = [];
  let partsBytes = 0;
  const stop = (): void => {
    socket.removeListener('data', onData);
    parts = [];
    tooLong();
  };
  const onData = (chunk: Buffer): void => {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      parts.push(chunk.subarray(from, end));
      partsBytes += end - from;
      if (partsBytes > lineBytesMax) return stop();
      const line = Buffer.concat(parts).toString('utf8');
      [parts, partsBytes, from] = [[], 0, end + 1];
      onLine(line);
    }
    parts.push(chunk.subarray(from));
    partsBytes += chunk.length - from;
    if (partsBytes > lineBytesMax) stop();
  };
  socket.on('data', onData);
}
