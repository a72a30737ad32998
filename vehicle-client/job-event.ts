/** What whoever watches a donor hears of its attempts. */
import type { FailureCode, Offer, Used } from '@plugpool/proto';
import type { EvictionCause } from './core/eviction.ts';

/** What whoever watches hears of one attempt. */
export type JobEvent =
  | { readonly kind: 'jobStarted'; readonly job: JobName }
  | { readonly kind: 'jobDeclined'; readonly job: JobName; readonly reason: string }
  /** Stopped where it is, and going on again. */
  | { readonly kind: 'jobSuspended'; readonly job: JobName; readonly cause: EvictionCause }
  | { readonly kind: 'jobResumed'; readonly job: JobName }
  /** The pile has what it kept. */
  | {
      readonly kind: 'checkpointKept';
      readonly job: JobName;
      readonly sizeBytes: number;
      readonly used: Used;
    }
  /** `void`: the lease was lost, and nothing was reported. */
  | {
      readonly kind: 'jobEnded';
      readonly job: JobName;
      readonly outcome: 'completed' | FailureCode | 'void';
      readonly used?: Used;
    };

export interface JobName {
  readonly taskId: string;
  readonly algorithmId: string;
  readonly algorithmVersion: string;
  readonly attempt: number;
}

export function nameOf({ taskId, algorithmId, algorithmVersion, attempt }: Offer): JobName {
  return { taskId, algorithmId, algorithmVersion, attempt };
}
