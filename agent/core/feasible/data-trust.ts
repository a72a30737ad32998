/**
 * Whom a requester trusts with its data, by what the operator says of the vehicles and never by their own word. Whose results are
 * believed is another question: replicas/trust-book.ts. Pure.
 */
import { kindOf } from '../donors/known-vehicles.ts';
import type { Need } from '../waiting/need.ts';
import type { Settings } from '../settings.ts';
import type { Donor } from '../state.ts';

export function isTrustedWithData(
  { vehicles }: Settings,
  { trust, fleet }: Need,
  { vehicleId }: Donor,
): boolean {
  if (trust === undefined) return true;
  const kind = kindOf(vehicles, vehicleId);
  if (trust.whom === 'fleet') return kind.fleet !== '' && kind.fleet === fleet;
  return kind.make !== '' && trust.makes.includes(kind.make);
}
