/** What a refused body is told, for tests of the codec. */
import assert from 'node:assert/strict';
import { decodeUpFrame, type decodeDownFrame, type Reason } from '@plugpool/proto';

type Decode = typeof decodeUpFrame | typeof decodeDownFrame;

/** The reason for which the only body of a frame was refused; it carries the correlation id 77 of `frameOf`. */
export function refusalOf(bytes: Uint8Array, decode: Decode = decodeUpFrame): Reason {
  const decoded = decode(bytes);
  assert.ok(decoded.ok, 'the frame itself is good');
  assert.deepEqual(decoded.envelopes, []);
  const [rejected] = decoded.rejected;
  assert.ok(rejected);
  assert.equal(rejected.correlationId, 77);
  return rejected.reason;
}

export function assertRefused(bytes: Uint8Array, detail: string, decode: Decode = decodeUpFrame): void {
  const reason = refusalOf(bytes, decode);
  assert.equal(reason.detail, detail);
  assert.equal(reason.code, 'malformed');
}
