/** Why a task does not run: donor by donor, every test that fails, from a closed list. */
import type { Now, TaskId, VehicleId } from '@plugpool/proto';
import { neededBy } from './line.ts';
import { phaseOf, type DonorPhase } from './donor.ts';
import { gangOf } from './gang.ts';
import { choiceFor, choose, donorObstacle, runObstacle, type Obstacle } from './feasible.ts';
import { EXPLAINED_DONORS_MAX } from './limits.ts';
import type { TaskEndRecord } from './records.ts';
import type { Donor, Instance, Lease, State } from './state.ts';

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
    const summary = task.end === undefined ? whereItRuns(task.instances[0]?.lease) : howItEnded(task.end);
    return { ...about, state: task.end?.state ?? 'running', summary, donors: [] };
  }
  const donors = [...state.donors.values()].slice(0, EXPLAINED_DONORS_MAX).map((donor) => {
    const obstacles = obstaclesOf(state, waiting, donor, now);
    return {
      vehicleId: donor.vehicleId,
      phase: phaseOf(state, donor, now),
      obstacles,
      because: obstacles.map((obstacle) => inWords(obstacle, donor)),
    };
  });
  return { ...about, state: 'queued', summary: summaryOf(donors), donors };
}

/** One sentence on a task that has ended. */
export function howItEnded({ failure, donor }: Pick<TaskEndRecord, 'failure' | 'donor'>): string {
  const where = donor === undefined ? 'it ended' : `it ended on ${donor}`;
  if (failure === undefined) return where;
  return `${where} (${failure.detail === '' ? failure.code : `${failure.code}: ${failure.detail}`})`;
}

function whereItRuns(lease: Lease | undefined): string {
  if (lease === undefined) return 'it is between two tries';
  switch (lease.phase) {
    case 'granted':
      return `it was offered to ${lease.vehicleId}, which has not renewed its lease yet`;
    case 'held':
      return `it runs on ${lease.vehicleId}`;
    case 'revoking':
      return `it is being taken back from ${lease.vehicleId}`;
  }
}

function summaryOf(donors: Explanation['donors']): string {
  if (donors.length === 0) return 'no vehicle that lends is known here';
  const able = donors.filter((donor) => donor.phase === 'eligible').length;
  const fitting = donors.filter((donor) => donor.obstacles.length === 0).length;
  const known =
    donors.length === 1 ? '1 vehicle that lends is known' : `${donors.length} that lend are known`;
  if (able === 0) return `${known}, none may lend now`;
  return `${known}, ${able} may lend now, it fits on ${fitting === 0 ? 'none' : fitting}`;
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
  const obstacles: Obstacle[] = [];
  const need = neededBy(state, instance);
  const choice = choose(state, need, donor, now, obstacles);
  if (choice === undefined) return obstacles;
  if (choiceFor(state, instance, need, donor, choice, now) === undefined) {
    const own = runObstacle(state, instance, donor, choice, now);
    return own === undefined ? obstacles : [own];
  }
  const gang = gangOf(instance);
  if (gang === undefined) return [];
  return [{ test: 'waits_for_all', need: gang.instances.length, have: 1 }];
}

function inWords(obstacle: Obstacle, { lendable, report }: Donor): string {
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
      return `its owner does not lend now${report === undefined || report.reason === '' ? '' : `: ${report.reason}`}`;
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
      return `leaving too soon: P = ${(obstacle.millis / 1000).toFixed(2)} < ${(obstacle.barMillis / 1000).toFixed(2)} that it stays for the ${Math.round(obstacle.needMs / 1000)} s of the run`;
    case 'too_little_progress':
      return `it is expected to leave after ${Math.round(obstacle.expectMs / 1000)} s, too soon to get on (${Math.round(obstacle.needMs / 1000)} s)`;
    case 'deadline_too_close':
      return `the run takes ${Math.round(obstacle.needMs / 1000)} s there, the deadline is in ${Math.round(obstacle.haveMs / 1000)} s`;
    case 'waits_for_all':
      return `one part would fit, and all ${obstacle.need} are to start together`;
    case 'not_trusted':
      return 'the requester does not trust it with its data';
    case 'constraint_not_met':
      return `the requester's constraint does not hold: ${obstacle.constraint}`;
    case 'owner_constraint_not_met':
      return `its owner's constraint does not hold: ${obstacle.constraint}`;
    case 'donor_resting':
      return `it failed or was slow where others were not, and rests for ${Math.ceil(obstacle.forMs / 1000)} s`;
    case 'cpu':
      return `cpu: needs ${obstacle.need} millicores, ${obstacle.have} free of ${lendable.cpuMillicores} lent`;
    case 'memory':
      return `memory: needs ${obstacle.need} MiB, ${obstacle.have} free of ${lendable.memoryMib} lent`;
    case 'gpu_share':
      return `gpu: needs ${obstacle.need} thousandths, ${obstacle.have} free`;
    case 'vram':
      return `gpu memory: needs ${obstacle.need} MiB, ${obstacle.have} free`;
    case 'gpu_model':
      return `gpu model ${obstacle.need} is asked for, it has ${obstacle.have}`;
  }
}
