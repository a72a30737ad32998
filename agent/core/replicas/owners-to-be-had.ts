/**
 * Whether a quorum that was asked for can be met at all. As long as fewer owners are known than must agree, whatever was computed
 * would be computed for nothing: no replica starts before that, and the request waits for a vehicle of another owner.
 */
import type { Instance, State } from '../state.ts';
import type { Turn } from '../turn.ts';
import { ownerOf } from './owner.ts';
import { firstOf, isAskedFor, replicasOf } from './replicas-of.ts';

export interface OwnersShort {
  readonly need: number;
  readonly have: number;
}

/** Undefined where there are enough, or nobody asked for a quorum. */
export function ownersShort(state: State, instance: Instance): OwnersShort | undefined {
  if (!isAskedFor(instance)) return undefined;
  const need = ownersNeeded(instance);
  const have = ownersToBeHad(state, instance);
  return have < need ? { need, have } : undefined;
}

/** Each replica of a part runs on the vehicle of another owner; a dispute has added some. */
export function ownersNeeded(instance: Instance): number {
  const first = firstOf(instance);
  return Math.max(first.task.record.wants?.quorum ?? 1, replicasOf(first).length);
}

/** Of all vehicles that said once what they have, but the one that asks, and of those that answered and are forgotten. */
export function ownersToBeHad({ donors, owners, settings }: State, instance: Instance): number {
  const { vehiclesOf } = owners;
  const { vehicleId } = instance.task.record;
  const isOnlyOne =
    donors.get(vehicleId)?.hardware !== undefined && vehiclesOf.get(ownerOf(settings, vehicleId)) === 1;
  const forgotten = replicasOf(firstOf(instance)).filter(
    ({ result }) => result !== undefined && !vehiclesOf.has(ownerOf(settings, result.donor)),
  );
  return vehiclesOf.size - (isOnlyOne ? 1 : 0) + forgotten.length;
}

/** A vehicle was not known before: what waited for owners looks for donors as if it were new. */
export function wakeForOwners({ state, newcomers }: Turn): void {
  if (!state.owners.grew) return;
  state.owners.grew = false;
  for (const { record, instances } of state.tasks.values()) {
    if ((record.wants?.quorum ?? 1) === 1) continue;
    for (const instance of instances) if (state.waiting.has(instance)) newcomers.add(instance);
  }
}
