/** A donor whose result was outvoted rests at once, as one that is ill: a lie in one run says enough of the next. */
import type { Demand, VehicleId } from '@plugpool/proto';
import { healthClassOf, wakeWhenRested } from '../learned/learn.ts';
import type { Turn } from '../turn.ts';

export function restOutvoted(turn: Turn, vehicleId: VehicleId, demand: Demand): void {
  const { state, now } = turn;
  const of = healthClassOf(state.settings, demand);
  state.health.learn(vehicleId, of, { kind: 'outvoted' }, now);
  wakeWhenRested(turn, vehicleId, of);
}
