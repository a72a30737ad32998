/** For which vehicle each blob of a task is held: who asked for the task, whoever sent the bytes. */
import type { Digest, Payload, VehicleId } from '@plugpool/proto';
import type { State, Task } from '../state.ts';

export interface HeldFor {
  readonly digest: Digest;
  readonly vehicleId: VehicleId;
}

/** Of all tasks that are in memory: those that have not been acknowledged. */
export function* blobsHeldFor(state: State): Generator<HeldFor> {
  for (const task of state.tasks.values())
    for (const digest of digestsOf(task)) yield { digest, vehicleId: task.record.vehicleId };
}

function* digestsOf({ record, end, instances }: Task): Generator<Digest> {
  const payloads: (Payload | undefined)[] = [end?.output, ...(end?.outputs ?? [])];
  if (end === undefined) payloads.push(record.input, ...instances.map(({ result }) => result?.output));
  for (const payload of payloads) if (payload?.where === 'blob') yield payload.blob.digest;
  if (end !== undefined) return;
  for (const { checkpoint } of instances) if (checkpoint !== undefined) yield checkpoint.state.digest;
}
