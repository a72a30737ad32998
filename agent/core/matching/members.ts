/** What one step plans together: each request, or gang, with where it is planned, before whom it goes and for whom it steps back. */
import type { Demand } from '@plugpool/proto';
import type { Unit } from './board.ts';
import { gangOf } from '../waiting/gang-of.ts';
import type { Matching, Placed, Plan } from './plan.ts';
import { hasReplicas } from '../replicas/replicas-of.ts';
import { worthOf } from './worth.ts';
import { standing } from '../pools/pools.ts';
import type { Instance } from '../state.ts';
import type { Turn } from '../turn.ts';
import type { Need } from '../waiting/need.ts';
import { compareTurns } from '../waiting/turn-queue.ts';
import { BANDS_MAX } from '../waiting/usage.ts';

/** What is placed as a whole: one instance, or all parts that start together. */
export interface Member {
  readonly need: Need;
  readonly instances: readonly Instance[];
  /** Where they are planned; empty of those that wait. */
  readonly placed: readonly Placed[];
}

export function placedMembers({ plan }: Matching): Member[] {
  const members = new Map<unknown, { need: Need; instances: Instance[]; placed: Placed[] }>();
  for (const placed of plan.placements()) {
    const { instance, need } = placed;
    // Where a replica may go depends on where the others went.
    if (hasReplicas(instance.task)) continue;
    const whole = gangOf(instance) ?? instance;
    const member = members.get(whole) ?? { need, instances: [], placed: [] };
    members.set(whole, member);
    member.instances.push(instance);
    member.placed.push(placed);
  }
  return [...members.values()];
}

/** Those that arrived in this step and found no place, as they go in line. */
export function waitingMembers({ turn: { state, newcomers } }: Matching): Member[] {
  const members = new Map<unknown, Member>();
  for (const instance of newcomers) {
    const need = instance.waitsIn?.need;
    const task = gangOf(instance);
    if (need !== undefined && !hasReplicas(instance.task))
      members.set(task ?? instance, { need, instances: task?.instances ?? [instance], placed: [] });
  }
  const worth = (member: Member): number => worthOf(state, member.need) * member.instances.length;
  return [...members.values()].sort(
    (a, b) => b.need.priority - a.need.priority || worth(b) - worth(a) || compareFirst(a, b),
  );
}

function compareFirst({ instances: [a] }: Member, { instances: [b] }: Member): number {
  return a === undefined || b === undefined ? 0 : compareTurns(a, b);
}

/** The order of compareRequests, as far as what something is worth does not matter: priority, sub-pool, fair share. */
export function tierOf({ state, now }: Turn, { need, instances, placed }: Member): number {
  const [way] = need.ways;
  // What is placed is counted in its sub-pool already.
  const more = placed.length > 0 ? NO_DEMAND : way?.demand;
  const borrows =
    way !== undefined && more !== undefined && standing(state.pools, way.class, more) === 'borrowing';
  const payer = instances[0]?.task.payer ?? '';
  return (2 * (3 - need.priority) + (borrows ? 1 : 0)) * (BANDS_MAX + 1) + state.usage.excess(payer, now);
}

const NO_DEMAND: Demand = {
  cpuMillicores: 0,
  memoryMib: 0,
  threads: 1,
  gpu: { shareMillis: 0, vramMib: 0 },
};

/** Who waited before was promised nothing less by its turn; who just came has lost nothing where others came better together. */
export function yieldsTo({ now }: Turn, plan: Plan, instances: readonly Instance[]): Unit['yieldsTo'] {
  if (instances.some(({ turnMonoMs }) => turnMonoMs <= now.monoMs)) return 'nobody';
  const justCame = instances.every((each) => each.attempts === 0 && plan.isArrival(each));
  return justCame ? 'more_worth' : 'earlier_tiers';
}
