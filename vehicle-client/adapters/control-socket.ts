/** The owner's way to a running donor: a Unix socket of mode 0600 in its data directory, one JSON line a question and an answer. */
import { chmodSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { PlugpoolError } from '../errors.ts';

const LINE_BYTES_MAX = 64 * 1024;
const ASK_TIMEOUT_MS = 5_000;
const CONNECTIONS_MAX = 16;
/** What the kernel takes as a socket's path, less the byte that ends it. */
const PATH_BYTES_MAX = 107;

export type ControlAnswer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: string; readonly message: string; readonly hint: string };

export class ControlServer {
  readonly #path: string;
  readonly #answer: (question: unknown) => ControlAnswer | Promise<ControlAnswer>;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(path: string, answer: (question: unknown) => ControlAnswer | Promise<ControlAnswer>) {
    this.#path = path;
    this.#answer = answer;
    this.#server = createServer((socket) => this.#serve(socket));
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** Whoever starts this holds the data directory: a socket that is there already is a leftover. */
  async start(): Promise<void> {
    if (Buffer.byteLength(this.#path) > PATH_BYTES_MAX) {
      throw new PlugpoolError({
        code: 'data_dir_too_long',
        message: `${this.#path} is too long for the path of a socket (${PATH_BYTES_MAX} bytes)`,
        hint: 'use a data directory with a shorter path',
        retryable: false,
      });
    }
    rmSync(this.#path, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#path, () => {
        this.#server.removeListener('error', reject);
        resolve();
      });
    });
    // The directory's mode, 0700, keeps others out until here.
    chmodSync(this.#path, 0o600);
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    readLine(socket, (line) => {
      void this.#answerLine(line).then((answer) => socket.end(`${JSON.stringify(answer)}\n`));
    });
  }

  /** Never rejects. */
  async #answerLine(line: string): Promise<ControlAnswer> {
    try {
      return await this.#answer(JSON.parse(line));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return { ok: false, code: 'malformed', message, hint: 'ask with one JSON object on one line' };
    }
  }
}

/** Asks the donor that serves this socket; rejects where none runs. */
export async function askDonor(path: string, question: unknown): Promise<unknown> {
  const answer = await exchange(path, JSON.stringify(question));
  if (answer.ok) return answer.value;
  throw new PlugpoolError({ ...answer, retryable: false });
}

function exchange(path: string, line: string): Promise<ControlAnswer> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path, () => socket.write(`${line}\n`));
    socket.setTimeout(ASK_TIMEOUT_MS, () =>
      socket.destroy(new Error(`no answer within ${ASK_TIMEOUT_MS / 1000} s`)),
    );
    socket.on('error', (cause: NodeJS.ErrnoException) => reject(noDonor(path, cause)));
    socket.on('close', () => reject(noDonor(path, new Error('it closed the connection'))));
    readLine(socket, (answer) => {
      resolve(JSON.parse(answer) as ControlAnswer);
      socket.destroy();
    });
  });
}

function noDonor(path: string, cause: NodeJS.ErrnoException): PlugpoolError {
  const isAbsent = cause.code === 'ENOENT' || cause.code === 'ECONNREFUSED';
  return new PlugpoolError({
    code: isAbsent ? 'donor_not_running' : 'donor_unreachable',
    message: isAbsent
      ? `no donor runs with ${path}`
      : `the donor at ${path} does not answer: ${cause.message}`,
    hint: 'start one with "plugpool-vehicle donate", or say with --vehicle or --data-dir which one you mean',
    retryable: true,
    cause,
  });
}

function readLine(socket: Socket, onLine: (line: string) => void): void {
  let text = '';
  socket.setEncoding('utf8');
  const onData = (part: string): void => {
    text += part;
    const end = text.indexOf('\n');
    if (end < 0 && text.length > LINE_BYTES_MAX) socket.destroy(new Error('the line is too long'));
    if (end < 0) return;
    socket.removeListener('data', onData);
    onLine(text.slice(0, end));
  };
  socket.on('data', onData);
}
