/**
 * How many bytes of checkpoints one lease may have the pile pull and write: as a bucket that fills with time. A run that keeps its
 * state as often as it is told to never empties it, whatever its size.
 */
import {
  CHECKPOINT_BUDGET_BYTES_MAX,
  CHECKPOINT_BUDGET_BYTES_PER_S,
  CHECKPOINT_BYTES_MAX,
  CHECKPOINT_COUNTED_BYTES_MIN,
} from '../limits.ts';
import type { Lease } from '../state.ts';

export interface CheckpointBudget {
  readonly leftBytes: number;
  readonly atMonoMs: number;
}

/** What is left of it after these bytes, or after how long they may be offered again. */
export type BudgetVerdict =
  | { readonly ok: true; readonly budget: CheckpointBudget }
  | { readonly ok: false; readonly retryAfterMs: number };

/** A lease that is being taken back may send one more, so that what its donor had in hand is not lost to the bound. */
export function spend(
  { checkpointBudget, phase }: Pick<Lease, 'checkpointBudget' | 'phase'>,
  sizeBytes: number,
  monoMs: number,
): BudgetVerdict {
  const haveBytes = fill(checkpointBudget, monoMs);
  const leftBytes = haveBytes - Math.max(sizeBytes, CHECKPOINT_COUNTED_BYTES_MIN);
  const lowestBytes = phase === 'revoking' ? -CHECKPOINT_BYTES_MAX : 0;
  if (leftBytes >= lowestBytes) return { ok: true, budget: { leftBytes, atMonoMs: monoMs } };
  const missingBytes = lowestBytes - leftBytes;
  return { ok: false, retryAfterMs: Math.ceil((missingBytes * 1000) / CHECKPOINT_BUDGET_BYTES_PER_S) };
}

function fill(budget: CheckpointBudget | undefined, monoMs: number): number {
  if (budget === undefined) return CHECKPOINT_BUDGET_BYTES_MAX;
  const grownBytes = ((monoMs - budget.atMonoMs) * CHECKPOINT_BUDGET_BYTES_PER_S) / 1000;
  return Math.min(CHECKPOINT_BUDGET_BYTES_MAX, budget.leftBytes + grownBytes);
}
