/** Takes the vehicle's VIN and the battery's number out of frames of GB/T 27930, one frame at a time, and leaves the rest as it was. */
import type { CanFrame } from '../gbt27930/candump-line.ts';
import { addressOf, TRANSPORT_CONTROL, TRANSPORT_DATA, type Speaker } from '../gbt27930/identifier.ts';
import { REQUEST_TO_SEND } from '../gbt27930/transport.ts';

/** BRM, 7.2.4. */
const RECOGNITION = 0x02;
const PACKET_BYTES = 7;
/** Two speakers on each of many more buses than a station has. */
const TRANSFERS_MAX = 256;
/** The battery's number, when it was made and how often it was charged: together they name one battery. */
const BATTERY = { from: 12, to: 22, standIn: new Uint8Array(10) };
/** A vehicle identification number by its form, and nobody's. */
const VIN = { from: 24, to: 41, standIn: new TextEncoder().encode('MASKED00000000001') };

/** One for a recording: it remembers for each bus who is transferring what. */
export class FrameMask {
  readonly #transferring = new Map<string, number>();

  mask(frame: CanFrame): CanFrame {
    const address = addressOf(frame.id);
    if (address === undefined) return { ...frame, data: new Uint8Array(frame.data.byteLength) };
    const { by, format } = address;
    if (format === TRANSPORT_CONTROL) this.#control(frame, by);
    return format === TRANSPORT_DATA ? { ...frame, data: this.#packet(frame, by) } : frame;
  }

  #control({ bus, data }: CanFrame, by: Speaker): void {
    // The parameter group is the middle byte of three (J1939-21 section 5.10.3).
    if (data[0] !== REQUEST_TO_SEND) return;
    if (this.#transferring.size >= TRANSFERS_MAX) this.#transferring.clear();
    this.#transferring.set(`${bus} ${by}`, data[6] ?? RECOGNITION);
  }

  /** What is transferred is unknown where the request was not heard: no reader can use it, and nothing of it is kept. */
  #packet({ bus, data }: CanFrame, by: Speaker): Uint8Array {
    const format = this.#transferring.get(`${bus} ${by}`);
    if (format !== undefined && format !== RECOGNITION) return data;
    const packet = (data[0] ?? 0) - 1;
    return data.map((byte, index) => {
      if (index === 0) return byte;
      if (format === undefined) return 0;
      const at = packet * PACKET_BYTES + index - 1;
      return standInAt(at) ?? byte;
    });
  }
}

function standInAt(at: number): number | undefined {
  for (const { from, to, standIn } of [BATTERY, VIN]) if (at >= from && at < to) return standIn[at - from];
  return undefined;
}

/** As `candump -L` writes it. */
export function candumpLineOf({ atMs, bus, id, data }: CanFrame): string {
  const hex = Buffer.from(data).toString('hex').toUpperCase();
  return `(${(atMs / 1000).toFixed(6)}) ${bus} ${id.toString(16).padStart(8, '0').toUpperCase()}#${hex}`;
}
