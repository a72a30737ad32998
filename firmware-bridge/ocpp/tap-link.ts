/** The agent's end of the relay's tap: connects, and connects again when it is lost. */
import { createConnection } from 'node:net';
import type { Duplex } from 'node:stream';
import { BoundedLines } from '../bounded-lines.ts';
import type { FirmwareClock } from '../clock.ts';
import { LINE_CHARS_MAX } from './frame.ts';
import { parseTapLine } from './tap-line.ts';
import type { TapLine } from './tap.ts';

export interface TapLinkOptions {
  readonly path: string;
  /** How the path is reached; absent: as a local socket. */
  readonly connect?: ((path: string) => Duplex) | undefined;
  readonly clock: FirmwareClock;
  readonly onLine: (line: TapLine) => void;
  /** Once for each connection that had been there, and once for the first that failed after it. */
  readonly onLost: (why: string) => void;
}

const RETRY_FIRST_MS = 100;
const RETRY_MS_MAX = 5_000;
const VERSION = 1;

export class TapLink {
  readonly #options: TapLinkOptions;
  #socket: Duplex | undefined;
  #isGreeted = false;
  #retryMs = RETRY_FIRST_MS;
  #cancelRetry: (() => void) | undefined;
  #isStopped = false;
  #isLostTold = false;

  constructor(options: TapLinkOptions) {
    this.#options = options;
  }

  start(): void {
    const { path, connect = createConnection } = this.#options;
    const socket = connect(path);
    const lines = new BoundedLines(LINE_CHARS_MAX);
    this.#socket = socket;
    let why = 'the relay closed its tap';
    socket.on('error', (error: Error) => (why = error.message));
    socket.on('data', (chunk) => {
      for (const text of lines.push(chunk as Uint8Array)) this.#take(socket, text);
    });
    socket.on('end', () => socket.destroy());
    socket.on('close', () => this.#lost(socket, why));
  }

  /** Nothing is heard after it. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelRetry?.();
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket === undefined || socket.closed) return;
    await new Promise<void>((resolve) => {
      socket.once('close', () => resolve());
      socket.destroy();
    });
  }

  /** False where nobody is there to hear it. */
  send(line: object): boolean {
    if (this.#socket === undefined || !this.#isGreeted) return false;
    this.#socket.write(`${JSON.stringify(line)}\n`);
    return true;
  }

  /** One that is too long is no frame that we read; one that is not known comes from a later relay. */
  #take(socket: Duplex, text: string | undefined): void {
    if (this.#isStopped || this.#socket !== socket || text === undefined) return;
    const line = parseTapLine(text);
    if (line === undefined) return;
    if (line.t === 'hello' && (line.version as number) !== VERSION)
      return void socket.destroy(new Error(`the relay speaks version ${String(line.version)} of the tap`));
    if (line.t === 'hello') {
      this.#retryMs = RETRY_FIRST_MS;
      this.#isLostTold = false;
      this.#isGreeted = true;
    }
    this.#options.onLine(line);
  }

  #lost(socket: Duplex, why: string): void {
    if (this.#isStopped || this.#socket !== socket) return;
    this.#socket = undefined;
    this.#isGreeted = false;
    if (!this.#isLostTold) this.#options.onLost(why);
    this.#isLostTold = true;
    this.#cancelRetry = this.#options.clock.setTimer(this.#retryMs, () => this.start());
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX);
  }
}
