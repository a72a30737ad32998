/** Reads the fields of a message: little-endian, scaled, all ones for "not available" (J1939-71 section 5.1.4). */

/** Present under `name` where the field says something. */
export type Known<Name extends string> = { readonly [Key in Name]?: number };

/** Tenths and hundredths are divided, not multiplied: 603.0 V must not become 603.0000000000001. */
export function u16<Name extends string>(
  name: Name,
  data: Uint8Array,
  at: number,
  perUnit: number,
  offset = 0,
): Known<Name> {
  const raw = (data[at] ?? 0xff) + (data[at + 1] ?? 0xff) * 256;
  return raw === 0xffff ? {} : named(name, raw / perUnit + offset);
}

export function u8<Name extends string>(name: Name, data: Uint8Array, at: number, offset = 0): Known<Name> {
  const raw = data[at] ?? 0xff;
  return raw === 0xff ? {} : named(name, raw + offset);
}

/** A current: 0.1 A, offset -400 A, negative into the vehicle; here positive into the vehicle. */
export function currentA<Name extends string>(name: Name, data: Uint8Array, at: number): Known<Name> {
  const raw = (data[at] ?? 0xff) + (data[at + 1] ?? 0xff) * 256;
  return raw === 0xffff ? {} : named(name, (4000 - raw) / 10);
}

/** Battery temperatures are sent with 50 °C added. */
export const TEMPERATURE_OFFSET_C = -50;

/** Two bits, from `shift` on. */
export function bits2(data: Uint8Array, at: number, shift: number): number {
  return ((data[at] ?? 0xff) >> shift) & 0b11;
}

/** Which of these two-bit fields say 01, in words; 10 is "not reliable" and 11 "not available", and neither is said. */
export function raised(
  data: Uint8Array,
  fields: readonly (readonly [at: number, shift: number, words: string])[],
): readonly string[] {
  return fields.filter(([at, shift]) => bits2(data, at, shift) === 0b01).map(([, , words]) => words);
}

function named<Name extends string>(name: Name, value: number): Known<Name> {
  return { [name]: value } as unknown as Known<Name>;
}
