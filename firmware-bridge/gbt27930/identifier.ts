/** Who says what to whom, by the 29-bit identifier of SAE J1939-21 as GB/T 27930-2015 section 6 uses it. */

export type Speaker = 'charger' | 'vehicle';

/** GB/T 27930-2015 section 6.5. */
const CHARGER = 0x56;
const VEHICLE = 0xf4;

/** PDU formats of the transport protocol, J1939-21 section 5.10. */
export const TRANSPORT_CONTROL = 0xec;
export const TRANSPORT_DATA = 0xeb;

export interface Address {
  readonly by: Speaker;
  /** The middle byte of the parameter group number; its other bytes are 0 in this protocol. */
  readonly format: number;
}

/** Undefined: not between these two, or not of this protocol. */
export function addressOf(id: number): Address | undefined {
  const by = speakerOf(id);
  // Extended data page and data page: both are 0 in this protocol. The priority says nothing that the format does not.
  if (by === undefined || ((id >>> 24) & 0b11) !== 0) return undefined;
  return { by, format: (id >>> 16) & 0xff };
}

function speakerOf(id: number): Speaker | undefined {
  const source = id & 0xff;
  const destination = (id >>> 8) & 0xff;
  if (source === CHARGER && destination === VEHICLE) return 'charger';
  return source === VEHICLE && destination === CHARGER ? 'vehicle' : undefined;
}
