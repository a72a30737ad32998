/** From the frames of one bus to what charger and vehicle say. It only listens, and holds one unfinished message of each. */
import type { Pseudonymize } from '../port.ts';
import type { CanFrame } from './candump-line.ts';
import { TRANSPORT_CONTROL, TRANSPORT_DATA, addressOf } from './identifier.ts';
import type { Address, Speaker } from './identifier.ts';
import { FORM_OF } from './message-table.ts';
import type { Message } from './message.ts';
import { TransportReassembly } from './transport.ts';

/** Somebody spoke; `message` where this frame made one whole. */
export interface Heard {
  readonly by: Speaker;
  readonly message?: Message;
}

export interface DecoderCounts {
  /** Not between charger and vehicle, or a message that the other would say. */
  readonly foreign: number;
  /** Shorter than either edition of the standard has it. */
  readonly short: number;
  /** Transfers of the transport protocol without end. */
  readonly abandoned: number;
}

export class Gbt27930Decoder {
  readonly #pseudonymize: Pseudonymize;
  readonly #transport = new TransportReassembly();
  #foreign = 0;
  #short = 0;

  constructor(pseudonymize: Pseudonymize) {
    this.#pseudonymize = pseudonymize;
  }

  get counts(): DecoderCounts {
    return { foreign: this.#foreign, short: this.#short, abandoned: this.#transport.abandoned };
  }

  /** Undefined for a frame that is none of this protocol's. Never throws. */
  take({ id, data }: CanFrame, nowMs: number): Heard | undefined {
    const address = addressOf(id);
    if (address === undefined) {
      this.#foreign += 1;
      return undefined;
    }
    const { by, format } = address;
    if (format === TRANSPORT_CONTROL) {
      this.#transport.control(by, data, nowMs);
      return { by };
    }
    if (format !== TRANSPORT_DATA) return this.#message(address, data);
    const whole = this.#transport.packet(by, data, nowMs);
    return whole === undefined ? { by } : (this.#message({ by, format: whole.format }, whole.data) ?? { by });
  }

  #message({ by, format }: Address, data: Uint8Array): Heard | undefined {
    const form = FORM_OF[format];
    if (form === undefined || form.by !== by) {
      this.#foreign += 1;
      return undefined;
    }
    if (data.length >= form.bytesMin) return { by, message: form.decode(data, this.#pseudonymize) };
    this.#short += 1;
    return { by };
  }
}
