/** The messages of GB/T 27930-2015 (tables 6 to 10): number, speaker, length, and how each is read. */
import type { Pseudonymize } from '../port.ts';
import { decodeCcs, decodeChm, decodeCml, decodeCrm, decodeCsd, decodeCts } from './decode-charger.ts';
import { decodeBem, decodeBst, decodeCem, decodeCst } from './decode-stop.ts';
import {
  decodeBcl,
  decodeBcp,
  decodeBcs,
  decodeBhm,
  decodeBrm,
  decodeBsd,
  decodeBsm,
} from './decode-vehicle.ts';
import type { Speaker } from './identifier.ts';
import type { Message, MessageKind } from './message.ts';

interface MessageForm {
  readonly kind: MessageKind;
  /** The middle byte of its parameter group number: 0x26 of PGN 0x002600. */
  readonly format: number;
  readonly by: Speaker;
  /** As short as either edition (2011, 2015) has it. */
  readonly bytesMin: number;
  readonly decode: (data: Uint8Array, pseudonymize: Pseudonymize) => Message;
}

const READY = 0xaa;

export const MESSAGES: readonly MessageForm[] = [
  { kind: 'CRM', format: 0x01, by: 'charger', bytesMin: 1, decode: decodeCrm },
  { kind: 'BRM', format: 0x02, by: 'vehicle', bytesMin: 41, decode: decodeBrm },
  { kind: 'BCP', format: 0x06, by: 'vehicle', bytesMin: 13, decode: decodeBcp },
  { kind: 'CTS', format: 0x07, by: 'charger', bytesMin: 7, decode: decodeCts },
  { kind: 'CML', format: 0x08, by: 'charger', bytesMin: 6, decode: decodeCml },
  {
    kind: 'BRO',
    format: 0x09,
    by: 'vehicle',
    bytesMin: 1,
    decode: (data) => ({ kind: 'BRO', ready: data[0] === READY }),
  },
  {
    kind: 'CRO',
    format: 0x0a,
    by: 'charger',
    bytesMin: 1,
    decode: (data) => ({ kind: 'CRO', ready: data[0] === READY }),
  },
  { kind: 'BCL', format: 0x10, by: 'vehicle', bytesMin: 5, decode: decodeBcl },
  { kind: 'BCS', format: 0x11, by: 'vehicle', bytesMin: 9, decode: decodeBcs },
  { kind: 'CCS', format: 0x12, by: 'charger', bytesMin: 6, decode: decodeCcs },
  { kind: 'BSM', format: 0x13, by: 'vehicle', bytesMin: 7, decode: decodeBsm },
  { kind: 'BMV', format: 0x15, by: 'vehicle', bytesMin: 0, decode: () => ({ kind: 'BMV' }) },
  { kind: 'BMT', format: 0x16, by: 'vehicle', bytesMin: 0, decode: () => ({ kind: 'BMT' }) },
  { kind: 'BSP', format: 0x17, by: 'vehicle', bytesMin: 0, decode: () => ({ kind: 'BSP' }) },
  { kind: 'BST', format: 0x19, by: 'vehicle', bytesMin: 4, decode: decodeBst },
  { kind: 'CST', format: 0x1a, by: 'charger', bytesMin: 4, decode: decodeCst },
  { kind: 'BSD', format: 0x1c, by: 'vehicle', bytesMin: 7, decode: decodeBsd },
  { kind: 'CSD', format: 0x1d, by: 'charger', bytesMin: 4, decode: decodeCsd },
  { kind: 'BEM', format: 0x1e, by: 'vehicle', bytesMin: 4, decode: decodeBem },
  { kind: 'CEM', format: 0x1f, by: 'charger', bytesMin: 4, decode: decodeCem },
  { kind: 'CHM', format: 0x26, by: 'charger', bytesMin: 3, decode: decodeChm },
  { kind: 'BHM', format: 0x27, by: 'vehicle', bytesMin: 2, decode: decodeBhm },
];

/** By format, for the one look-up that every frame costs. */
export const FORM_OF: readonly (MessageForm | undefined)[] = Array.from({ length: 256 }, (_, format) =>
  MESSAGES.find((form) => form.format === format),
);
