/** What an instance's donors were credited for checkpoints and nobody was charged for yet. Pure. */
import type { OwedRecord, Unit } from '../records.ts';
import type { Instance } from '../state.ts';
import { CPU } from './units.ts';

export function owedIn({ owed }: Pick<Instance, 'owed'>, unit: Unit): number {
  return owed.find((each) => each.unit === unit)?.amount ?? 0;
}

/** The part of it that a budget and `chargedMncs` count. */
export function owedMncs(instance: Pick<Instance, 'owed'>): number {
  return owedIn(instance, CPU);
}

export function addOwed(owed: readonly OwedRecord[], more: readonly OwedRecord[]): readonly OwedRecord[] {
  const sums = new Map<Unit, number>();
  for (const { unit, amount } of [...owed, ...more]) sums.set(unit, (sums.get(unit) ?? 0) + amount);
  return [...sums].filter(([, amount]) => amount !== 0).map(([unit, amount]) => ({ unit, amount }));
}
