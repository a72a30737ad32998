/** The memory that inline inputs and arguments take while their tasks wait and run, bounded in all and for each vehicle. */
import type { Payload } from '@plugpool/proto';
import type { TaskRecord } from '../records.ts';
import type { State, Task } from '../state.ts';

type InlineBytes = Pick<TaskRecord, 'input' | 'args' | 'wants'>;

export function inlineBytesOf({ input, args, wants }: InlineBytes): number {
  const argsLength = args.reduce((sum, arg) => sum + arg.length, 0);
  const { constraint = '', trust } = wants ?? {};
  const makes = trust?.whom === 'makes' ? trust.makes.join() : '';
  return argsLength + constraint.length + makes.length + (input.where === 'inline' ? input.bytes.length : 0);
}

/** `by` 1 counts the input of a task in, -1 out. */
export function countInline(state: State, record: TaskRecord, by: 1 | -1): void {
  const bytes = by * inlineBytesOf(record);
  if (bytes === 0) return;
  state.inlineBytes += bytes;
  const ofVehicle = (state.inlineBytesOf.get(record.vehicleId) ?? 0) + bytes;
  if (ofVehicle === 0) state.inlineBytesOf.delete(record.vehicleId);
  else state.inlineBytesOf.set(record.vehicleId, ofVehicle);
}

/** Most want nothing of their own: to leave a field out costs several times what a copy does. */
function withoutWants(record: TaskRecord): TaskRecord {
  if (record.wants === undefined) return record;
  const { wants: _wanted, ...rest } = record;
  return rest;
}

const FORGOTTEN: Payload = { where: 'inline', bytes: new Uint8Array(0) };

/** An ended task is not run again, and its output is read from disk when it is asked for. */
export function forgetPayloads(state: State, task: Task): void {
  countInline(state, task.record, -1);
  const input = task.record.input.where === 'inline' ? FORGOTTEN : task.record.input;
  task.record = { ...withoutWants(task.record), input, args: [] };
  if (task.end === undefined) return;
  const { output, outputs, ...end } = task.end;
  task.end = {
    ...end,
    ...(output?.where === 'blob' ? { output } : {}),
    ...(outputs === undefined ? {} : { outputs: outputs.filter(({ where }) => where === 'blob') }),
  };
}
