/** A side that is reached over a WebSocket: texts pass as they are, silence and what piles up are bounded. */
import { WebSocket, type RawData } from 'ws';
import { CLOSE_MS_MAX, STUCK_MS_MAX, UNSENT_BYTES_HIGH, UNSENT_BYTES_LOW } from './limits.ts';
import type { Gone, Peer, PeerListener } from './peer.ts';

const CLOSE_UNSUPPORTED_DATA = 1003;
const CLOSE_ABNORMAL = 1006;

export class SocketPeer implements Peer {
  readonly #socket: WebSocket;
  readonly #pingEveryMs: number;
  #listener: PeerListener | undefined;
  #isHeard = true;
  #isClosedByUs = false;
  #isPaused = false;
  #pingTimer: NodeJS.Timeout | undefined;
  #stuckTimer: NodeJS.Timeout | undefined;
  #closeTimer: NodeJS.Timeout | undefined;

  /** `pingEveryMs` 0: never asked whether it is still there. The socket is open. */
  constructor(socket: WebSocket, pingEveryMs: number) {
    this.#socket = socket;
    this.#pingEveryMs = pingEveryMs;
  }

  listen(listener: PeerListener): void {
    this.#listener = listener;
    const socket = this.#socket;
    socket.on('message', (data, isBinary) => this.#received(data, isBinary));
    socket.on('ping', () => (this.#isHeard = true));
    socket.on('pong', () => (this.#isHeard = true));
    // What a peer must not send (too long a frame, text that is no UTF-8): ws answers with the code that is due, and closes.
    socket.on('error', () => undefined);
    socket.on('close', (code, reason) => this.#closed(code, reason.toString()));
    if (this.#pingEveryMs > 0) this.#pingTimer = setInterval(() => this.#ping(), this.#pingEveryMs);
  }

  send(text: string): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#socket.send(text, () => this.#drained());
    if (this.#stuckTimer !== undefined || this.#socket.bufferedAmount <= UNSENT_BYTES_HIGH) return;
    this.#stuckTimer = setTimeout(() => this.cut(), STUCK_MS_MAX);
    this.#listener?.onFull(true);
  }

  close(code: number, reason: string): void {
    this.#isClosedByUs = true;
    // A paused socket would never read the answer.
    this.resume();
    if (isSendable(code)) this.#socket.close(code, reason);
    else this.#socket.close();
    this.#closeTimer ??= setTimeout(() => this.#socket.terminate(), CLOSE_MS_MAX);
  }

  cut(): void {
    this.#socket.terminate();
  }

  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#isHeard = true;
    this.#socket.resume();
  }

  #received(data: RawData, isBinary: boolean): void {
    this.#isHeard = true;
    // OCPP-J is text; a binary frame is none.
    if (isBinary) return this.close(CLOSE_UNSUPPORTED_DATA, 'OCPP-J is text');
    // ws gives a Buffer unless told otherwise, and has checked that it is UTF-8: it comes out as it came in.
    this.#listener?.onText((data as Buffer).toString('utf8'));
  }

  #drained(): void {
    if (this.#stuckTimer === undefined || this.#socket.bufferedAmount > UNSENT_BYTES_LOW) return;
    clearTimeout(this.#stuckTimer);
    this.#stuckTimer = undefined;
    this.#listener?.onFull(false);
  }

  /** Whoever said nothing since the last ping, not even its pong, is not there. */
  #ping(): void {
    if (this.#isPaused) return;
    if (!this.#isHeard) return this.cut();
    this.#isHeard = false;
    this.#socket.ping();
  }

  #closed(code: number, reason: string): void {
    clearInterval(this.#pingTimer);
    clearTimeout(this.#stuckTimer);
    clearTimeout(this.#closeTimer);
    const by: Gone['by'] = this.#isClosedByUs ? 'us' : code === CLOSE_ABNORMAL ? 'line' : 'peer';
    this.#listener?.onGone({ by, code, reason });
  }
}

/** RFC 6455 7.4: 1004 to 1006 and 1015 are never on the wire; below 3000 only those that are assigned. */
function isSendable(code: number): boolean {
  if (code >= 3000) return code <= 4999;
  return code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code);
}
