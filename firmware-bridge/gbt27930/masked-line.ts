/**
 * Writes frames as `candump -L` does, for a recording, with what names a car left out: its VIN, and number, date and charges of its
 * battery, all in BRM. A packet that nobody announced could be part of one, and what strangers say could be anything: they are left out
 * whole.
 */
import type { CanFrame } from './candump-line.ts';
import { TRANSPORT_CONTROL, TRANSPORT_DATA, addressOf } from './identifier.ts';
import { REQUEST_TO_SEND, PACKET_BYTES, groupOf } from './transport.ts';

/** BRM's format, and where in it (GB/T 27930-2015, 7.2.4) stand what is particular to the battery, and the VIN. */
const BRM = 0x02;
/** More than any station has; beyond it, packets are announced anew before they are believed. */
const BUSES_MAX = 256;
const NAMING = [
  [12, 22],
  [24, 41],
] as const;

export class MaskedLines {
  /** By bus: what the vehicle's packets belong to; undefined: not known. */
  readonly #groups = new Map<string, number>();

  /** One line, without its end. */
  of(frame: CanFrame): string {
    const { atMs, bus, id } = frame;
    const data = Buffer.from(this.#masked(frame)).toString('hex').toUpperCase();
    return `(${(atMs / 1000).toFixed(6)}) ${bus} ${id.toString(16).toUpperCase().padStart(8, '0')}#${data}`;
  }

  #masked({ bus, id, data }: CanFrame): Uint8Array {
    const address = addressOf(id);
    // A message of its own that claims to be a BRM is too short to be one, and may still hold a name.
    if (address === undefined || address.format === BRM) return new Uint8Array(data.length);
    if (address.by !== 'vehicle') return data;
    if (address.format === TRANSPORT_CONTROL && data[0] === REQUEST_TO_SEND)
      this.#announced(bus, groupOf(data));
    if (address.format !== TRANSPORT_DATA) return data;
    const group = this.#groups.get(bus);
    if (group === undefined) return data.map((byte, at) => (at === 0 ? byte : 0));
    return group === BRM ? withoutNames(data) : data;
  }

  #announced(bus: string, group: number): void {
    if (this.#groups.size >= BUSES_MAX) this.#groups.clear();
    this.#groups.set(bus, group);
  }
}

function withoutNames(packet: Uint8Array): Uint8Array {
  const start = ((packet[0] ?? 1) - 1) * PACKET_BYTES;
  return packet.map((byte, at) => {
    const position = start + at - 1;
    const names = NAMING.some(([from, to]) => position >= from && position < to);
    return at > 0 && names ? 0 : byte;
  });
}
