/** Forgets what is older than the retention: closed tasks, and ends that no requester came back for. */
import type { TaskId } from '@plugpool/proto';
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
  const taskIds: TaskId[] = [];
  for (const request of state.requests.all()) {
    if (taskIds.length >= FORGOTTEN_MAX) break;
    if (request.stage === 'closed') {
      if (request.endedMonoMs >= beforeMonoMs) continue;
      state.requests.forget(request);
      taskIds.push(request.taskId);
      continue;
    }
    const { task } = request;
    if (task.endedMonoMs === undefined || task.endedMonoMs >= beforeMonoMs) continue;
    forgetOpen(state, task);
    state.requests.forget(request);
    taskIds.push(task.record.taskId);
  }
  if (taskIds.length === 0) return;
  writeLazily(turn, { change: 'forgetTasks', taskIds });
  log(turn, 'info', 'forgot old tasks', { tasks: taskIds.length });
}
