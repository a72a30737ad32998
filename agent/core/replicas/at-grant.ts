/** At the first grant of a part: whether the donor's result will do alone, or others must agree with it. */
import { drawCheck } from '../checks/issue-check.ts';
import { nextUint32 } from '../random.ts';
import type { Donor, Instance } from '../state.ts';
import { newInstance } from '../tasks/open-task.ts';
import { queue, type Turn } from '../turn.ts';
import type { Way } from '../waiting/need.ts';
import { firstOf, replicasOf } from './replicas-of.ts';

/** How many results must agree. What was decided stays, whoever runs it after that. */
export function quorumAtGrant(turn: Turn, instance: Instance, donor: Donor, way: Way): number {
  const { quorum, task } = firstOf(instance);
  if (quorum > 1 || way.algorithm.compare === undefined || task.check !== undefined) return quorum;
  if (!isChecked(turn, donor, way)) drawCheck(turn, donor, way, task);
  else return Math.max(task.record.wants?.quorum ?? 1, 2);
  return task.record.wants?.quorum ?? 1;
}

/** Who is believed is checked by lot: neither it nor anybody else can tell when. */
function isChecked({ state, now }: Turn, { vehicleId }: Donor, { key }: Way): boolean {
  const checkedMillis = state.trust.checkedMillis(vehicleId, key, now);
  if (checkedMillis === 0 || checkedMillis === 1000) return checkedMillis > 0;
  return (nextUint32(state.random) / 2 ** 32) * 1000 < checkedMillis;
}

/** The others join the line; they look for a donor when all grants of this step are made. */
export function replicate(turn: Turn, instance: Instance, quorum: number, way: Way): void {
  const first = firstOf(instance);
  if (first.quorum === quorum) return;
  first.quorum = quorum;
  first.program = way.key;
  turn.changedInstances.set(first.instanceId, first);
  turn.newReplicas.push(...addReplicas(turn, first, quorum - replicasOf(first).length));
}

/** As old as the part: who came later does not go before them. */
export function addReplicas(turn: Turn, first: Instance, count: number): Instance[] {
  const { task } = first;
  const before = replicasOf(first).length;
  const added: Instance[] = [];
  for (let replica = before; replica < before + count; replica += 1) {
    const place = { index: first.index, number: task.instances.length, replica };
    const instance = newInstance(turn.state, task, place, first.queuedMonoMs);
    instance.checkpoint = first.checkpoint;
    instance.keptBy = first.keptBy;
    task.instances = [...task.instances, instance];
    added.push(instance);
    queue(turn, instance);
  }
  return added;
}
