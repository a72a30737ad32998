/** Whether what is kept still serves its request: looked at before a step places anything, and when it was placed. */
import type { Now } from '@plugpool/proto';
import { freeOf } from '../donors/capacity.ts';
import type { Kept, KeptRoom } from './keep.ts';
import { choicesSideBySide, later } from './keep-search.ts';
import { leaseEndsOn } from '../leases/lease-end.ts';
import type { Donor, State } from '../state.ts';
import { log, type Turn } from '../turn.ts';

/** After what the step has heard. */
export function reviewKept(turn: Turn): void {
  const { state, now } = turn;
  const { kept } = state.keeping;
  if (kept === undefined) return;
  if (!kept.instances.every((instance) => state.waiting.has(instance))) return void endKeeping(turn, kept);
  forgetEnded(kept);
  if (turn.changedDonors.size + turn.newcomers.size + turn.changedGroups.size > 0) letChoose(turn, kept);
  const isOld = kept.startMonoMs <= now.monoMs;
  if (!isOld && ![...kept.rooms.keys()].some((donor) => turn.touchedDonors.has(donor))) return;
  kept.startMonoMs = now.monoMs + startInMs(state, kept, now);
  if ([...kept.rooms].every(([donor, room]) => stillSuits(state, kept, donor, room, now))) return;
  endKeeping(turn, kept);
  // The next that is kept is its own again.
  state.keeping.lookAtGrants = state.grantCounter;
}

function forgetEnded({ rooms }: Kept): void {
  for (const [{ leased }, { beside }] of rooms)
    for (const instance of beside.keys()) if (!leased.has(instance.instanceId)) beside.delete(instance);
}

/** When all that it waits for is through. */
function startInMs(state: State, { rooms }: Kept, now: Now): number {
  let latestMs = 0;
  for (const [donor, { beside }] of rooms)
    for (const { instance, inMs } of leaseEndsOn(state, donor, now))
      if (!beside.has(instance)) latestMs = Math.max(latestMs, inMs);
  return latestMs;
}

/** The donor is there, lends as much, stays for as long; the deadline allows it. */
function stillSuits(state: State, kept: Kept, donor: Donor, room: KeptRoom, now: Now): boolean {
  if (!state.index.has(donor)) return false;
  const [instance] = kept.instances;
  if (instance === undefined) return false;
  const at = later(now, kept.startMonoMs - now.monoMs);
  const free = freeOf(donor.lendable, room.beside.values());
  const choices = choicesSideBySide(state, instance, donor, free, room.placements.length, at);
  if (choices.length < room.placements.length) return false;
  room.placements = choices;
  return true;
}

/** With room that some are refused it always chooses itself: its own choice is counted with who is passed over by it. */
function letChoose({ state, changedDonors }: Turn, { rooms }: Kept): Donor[] {
  const donors = [...rooms.keys()].filter((donor) => state.index.has(donor));
  for (const donor of donors) changedDonors.add(donor);
  return donors;
}

/** What it kept is anybody's again. */
function endKeeping(turn: Turn, kept: Kept): Donor[] {
  const { state } = turn;
  const { keeping, grantCounter, settings } = state;
  keeping.kept = undefined;
  keeping.lookAtGrants = grantCounter + settings.dueEvery;
  const donors = letChoose(turn, kept);
  log(turn, 'info', 'donor no longer kept', {
    instanceId: kept.instances[0]?.instanceId,
    vehicleIds: [...kept.rooms.keys()].map(({ vehicleId }) => vehicleId),
  });
  return donors;
}

/** The step has planned it: others may have what it leaves; those who were refused there choose once more. */
export function releaseStarted(turn: Turn): readonly Donor[] {
  const { kept } = turn.state.keeping;
  if (kept === undefined || kept.instances.some((instance) => turn.state.waiting.has(instance))) return [];
  return endKeeping(turn, kept);
}
