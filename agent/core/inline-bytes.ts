/** The memory that inline inputs take while their tasks wait and run, bounded in all and for each vehicle. */
import type { Payload } from '@plugpool/proto';
import type { TaskRecord } from './records.ts';
import type { State, Task } from './state.ts';

export function inlineBytesOf(payload: Payload | undefined): number {
  return payload?.where === 'inline' ? payload.bytes.length : 0;
}

/** `by` 1 counts the input of a task in, -1 out. */
export function countInline(state: State, record: TaskRecord, by: 1 | -1): void {
  const bytes = by * inlineBytesOf(record.input);
  if (bytes === 0) return;
  state.inlineBytes += bytes;
  const ofVehicle = (state.inlineBytesOf.get(record.vehicleId) ?? 0) + bytes;
  if (ofVehicle === 0) state.inlineBytesOf.delete(record.vehicleId);
  else state.inlineBytesOf.set(record.vehicleId, ofVehicle);
}

const FORGOTTEN: Payload = { where: 'inline', bytes: new Uint8Array(0) };

/** An ended task is not run again, and its output is read from disk when it is asked for. */
export function forgetPayloads(state: State, task: Task): void {
  countInline(state, task.record, -1);
  if (task.record.input.where === 'inline') task.record = { ...task.record, input: FORGOTTEN };
  if (task.end?.output?.where !== 'inline') return;
  const { output: _onDisk, ...end } = task.end;
  task.end = end;
}
