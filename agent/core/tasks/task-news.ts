/** What a requester hears of its task while that goes on: nobody is owed it, so it is said once, to whoever is connected. */
import type { TaskUpdate } from '@plugpool/proto';
import type { Task } from '../state.ts';
import { askingClient, send, type Turn } from '../turn.ts';

type News = Pick<TaskUpdate, 'state' | 'attempt'> &
  Partial<Pick<TaskUpdate, 'progressPermille' | 'donor' | 'reason'>>;

export function tellRequester(turn: Turn, { record }: Task, news: News): void {
  const requester = askingClient(turn.state, record);
  if (requester === undefined) return;
  const { taskId } = record;
  const nothing = { progressPermille: 0, donor: '', reason: '' } as const;
  send(turn, requester.name.clientId, { kind: 'taskUpdate', taskId, ...nothing, ...news });
}
