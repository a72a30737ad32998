/**
 * Stands between a socket and Aedes: reads each packet's fixed header as its bytes arrive, before anything is buffered for
 * it, and closes, slows or holds the connection. Aedes has no packet limit of its own, and it goes on reading while a
 * message of the same client waits.
 *
 * It replaces the stream's `push`, through which a `net.Socket` and a `duplexPair` side alike hand on what they received:
 * no byte is copied and no second stream stands in the path. A chunk that must wait is kept here and `push` answers
 * false; the stream then believes that its read is still under way, asks the kernel for nothing more, and TCP slows the
 * sender. At most two chunks of 64 KiB can be kept: the rest of one that was passed on in part, and the next.
 *
 *   greeting  ── whole CONNECT passed on ──►  holding  ── admit() ──►  session  ⇄  slowed (no tokens) | held (hold())
 */
import type { Duplex } from 'node:stream';
import { TokenBucket } from './token-bucket.ts';

export type GuardViolation =
  /** The first packet is not a CONNECT, or a later one is. */
  | 'not_a_connect'
  /** The remaining length has a fifth byte [MQTT-2.2.3]. */
  | 'malformed_length'
  | 'packet_too_large'
  /** A packet that a client of this broker never sends: those of a server, of QoS 2, of MQTT 5, or none at all. */
  | 'unexpected_packet'
  /** Sent in such small pieces that keeping the pieces costs far more than the packet. */
  | 'fragmented'
  /** Sent faster than it may for so long that slowing it down is no answer. */
  | 'flooding';

export interface GuardOptions {
  readonly connectBytesMax: number;
  readonly messageBytesMax: number;
  readonly packetsPerSecondMax: number;
  /** How long a client may be slowed down without a break. */
  readonly slowedMsMax: number;
  monoMs(): number;
  violated(violation: GuardViolation): void;
  /** A PUBACK arrives; true when one is owed, and then it costs no token. */
  acknowledged(): boolean;
}

export interface PacketGuard {
  /** The client is accepted: from now on it may send what a session allows. */
  admit(): void;
  /** Nothing more is read until as many `release` calls. */
  hold(): void;
  release(): void;
  /** Forgets what it keeps; nothing passes any more. */
  close(): void;
}

const CONNECT = 1;
const PUBLISH = 3;
const PUBACK = 4;
/** PUBLISH, PUBACK, SUBSCRIBE, UNSUBSCRIBE, PINGREQ, DISCONNECT: bit n for type n. */
const SESSION_PACKETS = (1 << 3) | (1 << 4) | (1 << 8) | (1 << 10) | (1 << 12) | (1 << 14);
/** Pieces that one packet may come in, beside one for each 256 bytes of it (the smallest path that IPv4 expects has 536). */
const FRAGMENTS_MAX = 32;
const FRAGMENT_BYTES = 256;
/** What a session needs beside messages: a subscription, a ping now and then, a farewell; for each such packet the broker answers. */
const CONTROL_BYTES_MAX = 512;
const CONTROL_PACKETS = { burst: 64, perSecond: 16 };
/** Packets of one client, and bytes of them, in one turn of the event loop: then it is the turn of the others. */
const PACKETS_PER_TURN_MAX = 16;
const BYTES_PER_TURN_MAX = 8 * 1024;
/** A slowed client is let go on in steps of this, not packet by packet. */
const SLOWED_STEP_MS = 10;
const NEVER = -1;

export function guardPackets(stream: Duplex, options: GuardOptions): PacketGuard {
  const guard = new StreamGuard(stream, options);
  stream.push = (chunk: Buffer | null): boolean => guard.receive(chunk);
  return guard;
}

class StreamGuard implements PacketGuard {
  readonly #options: GuardOptions;
  readonly #pass: (chunk: Buffer | null) => boolean;
  readonly #bucket: TokenBucket;
  #phase: 'greeting' | 'holding' | 'session' | 'closed' = 'greeting';
  #holds = 0;
  #kept: Buffer[] = [];
  #hasEnded = false;
  readonly #control: TokenBucket;
  #turnPackets = 0;
  #turnBytes = 0;
  #yielded: NodeJS.Immediate | undefined;
  #slowedTimer: NodeJS.Timeout | undefined;
  #slowedSinceMs = NEVER;
  /** Bytes of the packet's body still to come. */
  #bodyLeft = 0;
  /** Where in a fixed header the last chunk ended: 0 before its first byte, then 1 and the length bytes read. */
  #headerBytes = 0;
  #fragments = 0;
  #type = 0;
  #length = 0;

  constructor(stream: Duplex, options: GuardOptions) {
    this.#options = options;
    this.#pass = stream.push.bind(stream);
    this.#bucket = new TokenBucket(
      { burst: options.packetsPerSecondMax, perSecond: options.packetsPerSecondMax },
      options.monoMs(),
    );
    this.#control = new TokenBucket(CONTROL_PACKETS, options.monoMs());
  }

  receive(chunk: Buffer | null): boolean {
    if (this.#phase === 'closed') return chunk === null ? this.#pass(null) : false;
    if (chunk === null) return this.#end();
    if (this.#isHeld()) {
      this.#kept.push(chunk);
      return false;
    }
    this.#beginTurn();
    return this.#passOn(chunk);
  }

  admit(): void {
    if (this.#phase !== 'holding') return;
    this.#phase = 'session';
    this.#passKept();
  }

  hold(): void {
    this.#holds += 1;
  }

  release(): void {
    this.#holds -= 1;
    this.#passKept();
  }

  close(): void {
    this.#phase = 'closed';
    this.#kept = [];
    clearTimeout(this.#slowedTimer);
    clearImmediate(this.#yielded);
  }

  #isHeld(): boolean {
    const isWaiting = this.#slowedTimer !== undefined || this.#yielded !== undefined;
    return this.#holds > 0 || isWaiting || this.#phase === 'holding';
  }

  #end(): boolean {
    if (this.#kept.length === 0) return this.#pass(null);
    this.#hasEnded = true;
    return false;
  }

  #passKept(): void {
    while (this.#kept.length > 0 && !this.#isHeld() && this.#phase !== 'closed') {
      const chunk = this.#kept.shift();
      if (chunk !== undefined) this.#passOn(chunk, 'first');
    }
    if (this.#hasEnded && this.#kept.length === 0) this.#pass(null);
  }

  /** Passes on as much of the chunk as may be read now and keeps the rest, before or after what is kept already. */
  #passOn(chunk: Buffer, rest: 'first' | 'last' = 'last'): boolean {
    const passed = this.#scan(chunk);
    if (passed === chunk.length) return this.#pass(chunk);
    if (passed < 0) return false;
    if (rest === 'first') this.#kept.unshift(chunk.subarray(passed));
    else this.#kept.push(chunk.subarray(passed));
    if (passed > 0) this.#pass(chunk.subarray(0, passed));
    return false;
  }

  /** How many bytes may pass; fewer than the chunk has when a packet in it must wait, -1 when the connection was closed. */
  #scan(chunk: Buffer): number {
    const nowMs = this.#options.monoMs();
    const tokens = this.#bucket.fill(nowMs);
    const controlTokens = this.#control.fill(nowMs);
    if (tokens >= this.#options.packetsPerSecondMax / 2 && controlTokens >= CONTROL_PACKETS.burst / 2)
      this.#slowedSinceMs = NEVER;
    if (this.#isTooFragmented()) return this.#violate('fragmented');
    let at = 0;
    while (at < chunk.length) {
      if (this.#headerBytes === 0 && this.#bodyLeft === 0) {
        if (this.#phase === 'holding') return at;
        if (this.#turnPackets >= PACKETS_PER_TURN_MAX || this.#turnBytes >= BYTES_PER_TURN_MAX)
          return this.#yield(at);
        const violation = this.#beginPacket(chunk[at] as number);
        if (violation === 'wait') return this.#slowDown(nowMs) ? at : -1;
        if (violation !== undefined) return this.#violate(violation);
        at += 1;
      }
      while (this.#headerBytes > 0 && at < chunk.length) {
        const violation = this.#readLengthByte(chunk[at++] as number);
        if (violation !== undefined) return this.#violate(violation);
      }
      const skipped = Math.min(this.#bodyLeft, chunk.length - at);
      at += skipped;
      this.#bodyLeft -= skipped;
      if (this.#phase === 'greeting' && this.#headerBytes === 0 && this.#bodyLeft === 0) {
        this.#phase = 'holding';
      }
    }
    return at;
  }

  /** Aedes' parser keeps each piece of an unfinished packet as an object of a few hundred bytes, however small it is. */
  #isTooFragmented(): boolean {
    if (this.#bodyLeft === 0) return false;
    this.#fragments += 1;
    return this.#fragments > FRAGMENTS_MAX + this.#length / FRAGMENT_BYTES;
  }

  #beginPacket(firstByte: number): GuardViolation | 'wait' | undefined {
    const type = firstByte >> 4;
    if (this.#phase === 'greeting' ? firstByte !== CONNECT << 4 : type === CONNECT) return 'not_a_connect';
    if (this.#phase === 'session') {
      if ((SESSION_PACKETS & (1 << type)) === 0) return 'unexpected_packet';
      const isFree = type === PUBACK && this.#options.acknowledged();
      if (!isFree) {
        if (!(type === PUBLISH ? this.#bucket : this.#control).take()) return 'wait';
        this.#turnPackets += 1;
      }
    }
    this.#type = type;
    this.#fragments = 0;
    this.#headerBytes = 1;
    this.#length = 0;
    return undefined;
  }

  #readLengthByte(byte: number): GuardViolation | undefined {
    this.#length += (byte & 0x7f) * 2 ** (7 * (this.#headerBytes - 1));
    if ((byte & 0x80) !== 0) {
      this.#headerBytes += 1;
      return this.#headerBytes > 4 ? 'malformed_length' : undefined;
    }
    if (this.#length > this.#bytesMax()) return 'packet_too_large';
    this.#headerBytes = 0;
    this.#bodyLeft = this.#length;
    this.#turnBytes += this.#length;
    return undefined;
  }

  #bytesMax(): number {
    if (this.#type === PUBLISH) return this.#options.messageBytesMax;
    return this.#type === CONNECT ? this.#options.connectBytesMax : CONTROL_BYTES_MAX;
  }

  #yield(at: number): number {
    this.#yielded = setImmediate(() => {
      this.#yielded = undefined;
      this.#beginTurn();
      this.#passKept();
    });
    return at;
  }

  #beginTurn(): void {
    this.#turnPackets = 0;
    this.#turnBytes = 0;
  }

  #violate(violation: GuardViolation): -1 {
    this.close();
    this.#options.violated(violation);
    return -1;
  }

  /** False when the client was slowed for too long and is closed instead. */
  #slowDown(nowMs: number): boolean {
    if (this.#slowedSinceMs === NEVER) this.#slowedSinceMs = nowMs;
    if (nowMs - this.#slowedSinceMs >= this.#options.slowedMsMax) {
      this.#violate('flooding');
      return false;
    }
    this.#slowedTimer = setTimeout(() => {
      this.#slowedTimer = undefined;
      this.#passKept();
    }, SLOWED_STEP_MS);
    return true;
  }
}
