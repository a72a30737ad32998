/**
 * The changes that every task makes, as the bare values of their rows: on their way to the store's thread objects with their keys
 * cost twice as much, and there they would only be taken apart.
 */
import type { Payload, TaskId } from '@plugpool/proto';
import type { StoreChange } from '../../core/records.ts';
import { attemptRow, instanceRow } from './instances.ts';
import { ownedBytes } from './owned-bytes.ts';
import type { Row } from './row.ts';
import { endRow, largeBytes, smallBytes, taskRow } from './tasks.ts';

export type PackedChange =
  /** `small`: inline bytes that lie in the row, a letter each. `bytes`: those that are too many for it. */
  | {
      readonly change: 'insertTask';
      readonly row: Row;
      readonly small: string | null;
      readonly bytes: Uint8Array | undefined;
    }
  | {
      readonly change: 'endTask';
      readonly taskId: TaskId;
      readonly row: Row;
      readonly small: string | null;
      readonly bytes: Uint8Array | undefined;
      readonly outputs: readonly Payload[] | undefined;
    }
  | { readonly change: 'putInstance'; readonly row: Row }
  | { readonly change: 'insertAttempt'; readonly row: Row };

type Packed = PackedChange['change'];

/** What is done in the store's thread. */
export type StoreWrite = PackedChange | Exclude<StoreChange, { readonly change: Packed }>;

/** Its bytes are its own, cut out of whatever buffer they lay in. */
export function packChange(change: StoreChange): StoreWrite {
  switch (change.change) {
    case 'insertTask': {
      const { task } = change;
      const { input } = task;
      return { change: 'insertTask', row: taskRow(task), small: smallBytes(input), bytes: largeBytes(input) };
    }
    case 'endTask': {
      const { taskId, end } = change;
      const { output, outputs } = end;
      return {
        change: 'endTask',
        taskId,
        row: endRow(end),
        small: smallBytes(output),
        bytes: output && largeBytes(output),
        outputs: outputs?.map(ownedBytes),
      };
    }
    case 'putInstance':
      return { change: 'putInstance', row: instanceRow(change.instance) };
    case 'insertAttempt':
      return { change: 'insertAttempt', row: attemptRow(change.attempt) };
    default:
      return change;
  }
}

/** Tests, and tools that have no thread, hand over the changes themselves. */
export function packed(change: StoreChange | StoreWrite): StoreWrite {
  return 'row' in change ? change : packChange(change);
}
