/** Keeps what owners agreed on, where its requester left it to anybody: what it shows to some donors alone is shown to no other. */
import { ownerOf } from '../replicas/owner.ts';
import type { Returned } from '../replicas/agreement.ts';
import type { State, Task } from '../state.ts';

export function keepAnswer(
  state: State,
  task: Task,
  algorithmKey: string,
  agreeing: readonly Returned[],
): void {
  const { input, args, wants, taskId } = task.record;
  const output = agreeing[0]?.result.output;
  if (state.settings.spotCheckMillis === 0 || task.parts > 1 || agreeing.length < 2) return;
  if (wants?.trust !== undefined || wants?.constraint !== undefined) return;
  if (input.where !== 'inline' || output?.where !== 'inline') return;
  const knowing = [task.record.vehicleId, ...agreeing.map(({ result }) => result.donor)];
  const owners = knowing.map((vehicleId) => ownerOf(state.settings, vehicleId));
  state.answers.keep(algorithmKey, {
    args,
    input: input.bytes,
    output: output.bytes,
    seedOf: taskId,
    owners,
  });
}
