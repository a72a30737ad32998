/** What is looked at to explain one wait: the donors, those first that may lend now, and what stands between it and each. */
import type { Now } from '@plugpool/proto';
import { EXPLAINED_LOOKED_AT_MAX } from '../limits.ts';
import { neededBy } from '../waiting/line.ts';
import type { Donor, Instance, State } from '../state.ts';
import { distanceOf } from './nearness.ts';
import { tryDonor, type DonorTried, type Wait } from './obstacles.ts';
import { partsThatFit } from './parts-fit.ts';

export interface LookedAt {
  readonly wait: Wait;
  /** The nearest first. */
  readonly tried: readonly DonorTried[];
}

export function lookAt(state: State, instance: Instance, now: Now): LookedAt {
  const wait = waitOf(state, instance, now);
  const keyed = donorsOf(state).map((donor) => {
    const tried = tryDonor(wait, donor);
    return { tried, distance: distanceOf(tried.nearest, donor) };
  });
  keyed.sort((a, b) => a.distance - b.distance || byId(a.tried.donor, b.tried.donor));
  return { wait, tried: keyed.map(({ tried }) => tried) };
}

export function waitOf(state: State, instance: Instance, now: Now): Wait {
  const need = neededBy(state, instance);
  return { state, now, instance, need, partsFit: partsThatFit(state, instance, need, now) };
}

function donorsOf(state: State): Donor[] {
  const donors = new Set<Donor>();
  for (const donor of state.index.donors()) {
    if (donors.size >= EXPLAINED_LOOKED_AT_MAX) break;
    donors.add(donor);
  }
  for (const donor of state.donors.values()) {
    if (donors.size >= EXPLAINED_LOOKED_AT_MAX) break;
    donors.add(donor);
  }
  return [...donors];
}

function byId(a: Donor, b: Donor): number {
  return a.vehicleId < b.vehicleId ? -1 : 1;
}
