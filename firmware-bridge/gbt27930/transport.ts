/** Puts messages of more than 8 bytes together from the packets of J1939-21's transport protocol, as a third party that only listens. */
import type { Speaker } from './identifier.ts';

/** J1939-21 section 5.10.3: 255 packets of 7 bytes. GB/T 27930's longest message (BMV) has 512. */
const BYTES_MAX = 1785;
export const PACKET_BYTES = 7;
/** J1939-21 section 5.10.2.4: T2 and T3, the longest that either side waits. */
const SILENCE_MS_MAX = 1250;

/** First byte of a control frame, J1939-21 section 5.10.3. */
export const REQUEST_TO_SEND = 16;
const ABORT = 255;

export interface WholeMessage {
  readonly format: number;
  readonly data: Uint8Array;
}

/** A transfer under way. */
interface Transfer {
  readonly format: number;
  readonly data: Uint8Array;
  /** By packet number - 1. Packets may come twice: the receiver asks again for those that it missed. */
  readonly received: Uint8Array;
  missing: number;
  heardAtMs: number;
}

/**
 * One transfer for each of the two speakers at a time, as J1939-21 has it; a new request replaces what was under way. It does
 * not wait for the receiver's acknowledgement: when every packet was heard the message is known.
 */
export class TransportReassembly {
  readonly #transfers = new Map<Speaker, Transfer>();
  /** Transfers that never came to their end. */
  abandoned = 0;

  /** A control frame (format 0xEC). */
  control(by: Speaker, data: Uint8Array, nowMs: number): void {
    if (data[0] === REQUEST_TO_SEND) this.#begin(by, data, nowMs);
    else if (data[0] === ABORT) this.#abort(groupOf(data));
    // Clear to send and the acknowledgement come from the other side; neither changes what is in the packets.
  }

  /** A data frame (format 0xEB); the whole message where this was its last packet. */
  packet(by: Speaker, data: Uint8Array, nowMs: number): WholeMessage | undefined {
    const transfer = this.#transfers.get(by);
    if (transfer === undefined) return undefined;
    if (nowMs - transfer.heardAtMs > SILENCE_MS_MAX) {
      this.#drop(by);
      return undefined;
    }
    transfer.heardAtMs = nowMs;
    place(transfer, data);
    if (transfer.missing > 0) return undefined;
    this.#transfers.delete(by);
    return transfer;
  }

  #begin(by: Speaker, data: Uint8Array, nowMs: number): void {
    this.#drop(by);
    const [, low = 0, high = 0, packets = 0, , groupLow = 0, , groupHigh = 0] = data;
    const bytes = low + high * 256;
    const isSound = bytes > 8 && bytes <= BYTES_MAX && packets === Math.ceil(bytes / PACKET_BYTES);
    if (data.length < 8 || !isSound || groupLow !== 0 || groupHigh !== 0) return;
    this.#transfers.set(by, {
      format: groupOf(data),
      data: new Uint8Array(bytes),
      received: new Uint8Array(packets),
      missing: packets,
      heardAtMs: nowMs,
    });
  }

  /** Either side may abort: the frame says which message is meant, not whose. */
  #abort(format: number): void {
    for (const [by, transfer] of this.#transfers) if (transfer.format === format) this.#drop(by);
  }

  #drop(by: Speaker): void {
    if (this.#transfers.delete(by)) this.abandoned += 1;
  }
}

/** The format of the message that a control frame is about; the middle byte of its group number. */
export function groupOf(control: Uint8Array): number {
  return control[6] ?? 0;
}

function place(transfer: Transfer, packet: Uint8Array): void {
  const index = (packet[0] ?? 0) - 1;
  if (index < 0 || index >= transfer.received.length) return;
  const start = index * PACKET_BYTES;
  const part = packet.subarray(1, 1 + Math.min(PACKET_BYTES, transfer.data.length - start));
  // A packet that was cut says nothing: the transfer stays unfinished.
  if (part.length < Math.min(PACKET_BYTES, transfer.data.length - start)) return;
  transfer.data.set(part, start);
  if (transfer.received[index] === 0) transfer.missing -= 1;
  transfer.received[index] = 1;
}
