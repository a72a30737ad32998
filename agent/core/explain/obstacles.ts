/** All that stands between an instance that waits and a donor, as far as it can be told. Changes nothing. */
import type { Now } from '@plugpool/proto';
import { fit } from '../donors/capacity.ts';
import { allWhyNotEligible, whyClientForbids, whySessionForbids } from '../donors/donor.ts';
import {
  allowanceObstacle,
  constraintObstacle,
  deadlineObstacle,
  ownerObstacle,
  ownersObstacle,
  ownObstacle,
  prospectOf,
  restObstacle,
  runtimeObstacle,
  sameOwnerObstacle,
  stayObstacle,
  triedObstacle,
  trustObstacle,
  type Obstacle,
} from '../feasible/feasible.ts';
import { gangOf } from '../waiting/gang-of.ts';
import { keptObstacle } from '../matching/keep.ts';
import { stationObstacle } from '../power/station-budget.ts';
import { keepsState } from '../replicas/keeps-state.ts';
import type { Need, Way } from '../waiting/need.ts';
import type { Donor, Instance, State } from '../state.ts';
import { distanceOf } from './nearness.ts';
import { wayInWords } from './way-words.ts';

/** One instance that waits, looked at in one moment. */
export interface Wait {
  readonly state: State;
  readonly now: Now;
  readonly instance: Instance;
  readonly need: Need;
  /** Of parts that start together: where those would run that fit now. */
  readonly partsFit: ReadonlyMap<Instance, Donor>;
}

/** Absent: the same for every way to run it. */
export type Told = Obstacle & { readonly way?: string };

export interface WayTried {
  readonly way: Way;
  readonly obstacles: readonly Obstacle[];
  /** How long a run would take there, with the transfer. */
  readonly runMs: number;
}

/** What stands between an instance and one donor, by every way to run it there. */
export interface DonorTried {
  readonly donor: Donor;
  /** Whatever the way. */
  readonly shared: readonly Obstacle[];
  readonly ways: readonly WayTried[];
  /** All of them, in the order in which matching meets them; empty where it could run there. */
  readonly told: readonly Told[];
  /** What would have to change at least. */
  readonly nearest: readonly Obstacle[];
}

export function tryDonor(wait: Wait, donor: Donor): DonorTried {
  const shared = sharedObstacles(wait, donor);
  const ways = wait.need.ways.map((way) => tryWay(wait, way, donor));
  const isOpen = ways.some(({ obstacles }) => obstacles.length === 0);
  if (isOpen && shared.length === 0) {
    const others = othersObstacle(wait);
    return { donor, shared: others, ways, told: others, nearest: others };
  }
  if (isOpen) return { donor, shared, ways, told: shared, nearest: shared };
  const nearest = nearestWay(ways, donor)?.obstacles ?? [];
  return { donor, shared, ways, told: [...shared, ...toldOf(ways)], nearest: [...shared, ...nearest] };
}

function sharedObstacles({ state, now, instance, need }: Wait, donor: Donor): Obstacle[] {
  return found([
    ...allWhyNotEligible(state, donor, now).map((test) => ({ test })),
    ownObstacle(instance, donor),
    ownersObstacle(state, instance),
    sameOwnerObstacle(state, instance, donor),
    triedObstacle(instance, donor, now),
    trustObstacle(state, need, donor),
    isKnown(donor) ? constraintObstacle(state, need, donor) : undefined,
  ]);
}

/** It is connected, and has said what it is and lends. */
function isKnown({ clientId, report }: Donor): boolean {
  return clientId !== undefined && report !== undefined;
}

/** What an owner who does not lend would lend, and how long somebody stays who is not there, nobody knows. */
function tryWay(wait: Wait, way: Way, donor: Donor): WayTried {
  const { state, now, instance, need } = wait;
  const rest = restObstacle(state, way, donor, now);
  if (donor.hardware === undefined) return { way, obstacles: found([rest]), runMs: 0 };
  const lends = whyClientForbids(state, donor, now) === undefined;
  const isThere = isKnown(donor) && whySessionForbids(state, donor, now) !== 'not_plugged';
  const prospect = prospectOf(state, way, donor, now);
  const runMs = prospect.run.medianMs + prospect.transferMs;
  const obstacles = found([
    runtimeObstacle(way, donor),
    allowanceObstacle(way, donor),
    rest,
    ...(lends ? roomObstacles(wait, way, donor) : []),
    isThere ? stayObstacle(state, need, way, prospect) : undefined,
    ownerObstacle(state, instance, donor, way),
    deadlineObstacle(
      instance,
      keepsState(state, way, donor, now),
      { needMs: runMs, finishes: prospect.finishes },
      now,
    ),
  ]);
  return { way, obstacles, runMs };
}

function roomObstacles({ state, now, instance }: Wait, way: Way, donor: Donor): Obstacle[] {
  const verdict = fit(donor.free, way.demand);
  if (!verdict.ok) return verdict.shortOf.map(({ what, need, have }) => ({ test: what, need, have }));
  const { placement } = verdict;
  return found([stationObstacle(state, way), keptObstacle(state, instance, donor, { way, placement }, now)]);
}

/** It could run there, and waits for the other parts. */
function othersObstacle({ instance, partsFit }: Wait): Obstacle[] {
  const gang = gangOf(instance);
  if (gang === undefined) return [];
  return [{ test: 'waits_for_all', need: gang.instances.length, have: partsFit.size }];
}

function found(obstacles: readonly (Obstacle | undefined)[]): Obstacle[] {
  return obstacles.filter((obstacle) => obstacle !== undefined);
}

function nearestWay(ways: readonly WayTried[], donor: Donor): WayTried | undefined {
  if (ways.length === 1) return ways[0];
  return [...ways].sort((a, b) => distanceOf(a.obstacles, donor) - distanceOf(b.obstacles, donor))[0];
}

/** What forbids every way alike is told once. */
function toldOf(ways: readonly WayTried[]): readonly Told[] {
  const [first, ...others] = ways;
  if (first === undefined || others.length === 0) return first?.obstacles ?? [];
  const isShared = (obstacle: Obstacle): boolean =>
    others.every(({ obstacles }) => obstacles.some((other) => isSame(other, obstacle)));
  const own = ways.flatMap(({ way, obstacles }) =>
    obstacles
      .filter((obstacle) => !first.obstacles.some((other) => isSame(other, obstacle) && isShared(other)))
      .map((obstacle): Told => ({
        ...obstacle,
        way: wayInWords(
          way,
          ways.map((each) => each.way),
        ),
      })),
  );
  return [...first.obstacles.filter(isShared), ...own];
}

function isSame(a: Obstacle, b: Obstacle): boolean {
  return a.test === b.test && JSON.stringify(a) === JSON.stringify(b);
}
