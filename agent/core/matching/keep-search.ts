/**
 * For whom a donor is kept, and which. Once in `dueEvery` grants of the pile those who are due are gone through in the order of
 * their turns. Who has room as soon as one run ends is let go by: then it is granted that room, or passed over and counted (dues.ts).
 * The first that needs more ends than one, or starts in several parts at once, gets the donor on which it would start first.
 *
 * A step looks at so many donors and requests, and the next goes on.
 */
import type { Capacity, Now } from '@plugpool/proto';
import { freeOf, type Placement } from '../donors/capacity.ts';
import { isDue } from '../waiting/dues.ts';
import { choiceFor, choose, type Choice } from '../feasible/feasible.ts';
import { gangOf } from '../waiting/gang-of.ts';
import type { Kept, KeptRoom } from './keep.ts';
import { leaseEndsOn } from '../leases/lease-end.ts';
import { leasesOf } from '../leases/lease.ts';
import { KEEP_CANDIDATES_PER_STEP_MAX, KEEP_DONORS_PER_STEP_MAX } from '../limits.ts';
import type { Need } from '../waiting/need.ts';
import { compareTurns } from '../waiting/turn-queue.ts';
import type { Donor, Instance, State } from '../state.ts';
import { log, type Turn } from '../turn.ts';
import type { WaitingGroup } from '../waiting/waiting.ts';

export interface KeepSearch {
  /** Who is still to be looked at, whose turn is last first: of those who need the same, one. */
  readonly line: Instance[];
  candidate: Candidate | undefined;
}

interface Candidate {
  /** One, or all parts that start together. */
  readonly instances: readonly Instance[];
  readonly first: Instance;
  /** Those not looked at yet. */
  readonly donors: Iterator<Donor>;
  /** The earliest starts that were found, as many as there are instances. */
  starts: readonly Start[];
  /** Some donor has room for it when one run ends. */
  needsOneEnd: boolean;
  /** A donor could run others of that need, and not this one. */
  metPersonalObstacle: boolean;
}

interface Start {
  readonly donor: Donor;
  readonly inMs: number;
}

export function keepForOneThatIsDue(turn: Turn): void {
  const { state } = turn;
  const { keeping } = state;
  if (state.grantCounter < keeping.lookAtGrants || keeping.kept !== undefined) return;
  const search = (keeping.search ??= { line: thoseThatAreDue(turn), candidate: undefined });
  let donorsLeft = KEEP_DONORS_PER_STEP_MAX;
  for (let tries = KEEP_CANDIDATES_PER_STEP_MAX; tries > 0; tries -= 1) {
    const candidate = candidateOf(turn, search);
    if (candidate === undefined) return endRound(state);
    donorsLeft = lookOn(turn, candidate, donorsLeft);
    if (donorsLeft === 0) return;
    search.candidate = undefined;
    const kept = candidate.needsOneEnd ? undefined : keptOn(turn, candidate);
    if (kept !== undefined) return keep(turn, kept);
    if (!candidate.needsOneEnd) afterNothingFound(turn, search, candidate);
  }
}

function endRound({ keeping, grantCounter, settings }: State): void {
  keeping.search = undefined;
  keeping.lookAtGrants = grantCounter + settings.dueEvery;
}

function keep(turn: Turn, kept: Kept): void {
  turn.state.keeping.kept = kept;
  turn.state.keeping.search = undefined;
  log(turn, 'info', 'donor kept', {
    instanceId: kept.instances[0]?.instanceId,
    vehicleIds: [...kept.rooms.keys()].map(({ vehicleId }) => vehicleId),
    startInMs: Math.round(kept.startMonoMs - turn.now.monoMs),
  });
}

/** The one that the last step looked for, or the next that still waits. */
function candidateOf({ state, now }: Turn, search: KeepSearch): Candidate | undefined {
  const { waiting, index, keeping } = state;
  const { candidate, line } = search;
  if (candidate?.instances.every((instance) => waiting.has(instance)) === true) return candidate;
  let first = line.pop();
  while (first !== undefined && !waiting.has(first)) first = line.pop();
  if (first === undefined) return undefined;
  const lastSeen = keeping.oneEndAway.get(needOf(first));
  search.candidate = {
    instances: gangOf(first)?.instances ?? [first],
    first,
    donors: index.donors(),
    starts: [],
    needsOneEnd: lastSeen !== undefined && index.has(lastSeen) && needsOneEndOn(state, first, lastSeen, now),
    metPersonalObstacle: false,
  };
  return search.candidate;
}

function thoseThatAreDue({ state, now }: Turn): Instance[] {
  const due: Instance[] = [];
  for (const group of state.waiting.groups()) {
    if (group.need.isForGangs || rests(state, group.need)) continue;
    const first = firstOf(group, now, () => true);
    if (first !== undefined) due.push(first);
  }
  for (const { instances } of state.gangs)
    if (instances[0] !== undefined && isDue(instances[0], now)) due.push(instances[0]);
  return due.sort((a, b) => compareTurns(b, a));
}

/** Of those who need the same, the one whose turn was first, if it has come. */
function firstOf(
  { inTurn }: WaitingGroup,
  now: Now,
  suits: (instance: Instance) => boolean,
): Instance | undefined {
  let first: Instance | undefined;
  for (const queue of inTurn) {
    const earliest = queue.first();
    if (!isDue(earliest, now) || (first !== undefined && compareTurns(first, earliest) < 0)) break;
    const instance = queue.find(suits);
    if (instance === undefined || !isDue(instance, now)) continue;
    if (first === undefined || compareTurns(instance, first) < 0) first = instance;
  }
  return first;
}

/** What nobody could run, whatever ends, is looked for less often: it takes a look at every donor. */
const RESTS_ROUNDS = 8;

function afterNothingFound(turn: Turn, search: KeepSearch, candidate: Candidate): void {
  const { keeping, settings, grantCounter } = turn.state;
  const { first, starts, metPersonalObstacle } = candidate;
  if (metPersonalObstacle) addNext(turn, search, first);
  else if (starts.length === 0)
    keeping.restsUntilGrants.set(needOf(first), grantCounter + RESTS_ROUNDS * settings.dueEvery);
}

function rests({ keeping, grantCounter }: State, need: Need): boolean {
  return (keeping.restsUntilGrants.get(need) ?? 0) > grantCounter;
}

/** What forbids the one need not forbid the next who needs the same. */
function addNext({ now }: Turn, { line }: KeepSearch, tried: Instance): void {
  if (tried.waitsIn === undefined || gangOf(tried) !== undefined) return;
  const next = firstOf(tried.waitsIn, now, (each) => compareTurns(each, tried) > 0);
  if (next !== undefined) line.push(next);
}

function needOf({ waitsIn, instanceId }: Instance): Need {
  if (waitsIn === undefined) throw new Error(`${instanceId} does not wait`);
  return waitsIn.need;
}

/** At so many donors, or until nothing more can be learned; how many are left to look at, 0 where it has to go on. */
function lookOn(turn: Turn, candidate: Candidate, donorsMax: number): number {
  if (candidate.needsOneEnd) return donorsMax;
  for (let left = donorsMax; left > 0; left -= 1) {
    const next = candidate.donors.next();
    if (next.done === true) return left;
    if (lookAt(turn, candidate, next.value) === 'let_by') return left;
  }
  return 0;
}

function lookAt({ state, now }: Turn, candidate: Candidate, donor: Donor): 'let_by' | 'go_on' {
  const { instances, first } = candidate;
  if (choiceOn(state, first, donor, donor.lendable, now) === undefined) {
    candidate.metPersonalObstacle ||= isForOthers(state, first, donor, now);
    return 'go_on';
  }
  if (needsOneEndOn(state, first, donor, now)) {
    candidate.needsOneEnd = true;
    state.keeping.oneEndAway.set(needOf(first), donor);
    return 'let_by';
  }
  const starts = startsOn(state, first, donor, instances.length, now);
  candidate.starts = [...candidate.starts, ...starts].sort(byStart).slice(0, instances.length);
  return 'go_on';
}

/** Parts that start together are never counted with: donors do not choose them. */
function needsOneEndOn(state: State, instance: Instance, donor: Donor, now: Now): boolean {
  if (needOf(instance).isForGangs) return false;
  const leases = leasesOf(donor);
  return leases.some((ended) => {
    const free = freeOf(
      donor.lendable,
      leases.filter((lease) => lease !== ended),
    );
    return choiceOn(state, instance, donor, free, now) !== undefined;
  });
}

function byStart(a: Start, b: Start): number {
  return a.inMs - b.inMs || (a.donor.vehicleId < b.donor.vehicleId ? -1 : 1);
}

/** When so many would start side by side on that donor, as its leases are expected to end and nobody else came. */
function startsOn(state: State, instance: Instance, donor: Donor, count: number, now: Now): Start[] {
  const running = new Set(leasesOf(donor));
  const placed: Placement[] = [];
  const starts: Start[] = [];
  for (const { lease, inMs } of [{ lease: undefined, inMs: 0 }, ...leaseEndsOn(state, donor, now)]) {
    if (lease !== undefined) running.delete(lease);
    const free = freeOf(donor.lendable, [...running, ...placed]);
    const found = choicesSideBySide(state, instance, donor, free, count - starts.length, later(now, inMs));
    placed.push(...found);
    for (let n = 0; n < found.length; n += 1) starts.push({ donor, inMs });
    if (starts.length === count) break;
  }
  return starts;
}

export function later({ monoMs, wallMs }: Now, byMs: number): Now {
  return { monoMs: monoMs + byMs, wallMs: wallMs + byMs };
}

/** A look ahead finds nothing out of owners' constraints: the time of their next verdicts is that of now (constraints.ts). */
const JUDGES_NOTHING = -1;

/** Where up to `count` of the same need would stand in what is free there at that time. */
export function choicesSideBySide(
  state: State,
  instance: Instance,
  donor: Donor,
  free: Capacity,
  count: number,
  at: Now,
): Placement[] {
  const placements: Placement[] = [];
  const { judging } = donor;
  donor.judging = { untilMonoMs: Infinity, left: JUDGES_NOTHING };
  let left = free;
  while (placements.length < count) {
    const choice = choiceOn(state, instance, donor, left, at);
    if (choice === undefined) break;
    placements.push(choice.placement);
    left = freeOf(left, [choice.placement]);
  }
  donor.judging = judging;
  return placements;
}

function choiceOn(
  state: State,
  instance: Instance,
  donor: Donor,
  free: Capacity,
  at: Now,
): Choice | undefined {
  const need = needOf(instance);
  const freeNow = donor.free;
  donor.free = free;
  const choice = choose(state, need, donor, at);
  const own = choice && choiceFor(state, instance, need, donor, choice, at);
  donor.free = freeNow;
  return own;
}

function isForOthers(state: State, instance: Instance, donor: Donor, now: Now): boolean {
  const freeNow = donor.free;
  donor.free = donor.lendable;
  const choice = choose(state, needOf(instance), donor, now);
  donor.free = freeNow;
  return choice !== undefined;
}

/** On the donors of the earliest starts, as they are now; undefined where they are too few, or not what they were. */
function keptOn({ state, now }: Turn, { instances, first, starts }: Candidate): Kept | undefined {
  if (starts.length < instances.length) return undefined;
  const counts = new Map<Donor, number>();
  for (const { donor } of starts) counts.set(donor, (counts.get(donor) ?? 0) + 1);
  let inMs = 0;
  for (const [donor, count] of counts) {
    const own = state.index.has(donor) ? startsOn(state, first, donor, count, now) : [];
    if (own.length < count) return undefined;
    inMs = Math.max(inMs, ...own.map((start) => start.inMs));
  }
  const rooms = new Map<Donor, KeptRoom>();
  for (const [donor, count] of counts) {
    const beside = besideOn(state, donor, inMs, now);
    const free = freeOf(donor.lendable, beside.values());
    const placements = choicesSideBySide(state, first, donor, free, count, later(now, inMs));
    if (placements.length < count) return undefined;
    rooms.set(donor, { placements, beside });
  }
  const startMonoMs = now.monoMs + inMs;
  return { instances, rooms, untilMonoMs: startMonoMs, startMonoMs };
}

/** What may still run there then. */
function besideOn(state: State, donor: Donor, inMs: number, now: Now): Map<Instance, Placement> {
  const beside = new Map<Instance, Placement>();
  for (const end of leaseEndsOn(state, donor, now)) if (end.inMs > inMs) beside.set(end.instance, end.lease);
  return beside;
}
