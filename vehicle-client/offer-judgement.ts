/** Whether an offer can be taken: by what the owner lends now, and by what still fits beside what runs. */
import { HELD_LEASES_MAX, type Capacity, type Demand, type Offer, type RuntimeKind } from '@plugpool/proto';
import type { GrantedCapacity } from './granted-capacity.ts';

/** What the owner's policy says to an offer. */
export interface LendingNow {
  /** Undefined while nothing is lent, and then `reason` says why. */
  readonly lendable: Capacity | undefined;
  readonly reason: string;
  readonly allowedAlgorithms: readonly string[];
}

export interface OfferSurroundings {
  readonly lending: LendingNow;
  readonly granted: GrantedCapacity;
  readonly runtimes: { has(kind: RuntimeKind): boolean };
  readonly heldLeases: number;
}

/** The reason that the pile is told, a code first; undefined: it is taken. */
export function whyDecline(
  offer: Offer,
  { lending, granted, runtimes, heldLeases }: OfferSurroundings,
): string | undefined {
  const { lendable, allowedAlgorithms } = lending;
  if (lendable === undefined) return `policy_paused: ${lending.reason}`;
  if (allowedAlgorithms.length > 0 && !allowedAlgorithms.includes(offer.algorithmId))
    return `algorithm_not_allowed: the owner does not allow ${offer.algorithmId}`;
  if (!runtimes.has(offer.runtime)) return `runtime_missing: ${offer.runtime} does not run here`;
  if (heldLeases >= HELD_LEASES_MAX) return `capacity_gone: ${HELD_LEASES_MAX} leases are held already`;
  if (!granted.fits(offer.demand, lendable))
    return `capacity_gone: ${describeDemand(offer.demand)} no longer fit`;
  return undefined;
}

function describeDemand(demand: Demand): string {
  const gpu = demand.gpu === undefined ? '' : ` and a GPU with ${demand.gpu.vramMib} MiB`;
  return `${demand.cpuMillicores} millicores, ${demand.memoryMib} MiB${gpu}`;
}
