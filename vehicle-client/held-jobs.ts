/** The attempts under a lease here, one an instance, and what is asked about all of them. */
import type { Digest, InstanceId, LeaseId, Offer } from '@plugpool/proto';
import { mayGoOn, nextClimbMonoMs } from './core/eviction.ts';
import { cpuMsOf, stateOf, type LeasedJob } from './leased-job.ts';

export interface ListedJob {
  readonly offer: Offer;
  readonly state: string;
  readonly cpuMs: number;
}

export class HeldJobs {
  readonly #jobs = new Map<InstanceId, LeasedJob>();

  get size(): number {
    return this.#jobs.size;
  }

  /** As they are now: those that end meanwhile are in it still. */
  all(): readonly LeasedJob[] {
    return [...this.#jobs.values()];
  }

  of(instanceId: InstanceId): LeasedJob | undefined {
    return this.#jobs.get(instanceId);
  }

  /** Undefined where the lease is another attempt's. */
  under({ instanceId, fencingToken }: LeaseId): LeasedJob | undefined {
    const job = this.#jobs.get(instanceId);
    return job?.offer.lease.fencingToken === fencingToken ? job : undefined;
  }

  has(job: LeasedJob): boolean {
    return this.#jobs.get(job.offer.lease.instanceId) === job;
  }

  add(job: LeasedJob): void {
    this.#jobs.set(job.offer.lease.instanceId, job);
  }

  remove(job: LeasedJob): void {
    this.#jobs.delete(job.offer.lease.instanceId);
  }

  list(): readonly ListedJob[] {
    return this.all().map((job) => ({ offer: job.offer, state: stateOf(job), cpuMs: cpuMsOf(job) }));
  }

  leases(): readonly LeaseId[] {
    return this.all().map(({ offer }) => offer.lease);
  }

  /** True while a lease waits for this image. */
  isFetching(digest: Digest): boolean {
    return this.all().some(({ stage, offer }) => stage.state === 'fetching' && offer.image.digest === digest);
  }

  /** Some run may still go on once the owner's cause has passed. */
  someMayGoOn(): boolean {
    return this.all().some(({ rung }) => mayGoOn(rung));
  }

  /** When the first of them climbs next; Infinity: none does. */
  nextClimbMonoMs(): number {
    return Math.min(...this.all().map(({ rung }) => nextClimbMonoMs(rung) ?? Infinity));
  }
}
