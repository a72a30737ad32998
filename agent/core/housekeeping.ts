/** Forgets what is older than the retention: closed tasks, and ends that no requester came back for. */
import { deployAnew } from './pools/deploy.ts';
import { FORGOTTEN_MAX } from './limits.ts';
import { keepPools } from './pools/replan.ts';
import { forgetOpen } from './tasks/task-end.ts';
import { log, writeLazily, type Turn } from './turn.ts';

export function forgetOld(turn: Turn): void {
  const { state, now } = turn;
  keepPools(turn);
  // What is most asked for may be another program by now.
  deployAnew(state);
  const beforeMonoMs = now.monoMs - state.settings.retentionMs;
  const taskIds = state.requests.forgetEndedBefore(beforeMonoMs, FORGOTTEN_MAX);
  for (const task of state.tasks.values()) {
    if (taskIds.length >= FORGOTTEN_MAX) break;
    const { endedMonoMs = Infinity, record } = task;
    if (endedMonoMs >= beforeMonoMs) continue;
    forgetOpen(state, task);
    state.requests.forget({ stage: 'open', bodyHash: record.bodyHash, task });
    taskIds.push(record.taskId);
  }
  if (taskIds.length === 0) return;
  writeLazily(turn, { change: 'forgetTasks', taskIds });
  log(turn, 'info', 'forgot old tasks', { tasks: taskIds.length });
}
