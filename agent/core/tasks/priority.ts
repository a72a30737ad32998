/** How urgent a request is, from its latency need and its concurrency: the quicker or the more at once, the higher. Pure. */
import type { Wants } from '@plugpool/proto';
import type { Settings } from '../settings.ts';

/** 3 is the latency priority, which alone may pre-empt; 0 is what asks for nothing of the kind. */
export type Priority = 0 | 1 | 2 | 3;

export const PRIORITIES: readonly Priority[] = [0, 1, 2, 3];

export function priorityOf(wants: Wants | undefined, settings: Settings): Priority {
  const { latencyMs, instances = 1 } = wants ?? {};
  const [interactiveMs, soonMs, someMs] = settings.latencyClassesMs;
  if (latencyMs !== undefined && latencyMs <= interactiveMs) return 3;
  if ((latencyMs !== undefined && latencyMs <= soonMs) || instances >= settings.manyInstances) return 2;
  if ((latencyMs !== undefined && latencyMs <= someMs) || instances > 1) return 1;
  return 0;
}

/** What of the request gives it its priority. */
export function priorityBecause(wants: Wants | undefined, settings: Settings): string {
  const { latencyMs, instances = 1 } = wants ?? {};
  const priority = priorityOf(wants, settings);
  if (priority === 0) return 'it asks for neither a quick answer nor several instances at once';
  if (latencyMs !== undefined && priorityOf({ latencyMs }, settings) === priority)
    return `it needs its answer within ${latencyMs} ms`;
  return `it asks for ${instances} instances at once`;
}
