/** Why a task does not run: donor by donor, every test that fails, from a closed list. */
import type { Now, TaskId, VehicleId } from '@plugpool/proto';
import { candidates } from './catalogue.ts';
import { phaseOf, type DonorPhase } from './donor.ts';
import { choose, donorObstacle, type Obstacle } from './feasible.ts';
import { EXPLAINED_DONORS_MAX } from './limits.ts';
import type { Instance, State } from './state.ts';

export interface Explanation {
  readonly taskId: TaskId;
  readonly state: string;
  /** One sentence for a person. */
  readonly summary: string;
  readonly waitedMs: number;
  /** How many instances stand in the line with it. */
  readonly waiting: number;
  readonly lastReason: string;
  readonly donors: readonly {
    readonly vehicleId: VehicleId;
    readonly phase: DonorPhase;
    readonly obstacles: readonly Obstacle[];
    /** The same in words. */
    readonly because: readonly string[];
  }[];
}

export function explain(state: State, taskId: TaskId, now: Now): Explanation | undefined {
  const task = state.tasks.get(taskId);
  if (task === undefined) return undefined;
  const waiting = task.instances.find((instance) => state.waiting.has(instance));
  const about = {
    taskId,
    waiting: state.waiting.size,
    waitedMs: waiting === undefined ? 0 : Math.round(now.monoMs - waiting.queuedMonoMs),
    lastReason: task.instances[0]?.lastReason ?? '',
  };
  if (waiting === undefined) {
    const lease = task.instances[0]?.lease;
    const summary =
      task.end !== undefined
        ? `it ended: ${task.end.state}${task.end.failure === undefined ? '' : ` (${task.end.failure.code})`}`
        : `it runs on ${lease?.vehicleId ?? '?'} (${lease?.phase ?? '?'})`;
    return { ...about, state: task.end?.state ?? 'running', summary, donors: [] };
  }
  const donors = [...state.donors.values()].slice(0, EXPLAINED_DONORS_MAX).map((donor) => {
    const obstacles = obstaclesOf(state, waiting, donor, now);
    return {
      vehicleId: donor.vehicleId,
      phase: phaseOf(state, donor, now),
      obstacles,
      because: obstacles.map(inWords),
    };
  });
  const able = donors.filter((donor) => donor.phase === 'eligible').length;
  const summary =
    donors.length === 0
      ? 'no vehicle that lends is known here'
      : `vehicles known: ${donors.length}; of them may lend now: ${able}; fit: none`;
  return { ...about, state: 'queued', summary, donors };
}

/** Every reason why `instance` cannot run on `donor` now; empty where it can. */
export function obstaclesOf(
  state: State,
  instance: Instance,
  donor: Parameters<typeof donorObstacle>[2],
  now: Now,
): Obstacle[] {
  const first = donorObstacle(state, instance, donor, now);
  if (first !== undefined) return [first];
  const algorithms = candidates(state, instance.task.record.selector);
  const obstacles: Obstacle[] = [];
  return choose(algorithms, donor, now, obstacles) === undefined ? obstacles : [];
}

function inWords(obstacle: Obstacle): string {
  switch (obstacle.test) {
    case 'not_connected':
      return 'its client is not connected';
    case 'not_plugged':
      return 'the firmware does not say that it is plugged in';
    case 'session_unverified':
      return 'the firmware of its connector is not heard';
    case 'session_not_lending':
      return 'its charging session is in a state that does not lend';
    case 'policy_not_lending':
      return "its owner's policy does not lend now";
    case 'capacity_stale':
      return 'its last capacity report is too old';
    case 'overdrawn':
      return 'it lends less than before, and runs are being taken back';
    case 'agent_stopping':
      return 'the agent is stopping';
    case 'own_request':
      return 'it is the vehicle that asks';
    case 'resting':
      return `the task failed there, it is tried again in ${Math.ceil(obstacle.forMs / 1000)} s`;
    case 'algorithm_not_allowed':
      return `its owner does not allow ${obstacle.algorithm}`;
    case 'runtime_missing':
      return `it has no ${obstacle.runtime} runtime`;
    case 'leaving_too_soon':
      return `it leaves in ${Math.round(obstacle.haveMs / 1000)} s, the run takes ${Math.round(obstacle.needMs / 1000)} s`;
    case 'cpu':
      return `cpu: ${obstacle.have} of ${obstacle.need} millicores free`;
    case 'memory':
      return `memory: ${obstacle.have} of ${obstacle.need} MiB free`;
    case 'gpu_share':
      return `gpu: ${obstacle.have} of ${obstacle.need} thousandths free`;
    case 'vram':
      return `gpu memory: ${obstacle.have} of ${obstacle.need} MiB free`;
    case 'gpu_model':
      return `gpu model ${obstacle.need} is asked for, it has ${obstacle.have}`;
  }
}
