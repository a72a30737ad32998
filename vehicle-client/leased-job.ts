/** One attempt under a lease: what was offered, how far it is, and what its program is handed. */
import type { Offer, RenewalEntry, Used } from '@plugpool/proto';
import { RUNNING, isStill, type Pressure, type Rung } from './core/eviction.ts';
import { leaseKeyOf, type LeaseKey } from './core/lease-clock.ts';
import type { Grant } from './granted-capacity.ts';
import { renewalEntry } from './lease-renewals.ts';
import type { Job, RunningJob } from './runtimes/port.ts';

export type Stage =
  | { readonly state: 'fetching' }
  | { readonly state: 'running'; readonly running: RunningJob }
  /** Its output is being stored; the lease must live on meanwhile. */
  | { readonly state: 'storing'; readonly cpuMs: number };

export interface LeasedJob {
  readonly key: LeaseKey;
  readonly offer: Offer;
  readonly grant: Grant;
  stage: Stage;
  isImagePinned: boolean;
  leaseMs: number;
  /** From when the lease counts on this donor's clock. */
  confirmedMonoMs: number;
  rung: Rung;
  /** The pile wants it back. */
  revoked: Pressure | undefined;
  /** When what it kept is sent next, if it is news. */
  shipAtMonoMs: number;
}

/** Of an attempt that never ran. */
export const NOTHING_USED: Used = { cpuMs: 0, wallMs: 0, memoryPeakMib: 0, gpuMs: 0 };

export function newLeasedJob(offer: Offer, grant: Grant, nowMonoMs: number): LeasedJob {
  return {
    key: leaseKeyOf(offer.lease),
    offer,
    grant,
    stage: { state: 'fetching' },
    isImagePinned: false,
    leaseMs: offer.leaseMs,
    confirmedMonoMs: nowMonoMs,
    rung: RUNNING,
    revoked: undefined,
    shipAtMonoMs: Infinity,
  };
}

export function stateOf({ rung, stage }: LeasedJob): string {
  return rung.rung === 'running' ? stage.state : rung.rung;
}

export function cpuMsOf({ stage }: LeasedJob): number {
  switch (stage.state) {
    case 'fetching':
      return 0;
    case 'running':
      return stage.running.cpuMs();
    case 'storing':
      return stage.cpuMs;
  }
}

export function renewalOf(job: LeasedJob): RenewalEntry {
  return {
    ...renewalEntry(job.offer.lease, 0, cpuMsOf(job)),
    ...(isStill(job.rung) ? { suspended: true as const } : {}),
  };
}

/** Whether the pile keeps what this run keeps. */
export function keepsState({ checkpointEveryMs }: Offer): boolean {
  return checkpointEveryMs !== undefined;
}

/** What its runtime is given. */
export function jobOf(
  { key, offer }: LeasedJob,
  imagePath: string,
  input: Uint8Array,
  state?: Uint8Array,
): Job {
  const checkpoint = state === undefined ? {} : { state };
  return {
    name: `${offer.algorithmId}@${offer.algorithmVersion} ${key}`,
    imagePath,
    args: offer.args,
    env: environmentOf(offer),
    input,
    ...(keepsState(offer) || state !== undefined ? { checkpoint } : {}),
    limits: offer.limits,
    seed: offer.seed,
    threads: offer.demand.threads,
    gpu: offer.demand.gpu !== undefined,
  };
}

/** An only instance is part 0 of 1, so that a program need not ask whether there are others. */
function environmentOf({ part = { index: 0, count: 1 } }: Offer): Record<string, string> {
  return { PLUGPOOL_PART: String(part.index), PLUGPOOL_PARTS: String(part.count) };
}
