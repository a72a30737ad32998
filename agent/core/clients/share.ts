/**
 * What one vehicle may take of a table that all share. A fixed bound a vehicle lets a few of them fill the table; so each may have
 * no more than half of what is left beside it, and since many one after the other come to the end of that too, a quarter is left to
 * residents alone (docs/decisions/0027-shares-of-what-is-left.md).
 * After A. K. Choudhury and E. L. Hahne, "Dynamic queue length thresholds for shared-memory packet switches", IEEE/ACM
 * Transactions on Networking 6(2), 1998, where a queue may be as long as what is free.
 */
import type { VehicleId } from '@plugpool/proto';
import { GUESTS_MILLIS_MAX, STRANGERS_MILLIS_MAX } from '../limits.ts';
import type { State } from '../state.ts';
import { isResident, type Standing } from './standing.ts';

export interface SharedTable {
  readonly max: number;
  readonly used: number;
  /** Of what is used, that vehicle's. */
  readonly own: number;
}

/**
 * What it is taken for. What a vehicle asks with stays below half of what is left; what its tasks bring it is `owed`, and goes up to
 * all of that: who asked for as much as it may would else be brought nothing, and what it asked with would never go.
 */
export type Use = 'asked' | 'owed';

const TIMES: Readonly<Record<Use, number>> = { asked: 2, owed: 1 };

/**
 * Whoever has nothing yet may take what there is room for: one request can need many places at once. Where nobody has anything, it
 * may need more than its share of a small table: else it could never be served.
 */
export function mayTake(
  state: State,
  vehicleId: VehicleId,
  { max, used, own }: SharedTable,
  more = 1,
  use: Use = 'asked',
): boolean {
  if (used === 0) return true;
  const left = (isResident(state, vehicleId) ? max : shareOf('stranger', max)) - used;
  if (own === 0) return more <= left;
  return TIMES[use] * (own + more) <= left;
}

/**
 * What one vehicle can come to of a table of which nobody else has anything, if it asks for no more than `atOnce` at a time: its own
 * bound says more than it gives above this.
 */
export function mostOfOne(max: number, atOnce: number): number {
  return Math.max(atOnce, Math.floor((max + atOnce) / (TIMES.asked + 1)));
}

/** How many of a table's places those of that standing, and those known less well, may take together. */
export function shareOf(standing: Standing, max: number): number {
  switch (standing) {
    case 'resident':
      return max;
    case 'guest':
      return Math.ceil((max * GUESTS_MILLIS_MAX) / 1000);
    case 'stranger':
      return Math.ceil((max * STRANGERS_MILLIS_MAX) / 1000);
  }
}
