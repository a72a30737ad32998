/** Cuts inline payloads out of larger buffers before they go to another thread. */
import type { Payload } from '@plugpool/proto';
import type { StoreChange, TaskEndRecord } from '../../core/records.ts';

/**
 * A structured clone copies the whole buffer behind a view. A decoded payload is a view of its message, or of a socket's
 * 64 KiB read, so a hundred bytes of input would cost 64 KiB of copying.
 */
export function ownedBytes(change: StoreChange): StoreChange {
  if (change.change === 'insertTask') {
    const input = owned(change.task.input);
    return input === change.task.input ? change : { ...change, task: { ...change.task, input } };
  }
  if (change.change === 'endTask') return { ...change, end: ownedEnd(change.end) };
  if (change.change === 'putInstance' && change.instance.result !== undefined) {
    const result = { ...change.instance.result, output: owned(change.instance.result.output) };
    return { ...change, instance: { ...change.instance, result } };
  }
  return change;
}

function ownedEnd(end: TaskEndRecord): TaskEndRecord {
  const { output, outputs } = end;
  return {
    ...end,
    ...(output && { output: owned(output) }),
    ...(outputs && { outputs: outputs.map(owned) }),
  };
}

function owned(payload: Payload): Payload {
  if (payload.where === 'blob') return payload;
  const { bytes } = payload;
  if (bytes.byteLength === bytes.buffer.byteLength) return payload;
  return { where: 'inline', bytes: new Uint8Array(bytes) };
}
