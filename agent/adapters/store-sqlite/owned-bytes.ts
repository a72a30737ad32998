/** Cuts inline payloads out of larger buffers before they go to another thread. */
import type { Payload } from '@plugpool/proto';

/**
 * A structured clone copies the whole buffer behind a view. A decoded payload is a view of its message, or of a socket's
 * 64 KiB read, so a hundred bytes of input would cost 64 KiB of copying.
 */
export function ownedBytes(payload: Payload): Payload {
  if (payload.where === 'blob') return payload;
  const bytes = owned(payload.bytes);
  return bytes === payload.bytes ? payload : { where: 'inline', bytes };
}

export function owned(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
}
