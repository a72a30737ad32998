/** The protocol version that begins CHM and BRM: a byte, then two bytes little-endian; `01 01 00` is 1.1. */
export function versionOf(data: Uint8Array): string {
  return `${(data[1] ?? 0) + (data[2] ?? 0) * 256}.${data[0] ?? 0}`;
}
