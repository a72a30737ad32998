/**
 * Makes room for one more in what a step has planned: a placement is moved to another donor where what waits then fits. Nobody
 * loses by it, so it needs no weighing.
 */
import { choose } from './feasible.ts';
import { freeOf } from './capacity.ts';
import { gangOf } from './gang.ts';
import { MAKE_ROOM_TRIALS_MAX } from './limits.ts';
import { DonorSearch } from './donor-search.ts';
import type { Need } from './need.ts';
import type { Matching, Placed } from './plan.ts';
import type { Donor, Instance } from './state.ts';

/** Returns the donors that something was moved from: more may fit there now. */
export function makeRoom(matching: Matching): ReadonlySet<Donor> {
  const { plan } = matching;
  const movedFrom = new Set<Donor>();
  let trials = MAKE_ROOM_TRIALS_MAX;
  for (const { instance, need } of leftOver(matching)) {
    for (const placed of [...plan.placements()]) {
      if (trials-- <= 0) return movedFrom;
      if (!canMove(matching, placed, need)) continue;
      movedFrom.add(placed.donor);
      if (takesPlace(matching, instance, need)) break;
    }
  }
  return movedFrom;
}

/** One of each group that waits stands for its equals. */
function leftOver({ turn }: Matching): { instance: Instance; need: Need }[] {
  const left = [];
  for (const instance of turn.newcomers) {
    const need = turn.state.waiting.groupOf(instance)?.need;
    if (need !== undefined && gangOf(instance) === undefined) left.push({ instance, need });
  }
  return left;
}

/** Whether `need` would fit where `placed` is, and `placed` went elsewhere for it. */
function canMove({ turn, plan }: Matching, placed: Placed, need: Need): boolean {
  const { state, now } = turn;
  const { donor } = placed;
  const freeNow = donor.free;
  donor.free = freeOf(freeNow, [giveBack(placed)]);
  const fits = choose(state, need, donor, now) !== undefined;
  donor.free = freeNow;
  if (!fits) return false;
  const elsewhere = new DonorSearch(turn, placed.instance, placed.need, donor).run();
  if (elsewhere === undefined) return false;
  plan.lift(placed);
  plan.place({ instance: placed.instance, need: placed.need, ...elsewhere });
  return true;
}

function takesPlace({ turn, plan }: Matching, instance: Instance, need: Need): boolean {
  const best = new DonorSearch(turn, instance, need).run();
  if (best === undefined) return false;
  plan.place({ instance, need, ...best });
  return true;
}

/** The placement, to be added and not taken. */
function giveBack({ choice: { placement } }: Placed): Placed['choice']['placement'] {
  const { demand, gpuDeviceId } = placement;
  const { gpu } = demand;
  return {
    demand: {
      cpuMillicores: -demand.cpuMillicores,
      memoryMib: -demand.memoryMib,
      threads: demand.threads,
      ...(gpu === undefined ? {} : { gpu: { shareMillis: -gpu.shareMillis, vramMib: -gpu.vramMib } }),
    },
    ...(gpuDeviceId === undefined ? {} : { gpuDeviceId }),
  };
}
