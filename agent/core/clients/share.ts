/**
 * What one vehicle may take of a table that all share. A fixed bound a vehicle lets a few of them fill the table; so each may have
 * no more than half of what is left beside it, which leaves room however many come, and a quarter is left to residents alone.
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

/** Whoever has nothing yet may take what there is room for: one request can need many places at once. */
export function mayTake(
  state: State,
  vehicleId: VehicleId,
  { max, used, own }: SharedTable,
  more = 1,
): boolean {
  const left = (isResident(state, vehicleId) ? max : shareOf('stranger', max)) - used;
  if (own === 0) return more <= left;
  return 2 * (own + more) <= left;
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
