/** How many bodies that cost as much as their client has tasks are heard of one client in one step. */
import { EXPLANATIONS_PER_STEP_MAX, HEAVY_BODIES_PER_STEP_MAX } from '../limits.ts';
import type { Client } from '../state.ts';
import { refuse, type Turn } from '../turn.ts';

/** One message can hold hundreds of bodies, each of which would be answered by thousands. */
export function isTooHeavy(turn: Turn, { name: { clientId } }: Client, correlationId: number): boolean {
  const heard = (turn.heavyBodies.get(clientId) ?? 0) + 1;
  turn.heavyBodies.set(clientId, heard);
  if (heard <= HEAVY_BODIES_PER_STEP_MAX) return false;
  const detail = 'too many hellos or questions for all tasks at once';
  const hint = 'say hello once in each connection, and ask for all tasks once';
  refuse(turn, { clientId, correlationId }, [{ code: 'rate_limited', detail, hint }], true);
  return true;
}

/** An explanation costs as much as hundreds of requests: they are counted for all connections of a vehicle together. */
export function asksTooMuch(
  turn: Turn,
  { name: { clientId, vehicleId } }: Client,
  correlationId: number,
): boolean {
  const asked = (turn.explanations.get(vehicleId) ?? 0) + 1;
  turn.explanations.set(vehicleId, asked);
  if (asked <= EXPLANATIONS_PER_STEP_MAX) return false;
  const detail = 'too many questions for explanations at once';
  const hint = 'ask for one explanation after the other';
  refuse(turn, { clientId, correlationId }, [{ code: 'rate_limited', detail, hint }], true);
  return true;
}
