/** Where the lines of `candump -L` come from: a program, a pipe, a socket, standard input or a recording. Nothing is ever written to any. */
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { constants, createReadStream, openSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Socket, connect } from 'node:net';
import type { Readable } from 'node:stream';
import { FirmwareError } from '../firmware-error.ts';

/** A place that lines come from; opened again after it ended. */
export interface LineSource {
  readonly name: string;
  /**
   * Rejects where it cannot be opened now. The stream ends when the source does, and when the signal is aborted.
   * `paced`: a recording, whose lines are due at their own times; it is lived once.
   */
  open(signal: AbortSignal): Promise<{ readonly lines: AsyncIterable<Uint8Array>; readonly paced: boolean }>;
}

const CONNECT_MS_MAX = 10_000;
/** Of what a program says on its standard error. */
const COMPLAINT_CHARS_MAX = 200;
const INTERFACE_PATTERN = /^[A-Za-z0-9_.-]{1,15}$/;
/** As Linux calls them; a file is hardly ever called so. */
const BUS_PATTERN = /^(v|sl)?can\d+$/;
const HINT =
  'Write candump:can0, tcp://HOST:PORT, unix:/PATH, - for standard input, or the path of a pipe or a recording';

/** `candump:can0`, `tcp://host:port`, `unix:/path`, `-`, or a path. Throws a `FirmwareError` where it is none of these. */
export function parseLineSource(text: string): LineSource {
  if (text === '-') return streamSource('standard input', async () => process.stdin);
  if (text.startsWith('candump:')) return candumpSource(text.slice('candump:'.length));
  if (text.startsWith('tcp://')) return tcpSource(text);
  if (text.startsWith('unix:')) return unixSource(text.slice('unix:'.length));
  if (text === '' || /^[a-z]+:/.test(text)) {
    throw new FirmwareError('invalid_argument', `${JSON.stringify(text)} is no source of CAN frames`, HINT);
  }
  if (BUS_PATTERN.test(text)) {
    throw new FirmwareError(
      'invalid_argument',
      `${text} is an interface, and no source by itself`,
      `Write candump:${text}; a file of this name is ./${text}`,
    );
  }
  return fileSource(text);
}

function tcpSource(text: string): LineSource {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const port = Number(url?.port);
  if (url === undefined || url.hostname === '' || !(port >= 1) || url.pathname.length > 1) {
    throw new FirmwareError('invalid_argument', `${JSON.stringify(text)} is not tcp://HOST:PORT`, HINT);
  }
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return streamSource(text, () => connected(connect({ host, port, keepAlive: true })));
}

function unixSource(path: string): LineSource {
  if (!path.startsWith('/')) {
    throw new FirmwareError('invalid_argument', `unix:${path} is not a whole path`, HINT);
  }
  return streamSource(path, () => connected(connect({ path })));
}

/** Rejects, and leaves nothing open, where nobody answers. */
function connected(socket: Socket): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  socket.setTimeout(CONNECT_MS_MAX, () => socket.destroy(new Error('nobody answers')));
  socket.once('error', reject);
  socket.once('connect', () => {
    socket.setTimeout(0);
    socket.off('error', reject);
    resolve(socket);
  });
  return promise;
}

/** Starts the program itself, on this machine's own interface. */
function candumpSource(bus: string): LineSource {
  if (!INTERFACE_PATTERN.test(bus)) {
    throw new FirmwareError('invalid_argument', `${JSON.stringify(bus)} does not name an interface`, HINT);
  }
  return {
    name: `candump ${bus}`,
    async open(signal) {
      const child = spawn('candump', ['-L', bus], { stdio: ['ignore', 'pipe', 'pipe'], signal });
      const failed = new Promise<never>((_, reject) =>
        child.once('error', (error) => reject(asInstalled(error))),
      );
      failed.catch(() => undefined);
      await Promise.race([failed, once(child, 'spawn')]);
      return { lines: outputOf(child), paced: false };
    },
  };
}

type Program = ChildProcessByStdio<null, Readable, Readable>;

/** What it writes, then the reason for which it ended, where it gave one. */
async function* outputOf(child: Program): AsyncGenerator<Uint8Array> {
  let complaint = '';
  child.stderr.on(
    'data',
    (data: Buffer) => (complaint = `${complaint}${data.toString()}`.slice(-COMPLAINT_CHARS_MAX)),
  );
  const ended = once(child.stderr, 'close');
  try {
    yield* child.stdout as AsyncIterable<Uint8Array>;
  } finally {
    child.kill();
  }
  await ended;
  if (complaint.trim() !== '') throw new Error(complaint.trim());
}

function asInstalled(error: Error): Error {
  const isAbsent = (error as NodeJS.ErrnoException).code === 'ENOENT';
  return isAbsent ? new Error('candump is not installed (Debian: can-utils)', { cause: error }) : error;
}

/** A pipe is listened to, a recording is lived again. */
function fileSource(path: string): LineSource {
  return {
    name: path,
    async open(signal) {
      const found = await stat(path);
      if (!found.isFIFO()) return { lines: createReadStream(path, { signal }), paced: true };
      // Opened for writing too, it neither waits for a writer nor ends with one; nothing is written.
      const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
      return { lines: new Socket({ fd, readable: true, writable: false, signal }), paced: false };
    },
  };
}

function streamSource(name: string, openStream: () => Promise<Readable>): LineSource {
  return {
    name,
    async open(signal) {
      const stream = await openStream();
      if (signal.aborted) stream.destroy();
      signal.addEventListener('abort', () => stream.destroy(), { once: true });
      return { lines: stream, paced: false };
    },
  };
}
