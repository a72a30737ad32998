/**
 * What is kept for a request that fits a donor only when others there are through, so that small ones do not take its room for ever.
 *
 *   lent ──┬─ the kept request, from `startMonoMs`                 others may run there where they
 *          ├─ beside: what may still run then          ◄────────── · fit beside what is kept, for as long as they like
 *          └─ what it waits for, through by then       ◄────────── · are through before it was to start, even if they take long
 *
 * That is EASY backfilling (D. Lifka, The ANL/IBM SP scheduling system, JSSPP 1995) with one donor in the place of the machine.
 * At most one request has something kept at a time (keep-search.ts says whose). Nobody new is let in before a start that has
 * become later than was expected, so that runs which take longer than they should cannot put it off again and again. Only who is
 * owed a grant by a turn before its own (dues.ts) may take what is kept.
 */
import type { Now } from '@plugpool/proto';
import { freeOf, isWithin, type Placement } from '../donors/capacity.ts';
import { runTimeOf, transferMsOf } from '../feasible/expected-run.ts';
import type { KeepSearch } from './keep-search.ts';
import type { Choice, Obstacle } from '../feasible/feasible.ts';
import type { Need, Way } from '../waiting/need.ts';
import type { Settings } from '../settings.ts';
import type { Donor, Instance, State } from '../state.ts';
import type { Turn } from '../turn.ts';
import { isBefore } from '../waiting/turn-queue.ts';

export interface Keeping {
  kept: Kept | undefined;
  /** For whom something is to be kept; goes on from step to step. */
  search: KeepSearch | undefined;
  /** Where one run less was last seen to be room enough: most are let by after a look there. */
  readonly oneEndAway: WeakMap<Need, Donor>;
  /** Of the pile's grants: until then nobody is asked who could run it. */
  readonly restsUntilGrants: WeakMap<Need, number>;
  /** Of the pile's grants: until then nobody who is due was passed over often enough. */
  lookAtGrants: number;
}

export interface Kept {
  /** One, or all parts that start together. */
  readonly instances: readonly Instance[];
  readonly rooms: ReadonlyMap<Donor, KeptRoom>;
  /** Its start, as it was first expected: others that are not beside must be through before it. */
  readonly untilMonoMs: number;
  /** Its start, as it is expected now. */
  startMonoMs: number;
}

export interface KeptRoom {
  placements: readonly Placement[];
  /** Leases and plans that may still run when what is kept starts: they fit beside it. */
  readonly beside: Map<Instance, Placement>;
}

export function keepsNothing({ dueEvery }: Settings): Keeping {
  return {
    kept: undefined,
    search: undefined,
    oneEndAway: new WeakMap(),
    restsUntilGrants: new WeakMap(),
    lookAtGrants: dueEvery,
  };
}

export function keptFor({ keeping: { kept } }: State, instance: Instance): Kept | undefined {
  return kept?.instances.includes(instance) === true ? kept : undefined;
}

export function isKept({ keeping: { kept } }: State, donor: Donor): boolean {
  return kept?.rooms.has(donor) === true;
}

export function isKeptForLater({ keeping: { kept } }: State, instance: Instance, donor: Donor): boolean {
  const first = kept?.rooms.has(donor) === true ? kept.instances[0] : undefined;
  return first !== undefined && isBefore(instance, first);
}

export function asIfNothingWereKept<Found>({ keeping }: State, find: () => Found): Found {
  const { kept } = keeping;
  keeping.kept = undefined;
  const found = find();
  keeping.kept = kept;
  return found;
}

/** Where it would take what is kept on that donor for another. */
export function keptObstacle(
  state: State,
  instance: Instance,
  donor: Donor,
  { way, placement }: Pick<Choice, 'way' | 'placement'>,
  now: Now,
): Obstacle | undefined {
  const { kept } = state.keeping;
  if (kept === undefined) return undefined;
  const room = kept.rooms.get(donor);
  if (room === undefined || kept.instances.includes(instance)) return undefined;
  if (isThroughBefore(state, kept, way, donor, now)) return undefined;
  if (isWithin(freeOf(donor.lendable, [...takenOf(room), placement]))) return undefined;
  return { test: 'kept_for_another', forMs: Math.max(0, Math.round(kept.startMonoMs - now.monoMs)) };
}

/** Even where it takes long: the last of the five points. */
function isThroughBefore(state: State, kept: Kept, way: Way, donor: Donor, now: Now): boolean {
  const longestMs = runTimeOf(state, way, donor).quantilesMs.at(-1) ?? Infinity;
  return now.monoMs + transferMsOf(state, way, donor) + longestMs <= kept.untilMonoMs;
}

function takenOf({ placements, beside }: KeptRoom): Placement[] {
  return [...placements, ...beside.values()];
}

/** Of a plan: where it may still run when what is kept starts, it stands beside. */
export function notePlaced({ state, now }: Turn, instance: Instance, donor: Donor, choice: Choice): void {
  const { kept } = state.keeping;
  const room = kept?.rooms.get(donor);
  if (kept === undefined || room === undefined || kept.instances.includes(instance)) return;
  if (!isThroughBefore(state, kept, choice.way, donor, now)) room.beside.set(instance, choice.placement);
}

export function noteLifted({ keeping: { kept } }: State, instance: Instance, donor: Donor): void {
  kept?.rooms.get(donor)?.beside.delete(instance);
}
