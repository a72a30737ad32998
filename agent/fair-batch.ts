/**
 * Which events the next step takes where more wait than it may have: each vehicle as many as every other, so that one that floods the
 * pile waits for itself. Pure.
 */
import type { VehicleId } from '@plugpool/proto';
import type { Event } from './core/events.ts';

/** Of firmware, timers and the operator, which nobody's vehicle can hold up. */
const OWN = '';
type Lane = VehicleId | typeof OWN;

export function laneOf(event: Event): Lane {
  switch (event.kind) {
    case 'message':
    case 'connected':
    case 'disconnected':
      return event.client.vehicleId;
    case 'blobArrived':
    case 'blobFailed':
      return event.vehicleId;
    default:
      return OWN;
  }
}

export interface Batch {
  readonly taken: Event[];
  readonly left: Event[];
}

/** In the order in which they came, of each vehicle and all together. */
export function takeFairly(queue: Event[], max: number): Batch {
  if (queue.length <= max) return { taken: queue, left: [] };
  const quotas = quotasOf(countLanes(queue), max);
  const batch: Batch = { taken: [], left: [] };
  for (const event of queue) {
    const lane = laneOf(event);
    const quota = quotas.get(lane) ?? 0;
    quotas.set(lane, quota - 1);
    (quota > 0 ? batch.taken : batch.left).push(event);
  }
  return batch;
}

function countLanes(queue: readonly Event[]): Map<Lane, number> {
  const counts = new Map<Lane, number>();
  for (const event of queue) {
    const lane = laneOf(event);
    counts.set(lane, (counts.get(lane) ?? 0) + 1);
  }
  return counts;
}

/**
 * Who has little gets all of it, and what that leaves is shared by the others, no less than one each. Where they are more than the step
 * may have, those whose event waits longest: by how much waits, who has more than others would never have a turn.
 */
function quotasOf(counts: ReadonlyMap<Lane, number>, max: number): Map<Lane, number> {
  const own = Math.min(counts.get(OWN) ?? 0, max);
  const quotas = new Map<Lane, number>([[OWN, own]]);
  let left = max - own;
  const byAge = [...counts].filter(([lane]) => lane !== OWN);
  const least = byAge.length > left ? byAge.slice(0, left) : byAge.sort(([, a], [, b]) => a - b);
  for (const [index, [lane, count]] of least.entries()) {
    const quota = Math.min(count, Math.floor(left / (least.length - index)));
    quotas.set(lane, quota);
    left -= quota;
  }
  return quotas;
}
