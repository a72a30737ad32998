/** Ends that tell nothing of a donor's honesty: a small or busy one reaches a limit that another does not, and so may a liar say. Pure. */
import type { FailureCode } from '@plugpool/proto';

const BY_LIMIT: ReadonlySet<FailureCode> = new Set<FailureCode>([
  'cpu_time_limit',
  'wall_time_limit',
  'memory_limit',
]);

export function endedByLimit(failure: { readonly code: FailureCode } | undefined): boolean {
  return failure !== undefined && BY_LIMIT.has(failure.code);
}
