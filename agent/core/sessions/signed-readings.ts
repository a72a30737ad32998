/** What the meter of a connector signed during a stay, byte for byte: the first and the last of it. Pure. */
import { SIGNED_CHARS_MAX } from '../limits.ts';

/** OCMF, as the meter wrote it. */
export interface SignedReadings {
  readonly first: string;
  readonly last: string;
}

/** A document that is larger than any meter writes is not kept: a part of it would be worth nothing. */
export function withSigned(known: SignedReadings | undefined, data: string): SignedReadings | undefined {
  if (data.length > SIGNED_CHARS_MAX) return known;
  return { first: known?.first ?? data, last: data };
}
