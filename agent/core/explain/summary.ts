/** One sentence on a task: why it waits, where it runs, how it ended. */
import type { Obstacle } from '../feasible/feasible.ts';
import type { TaskEndRecord } from '../records.ts';
import type { Lease, Task } from '../state.ts';
import { hasReplicas } from '../replicas/replicas-of.ts';
import { thousands } from './figures.ts';
import type { LookedAt } from './looked-at.ts';

export type ObstacleCount = { readonly test: Obstacle['test']; readonly donors: number };

/** How many donors fail each test, the most frequent first. */
export function obstacleCounts({ tried }: LookedAt, of: 'first' | 'all'): ObstacleCount[] {
  const counts = new Map<Obstacle['test'], number>();
  for (const { told } of tried) {
    const tests = new Set(told.map(({ test }) => test));
    for (const test of of === 'first' ? [...tests].slice(0, 1) : tests)
      counts.set(test, (counts.get(test) ?? 0) + 1);
  }
  return [...counts].map(([test, donors]) => ({ test, donors })).sort((a, b) => b.donors - a.donors);
}

const NAMED_MAX = 4;

/** Names no vehicle: a requester reads it too. */
export function whyItWaits(lookedAt: LookedAt): string {
  const { tried, wait } = lookedAt;
  const rest = partsInWords(wait.instance.task);
  if (tried.length === 0) return `${rest}no donor is known here`;
  const { size } = wait.state.donors;
  const known = size === 1 ? '1 donor is known' : `${thousands(size)} donors are known`;
  const seen = tried.length < size ? `, of the ${thousands(tried.length)} looked at` : ',';
  const obstacles = obstaclesInWords(lookedAt);
  return `${rest}${known}${seen} ${ableInWords(lookedAt)}${obstacles === '' ? '' : `: ${obstacles}`}`;
}

/** Of a task that waits with some of its parts alone. */
function partsInWords(task: Task): string {
  const { instances } = task;
  const waiting = instances.filter(({ waitsIn }) => waitsIn !== undefined).length;
  if (waiting === instances.length) return '';
  const what = hasReplicas(task) ? 'replicas' : 'parts';
  return `${waiting} of its ${instances.length} ${what} ${waiting === 1 ? 'waits' : 'wait'}: `;
}

function ableInWords({ tried, wait }: LookedAt): string {
  const able = tried.filter(({ donor }) => wait.state.index.has(donor)).length;
  const fitting = tried.filter(({ told }) => told.length === 0).length;
  if (able === 0) return 'none may lend now';
  return `${thousands(able)} may lend now, it fits on ${fitting === 0 ? 'none' : thousands(fitting)}`;
}

function obstaclesInWords(lookedAt: LookedAt): string {
  const counts = obstacleCounts(lookedAt, 'first');
  const named = counts
    .slice(0, NAMED_MAX)
    .map(({ test, donors }) => `${test.replaceAll('_', ' ')} on ${thousands(donors)}`);
  if (counts.length > NAMED_MAX) named.push('…');
  return named.join(', ');
}

export function whereItRuns(task: Task): string {
  const { instances } = task;
  const [only, ...others] = instances;
  if (others.length === 0) return whereOneRuns(only?.lease);
  const running = instances.filter(({ lease }) => lease !== undefined).length;
  const done = instances.filter(({ result }) => result !== undefined).length;
  const what = hasReplicas(task) ? 'replicas' : 'parts';
  return `of its ${instances.length} ${what} ${running} run and ${done} are done`;
}

function whereOneRuns(lease: Lease | undefined): string {
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

export function howItEnded({ failure, donor }: Pick<TaskEndRecord, 'failure' | 'donor'>): string {
  const where = donor === undefined ? 'it ended' : `it ended on ${donor}`;
  if (failure === undefined) return where;
  return `${where} (${failure.detail === '' ? failure.code : `${failure.code}: ${failure.detail}`})`;
}
