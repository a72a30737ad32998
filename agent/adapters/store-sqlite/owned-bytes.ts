/** Cuts inline payloads out of larger buffers before they go to another thread. */
import type { Payload } from '@plugpool/proto';
import type { StoreChange } from '../../core/records.ts';

/**
 * A structured clone copies the whole buffer behind a view. A decoded payload is a view of its message, or of a socket's
 * 64 KiB read, so a hundred bytes of input would cost 64 KiB of copying.
 */
export function ownedBytes(change: StoreChange): StoreChange {
  if (change.change === 'insertTask') {
    const input = owned(change.task.input);
    return input === change.task.input ? change : { ...change, task: { ...change.task, input } };
  }
  if (change.change === 'endTask' && change.end.output !== undefined) {
    const output = owned(change.end.output);
    return output === change.end.output ? change : { ...change, end: { ...change.end, output } };
  }
  return change;
}

function owned(payload: Payload): Payload {
  if (payload.where === 'blob') return payload;
  const { bytes } = payload;
  if (bytes.byteLength === bytes.buffer.byteLength) return payload;
  return { where: 'inline', bytes: new Uint8Array(bytes) };
}
