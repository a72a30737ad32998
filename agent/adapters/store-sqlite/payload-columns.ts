/** How a payload lies in its columns: a blob by digest and size; inline bytes in a column or table beside. */
import type { Digest, Payload } from '@plugpool/proto';

export interface PayloadColumns {
  readonly digest: string | null;
  readonly sizeBytes: number;
}

export function payloadColumns(payload: Payload): PayloadColumns {
  return payload.where === 'blob'
    ? { digest: payload.blob.digest, sizeBytes: payload.blob.sizeBytes }
    : { digest: null, sizeBytes: payload.bytes.byteLength };
}

/** `readInline` is called only where there are inline bytes. */
export function payloadOf(columns: PayloadColumns, readInline: () => Buffer | undefined): Payload {
  if (columns.digest !== null) {
    return { where: 'blob', blob: { digest: columns.digest as Digest, sizeBytes: columns.sizeBytes } };
  }
  if (columns.sizeBytes === 0) return { where: 'inline', bytes: new Uint8Array() };
  const bytes = readInline();
  if (bytes?.byteLength !== columns.sizeBytes) throw new Error('inline bytes of a payload are missing');
  return { where: 'inline', bytes: new Uint8Array(bytes) };
}
