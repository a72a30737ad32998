/** How many bodies that cost as much as their client has tasks are heard of one client in one step. */
import { HEAVY_BODIES_PER_STEP_MAX } from '../limits.ts';
import type { Client } from '../state.ts';
import { refuse, type Turn } from '../turn.ts';

/** One message can hold hundreds of bodies, each of which would be answered by thousands. */
export function isTooHeavy(turn: Turn, { name: { clientId } }: Client, correlationId: number): boolean {
  const heard = (turn.heavyBodies.get(clientId) ?? 0) + 1;
  turn.heavyBodies.set(clientId, heard);
  if (heard <= HEAVY_BODIES_PER_STEP_MAX) return false;
  const detail = 'too many hellos, questions for all tasks or for explanations at once';
  const hint =
    'say hello once in each connection, ask for all tasks once, and for one explanation after the other';
  refuse(turn, { clientId, correlationId }, [{ code: 'rate_limited', detail, hint }], true);
  return true;
}
