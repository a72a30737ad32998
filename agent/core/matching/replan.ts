/**
 * Plans what came together once more as a whole, where greed left somebody out: what a step has placed may move, or step back
 * for what is worth more, before anything is granted (better-board.ts says how). Nothing that holds a lease is touched.
 */
import { makeBetter } from './better-board.ts';
import { Board, isPlaced, type Unit } from './board.ts';
import { atLeast } from './donor-search.ts';
import { placedMembers, tierOf, waitingMembers, yieldsTo, type Member } from './members.ts';
import type { Matching, Placed } from './plan.ts';
import { Seating, type Seat } from './seating.ts';
import { worthOf } from './worth.ts';
import { choose } from '../feasible/feasible.ts';
import { REPLAN_TRIALS_MAX, REPLANNED_PLACED_MAX, REPLANNED_WAITING_MAX } from '../limits.ts';
import type { Donor } from '../state.ts';
import type { Turn } from '../turn.ts';
import type { Need, Way } from '../waiting/need.ts';

export interface Replanned {
  /** More may fit there now. */
  readonly movedFrom: ReadonlySet<Donor>;
  /** What stands elsewhere than it did, or did not stand before. */
  readonly moved: readonly Placed[];
}

const NOTHING_MOVED: Replanned = { movedFrom: new Set(), moved: [] };

export function replan(matching: Matching): Replanned {
  const { turn, plan } = matching;
  if (plan.size === 0 || turn.newcomers.size === 0) return NOTHING_MOVED;
  // The board knows what each donor has, and not what all of them share.
  if (turn.state.settings.power.stationLimitMw !== undefined) return NOTHING_MOVED;
  const placed = placedMembers(matching).slice(0, REPLANNED_PLACED_MAX);
  const waiting = waitingMembers(matching).slice(0, REPLANNED_WAITING_MAX);
  if (!someMayYield(matching, placed, waiting) && !someMayMove(matching, placed)) return NOTHING_MOVED;
  const members = [...placed, ...waiting];
  const seating = new Seating(matching, members);
  const units = members.map((member) => unitOf(matching, member, seating));
  if (!units.some((unit) => !isPlaced(unit) && unit.parts.every(({ spots }) => spots.length > 0)))
    return NOTHING_MOVED;
  makeBetter(new Board(units, seating.free()), REPLAN_TRIALS_MAX);
  return carryOver(matching, members, units, seating);
}

/** A pile that is full of those who waited for long is asked no further: this is what a busy hour's steps are like. */
function someMayYield(
  { turn, plan }: Matching,
  placed: readonly Member[],
  waiting: readonly Member[],
): boolean {
  const others = waiting.map((member) => ({ need: member.need, tier: tierOf(turn, member) }));
  return placed.some((member) => {
    const yields = yieldsTo(turn, plan, member.instances);
    if (yields === 'nobody') return false;
    const own = tierOf(turn, member);
    return others.some(
      ({ need, tier }) => tier < own || (yields === 'more_worth' && tier === own && need !== member.need),
    );
  });
}

function someMayMove({ turn }: Matching, placed: readonly Member[]): boolean {
  const needs = new Set(placed.map(({ need }) => need));
  return [...needs].some((need) => need.ways.some((way) => hasRoom(turn, need, way)));
}

function hasRoom({ state, now }: Turn, need: Need, way: Way): boolean {
  let found: Donor | undefined;
  state.index.eachWithAtLeast(atLeast(state, way), now.monoMs, (donor) => {
    if (choose(state, need, donor, now) !== undefined) found = donor;
    return found === undefined;
  });
  return found !== undefined;
}

function unitOf({ turn, plan }: Matching, member: Member, seating: Seating): Unit<Seat> {
  const { need, instances, placed } = member;
  const { state } = turn;
  const unit: Unit<Seat> = {
    tier: tierOf(turn, member),
    worth: worthOf(state, need) * instances.length,
    yieldsTo: yieldsTo(turn, plan, instances),
    parts: [],
  };
  for (const [n, instance] of instances.entries())
    unit.parts.push({ unit, spots: seating.seatsOf(instance, need), at: seating.seatOf(placed[n]) });
  return unit;
}

/** What moved on the board moves in the plan: first everything is lifted, then everything is placed. */
function carryOver(
  { plan }: Matching,
  members: readonly Member[],
  units: readonly Unit<Seat>[],
  seating: Seating,
): Replanned {
  const movedFrom = new Set<Donor>();
  const toPlace: Placed[] = [];
  for (const [m, { need, instances, placed }] of members.entries())
    for (const [n, instance] of instances.entries()) {
      const before = placed[n];
      const seat = units[m]?.parts[n]?.at;
      if (seat !== undefined && seat.choice === before?.choice) continue;
      if (before !== undefined) {
        plan.lift(before);
        movedFrom.add(before.donor);
      }
      if (seat !== undefined)
        toPlace.push({ instance, need, donor: seating.donor(seat), choice: seat.choice });
    }
  for (const each of toPlace) plan.place(each);
  return { movedFrom, moved: toPlace };
}
