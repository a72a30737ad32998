/**
 * The local socket at which the agent, or whoever records, reads what passes. It is of mode 0600: the frames name people and
 * cars. Nobody is waited for: a reader that does not read is dropped, and starts anew with what is remembered.
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { Logger } from 'pino';
import { BoundedLines } from '../../bounded-lines.ts';
import { FirmwareError } from '../../firmware-error.ts';
import { listenAt } from '../../own-socket.ts';
import { LINE_CHARS_MAX } from '../frame.ts';
import type { TapAbility, TapCall, TapLine, TapOutcome } from '../tap.ts';
import { TAP_READERS_MAX, TAP_UNREAD_BYTES_MAX } from './limits.ts';
import { parseTapCall } from './tap-call.ts';

export interface TapServerOptions {
  readonly path: string;
  readonly relayBootId: string;
  readonly allow: readonly TapAbility[];
  readonly log: Logger;
  /** What a new reader is told first. */
  readonly recalled: () => readonly TapLine[];
  /** Must not reject. */
  readonly call: (call: TapCall) => Promise<TapOutcome>;
}

interface Reader {
  readonly socket: Socket;
  /** What it may leave unread: more until it has taken what it was told first. */
  unreadBytesMax: number;
}

export class TapServer {
  readonly #options: TapServerOptions;
  readonly #server: Server;
  readonly #readers = new Set<Reader>();

  constructor(options: TapServerOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#serve(socket));
    this.#server.maxConnections = TAP_READERS_MAX;
  }

  /** Replaces the file that a dead relay left, never the socket of a living one. */
  async start(): Promise<void> {
    const { path } = this.#options;
    const listening = await listenAt(this.#server, path);
    if (listening.ok) return;
    throw listening.why === 'answered' ? inUse(path) : cannotListen(path, listening.cause);
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const { socket } of this.#readers) socket.destroySoon();
    await closed;
  }

  tell(line: TapLine): void {
    if (this.#readers.size === 0) return;
    const text = textOf(line);
    for (const reader of this.#readers) this.#write(reader, text);
  }

  #serve(socket: Socket): void {
    const { relayBootId, allow, recalled } = this.#options;
    const reader: Reader = { socket, unreadBytesMax: 0 };
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#readers.delete(reader));
    socket.on('drain', () => (reader.unreadBytesMax = TAP_UNREAD_BYTES_MAX));
    const lines = new BoundedLines(LINE_CHARS_MAX);
    socket.on('data', (chunk) => {
      for (const line of lines.push(chunk)) void this.#asked(reader, line);
    });
    const hello: TapLine = { t: 'hello', version: 1, relayBootId, allow };
    const texts = [hello, ...recalled()].map(textOf);
    reader.unreadBytesMax =
      TAP_UNREAD_BYTES_MAX + texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
    this.#readers.add(reader);
    this.#write(reader, texts.join(''));
    this.#options.log.info({ readers: this.#readers.size }, 'a reader of the tap came');
  }

  async #asked(reader: Reader, line: string | undefined): Promise<void> {
    const call = line === undefined ? undefined : parseTapCall(line);
    if (call === undefined) return this.#drop(reader, 'it asked for what is no call');
    const outcome = await this.#options.call(call);
    if (this.#readers.has(reader)) this.#write(reader, textOf({ t: 'answer', call: call.call, outcome }));
  }

  #write(reader: Reader, text: string): void {
    reader.socket.write(text);
    if (reader.socket.writableLength > reader.unreadBytesMax)
      this.#drop(reader, 'it does not read what it is told');
  }

  #drop(reader: Reader, why: string): void {
    this.#readers.delete(reader);
    reader.socket.destroy();
    this.#options.log.warn({ why }, 'a reader of the tap was dropped');
  }
}

function textOf(line: TapLine): string {
  return `${JSON.stringify(line)}\n`;
}

function inUse(path: string): FirmwareError {
  const hint = 'stop the other relay, or give this one a tap.path of its own';
  return new FirmwareError('invalid_argument', `another relay answers on ${path}`, hint);
}

function cannotListen(path: string, cause: unknown): FirmwareError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const hint =
    'tap.path must be in a directory of a local file system that the relay may write to, at most 107 bytes long';
  return new FirmwareError('invalid_argument', `cannot make the socket of the tap ${path}: ${why}`, hint, {
    cause,
  });
}
