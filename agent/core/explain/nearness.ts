/** How far a donor is from running what waits: what passes by itself is nearer than what somebody must do, and that than hardware. Pure. */
import { assertNever } from '../assert-never.ts';
import type { Obstacle } from '../feasible/feasible.ts';
import type { Donor } from '../state.ts';

/** 0 passes with time, 1 takes what somebody does, 2 is what the vehicle is. */
export function remotenessOf(obstacle: Obstacle, { lendable }: Donor): 0 | 1 | 2 {
  switch (obstacle.test) {
    case 'resting':
    case 'donor_resting':
    case 'overdrawn':
    case 'capacity_stale':
    case 'session_unverified':
    case 'settling':
    case 'kept_for_another':
    case 'waits_for_all':
    case 'station_power':
    case 'station_power_unknown':
      return 0;
    // Other runs end; what its owner does not lend, only he can.
    case 'cpu':
      return Number(obstacle.need) <= lendable.cpuMillicores ? 0 : 1;
    case 'memory':
      return Number(obstacle.need) <= lendable.memoryMib ? 0 : 1;
    case 'gpu_share':
      return ofDevices(lendable.gpus.map((gpu) => gpu.shareMillis >= Number(obstacle.need)));
    case 'vram':
      return ofDevices(lendable.gpus.map((gpu) => gpu.vramMib >= Number(obstacle.need)));
    case 'agent_stopping':
    case 'draining':
    case 'ready_by':
    case 'not_connected':
    case 'not_plugged':
    case 'identity_too_weak':
    case 'identity_disputed':
    case 'session_not_lending':
    case 'policy_not_lending':
    case 'not_trusted':
    case 'constraint_not_met':
    case 'owner_constraint_not_met':
    case 'algorithm_not_allowed':
    case 'leaving_too_soon':
    case 'too_little_progress':
    case 'deadline_too_close':
    case 'too_few_owners':
      return 1;
    case 'own_request':
    case 'same_owner':
    case 'runtime_missing':
    case 'gpu_model':
      return 2;
    default:
      return assertNever(obstacle);
  }
}

function ofDevices(suffice: readonly boolean[]): 0 | 1 | 2 {
  if (suffice.length === 0) return 2;
  return suffice.includes(true) ? 0 : 1;
}

/** By the furthest, then by how many they are, then by how much they fall short of. */
export function distanceOf(obstacles: readonly Obstacle[], donor: Donor): number {
  let [furthest, short] = [0, 0];
  for (const obstacle of obstacles) {
    furthest = Math.max(furthest, remotenessOf(obstacle, donor));
    short += shortOf(obstacle);
  }
  const count = obstacles.length;
  return 100 * furthest + count + (count === 0 ? 0 : short / (count + 1));
}

/** 0…1: the part of what is needed that is missing. */
function shortOf(obstacle: Obstacle): number {
  switch (obstacle.test) {
    case 'cpu':
    case 'memory':
    case 'gpu_share':
    case 'vram':
      return missing(Number(obstacle.have), Number(obstacle.need));
    case 'too_few_owners':
      return missing(obstacle.have, obstacle.need);
    case 'station_power':
      return missing(obstacle.haveMw, obstacle.needMw);
    case 'leaving_too_soon':
      return missing(obstacle.millis, obstacle.barMillis);
    case 'too_little_progress':
      return missing(obstacle.expectMs, obstacle.needMs);
    case 'deadline_too_close':
      return missing(obstacle.haveMs, obstacle.needMs);
    default:
      return 0;
  }
}

function missing(have: number, need: number): number {
  return need <= 0 ? 0 : 1 - Math.min(1, Math.max(0, have) / need);
}
