/**
 * The attempts that this donor runs under a lease: fetched, run, renewed, and stopped when their right to run ends.
 *
 * A lease moves: offered → fetching → running → (storing a large output) → a result, which `unacked-results.ts` takes over.
 * It ends early when the pile revokes it or the owner needs the machine (the job climbs the ladder of core/eviction.ts, and is
 * reported as revoked at its end), when the pile does not name it in an answer or the donor's own clock runs out (killed, and
 * nothing is said: the lease is void).
 */
import {
  type CheckpointAck,
  type Digest,
  type Failure,
  type FailureCode,
  type LeaseId,
  type Offer,
  type Refused,
  type Renewed,
  type Revoke,
  type RuntimeKind,
  type Used,
} from '@plugpool/proto';
import type { OutputFiles } from './adapters/output-files.ts';
import type { BlobPulls } from './blob-pulls.ts';
import type { BlobShelf } from './blob-shelf.ts';
import type { Conversation } from './conversation.ts';
import {
  climb,
  isStill,
  mayGoOn,
  ownPressure,
  revocation,
  type Act,
  type Pressure,
} from './core/eviction.ts';
import { leaseKeyOf, selfStopAtMs } from './core/lease-clock.ts';
import { fetchForRun } from './fetch-for-run.ts';
import { GrantedCapacity } from './granted-capacity.ts';
import { HeldJobs, type ListedJob } from './held-jobs.ts';
import { KeptStates } from './kept-states.ts';
import { nameOf, type JobEvent } from './job-event.ts';
import { LeaseRenewals, renewalEntry } from './lease-renewals.ts';
import { NOTHING_USED, jobOf, keepsState, newLeasedJob, renewalOf, type LeasedJob } from './leased-job.ts';
import { whyDecline, type LendingNow } from './offer-judgement.ts';
import type { BlobCache, Clock, Log } from './ports.ts';
import type { NotLendingCause } from './core/policy.ts';
import type { JobOutcome, KeptRun, Runtime } from './runtimes/port.ts';
import type { RunEnergy } from './run-energy.ts';
import { SoonestTimer } from './soonest-timer.ts';
import { fitsInline, storeOutput } from './stored-output.ts';
import type { UnackedResults } from './unacked-results.ts';

export const TICKS_PER_LEASE = 15;
const TICK_MIN_MS = 10;
const TICK_MAX_MS = 1_000;

export interface LeasedJobsOptions {
  readonly runtimes: ReadonlyMap<RuntimeKind, Runtime>;
  readonly cache: BlobCache;
  readonly outputs: OutputFiles;
  readonly pulls: BlobPulls;
  readonly shelf: BlobShelf;
  readonly results: UnackedResults;
  readonly conversation: Conversation;
  readonly energy: RunEnergy;
  readonly clock: Clock;
  readonly log: Log;
  lending(): LendingNow;
  /** A run that might have gone on climbs too far for that: what is held for it is not lent any more. */
  givenUp(): void;
  readonly onEvent?: ((event: JobEvent) => void) | undefined;
}

export class LeasedJobs {
  readonly #options: LeasedJobsOptions;
  readonly #jobs = new HeldJobs();
  readonly #granted = new GrantedCapacity();
  readonly #renewals: LeaseRenewals;
  readonly #kept: KeptStates;
  #owner: { readonly cause: NotLendingCause; readonly pressure: Pressure } | undefined;
  readonly #tick: SoonestTimer;
  #isStopped = false;

  constructor(options: LeasedJobsOptions) {
    this.#options = options;
    const { shelf, conversation, clock, log, energy } = options;
    this.#tick = new SoonestTimer(clock, () => this.#onTick());
    this.#renewals = new LeaseRenewals({ conversation, clock });
    this.#kept = new KeptStates({
      shelf,
      conversation,
      clock,
      log,
      measured: (lease, used) => energy.soFar(leaseKeyOf(lease), used),
      settled: (lease, kept) => this.#checkpointSettled(lease, kept),
    });
  }

  get size(): number {
    return this.#jobs.size;
  }

  list(): readonly ListedJob[] {
    return this.#jobs.list();
  }

  /** What the leases take whose runs may still go on once the owner's cause has passed; undefined where there are none. */
  waiting(): { readonly cpuMillicores: number; readonly memoryMib: number } | undefined {
    return this.#jobs.someMayGoOn() ? this.#granted.inUse() : undefined;
  }

  leases(): readonly LeaseId[] {
    return this.#jobs.leases();
  }

  /** True while a lease waits for this image. */
  isFetching(digest: Digest): boolean {
    return this.#jobs.isFetching(digest);
  }

  offered(offer: Offer): void {
    const { instanceId, fencingToken } = offer.lease;
    const earlier = this.#jobs.of(instanceId);
    // A message that came twice, or one that an attempt since has made void.
    if (earlier !== undefined && earlier.offer.lease.fencingToken >= fencingToken) return;
    if (this.#options.results.sendAgain(offer.lease)) return;
    if (earlier !== undefined) this.#void(earlier, 'a newer attempt of the instance was offered');
    const declined = this.#whyDecline(offer);
    if (declined !== undefined) {
      this.#options.log.info(
        { taskId: offer.taskId, lease: offer.lease, reason: declined },
        'offer declined',
      );
      this.#options.onEvent?.({ kind: 'jobDeclined', job: nameOf(offer), reason: declined });
      this.#options.conversation.post({ kind: 'decline', lease: offer.lease, reason: declined });
      return;
    }
    this.#start(offer);
  }

  revoked(revoke: Revoke): void {
    const job = this.#jobs.under(revoke.lease);
    if (job === undefined) return;
    this.#options.log.info(
      { taskId: job.offer.taskId, reason: revoke.reason, graceMs: revoke.graceMs },
      'lease revoked',
    );
    job.revoked = revocation(revoke, keepsState(job.offer), this.#options.clock.monoMs());
    this.#climb(job);
    this.#planTick();
  }

  renewed(correlationId: number, renewed: Renewed): void {
    const answer = this.#renewals.answered(correlationId, renewed.held);
    if (!answer.known) return;
    this.#renewals.leaseMs = renewed.leaseMs;
    for (const job of this.#jobs.all()) {
      if (answer.confirmed.has(job.key)) {
        job.confirmedMonoMs = Math.max(job.confirmedMonoMs, answer.sentMonoMs);
        job.leaseMs = renewed.leaseMs;
      } else if (answer.voided.has(job.key)) {
        this.#void(job, 'the pile no longer holds the lease');
      }
    }
    const asked = (renewed.keepState ?? []).map((lease) => this.#jobs.under(lease));
    for (const job of asked) if (job !== undefined) this.#kept.ship(job);
  }

  welcomed(leaseMs: number, drop: readonly LeaseId[]): void {
    this.#renewals.clear();
    this.#renewals.leaseMs = leaseMs;
    for (const lease of drop) {
      const job = this.#jobs.under(lease);
      if (job !== undefined) this.#void(job, 'the pile dropped the lease');
    }
    this.#kept.sendAllAgain();
    if (this.#jobs.size > 0 || this.#options.results.leases().length > 0) this.#renew();
  }

  checkpointAcknowledged(ack: CheckpointAck): void {
    this.#kept.acknowledged(ack);
  }

  /** True where the refusal was meant for a checkpoint. */
  refused(correlationId: number, refused: Refused): boolean {
    return this.#kept.refused(correlationId, refused);
  }

  /** What the owner's policy says of all that runs; undefined: it lends. */
  press(cause: NotLendingCause | undefined): void {
    if (cause === this.#owner?.cause) return;
    this.#owner =
      cause === undefined ? undefined : { cause, pressure: ownPressure(cause, this.#options.clock.monoMs()) };
    for (const job of this.#jobs.all()) this.#climb(job);
    this.#planTick();
  }

  /** Ends everything now; what was running is reported as revoked if there is still somebody to hear it. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    const outcomes: Promise<unknown>[] = [];
    for (const job of this.#jobs.all()) {
      if (job.stage.state === 'running') outcomes.push(job.stage.running.outcome);
      this.#kill(job);
    }
    await Promise.all(outcomes);
    this.#tick.cancel();
  }

  #whyDecline(offer: Offer): string | undefined {
    if (this.#isStopped) return 'policy_paused: the donor is stopping';
    return whyDecline(offer, {
      lending: this.#options.lending(),
      granted: this.#granted,
      runtimes: this.#options.runtimes,
      heldLeases: this.#jobs.size,
    });
  }

  #start(offer: Offer): void {
    const nowMonoMs = this.#options.clock.monoMs();
    const grant = this.#granted.take(offer.demand, this.#options.lending().lendable);
    const job = newLeasedJob(offer, grant, nowMonoMs);
    if (this.#jobs.size === 0) this.#renewals.countFrom(nowMonoMs);
    this.#jobs.add(job);
    this.#renewals.leaseMs = offer.leaseMs;
    this.#planTick();
    const imagePath = this.#options.cache.pinVerified(offer.image.digest);
    if (imagePath !== undefined) job.isImagePinned = true;
    // The usual case takes no turn of the event loop: what one frame offers is answered in one frame.
    if (imagePath !== undefined && offer.input.where === 'inline' && offer.checkpoint === undefined)
      this.#run(job, imagePath, offer.input.bytes);
    else void this.#fetchThenRun(job, imagePath);
  }

  async #fetchThenRun(job: LeasedJob, pinnedPath: string | undefined): Promise<void> {
    const fetched = await fetchForRun(this.#options, job.offer, {
      pinnedPath,
      isWanted: () => this.#jobs.has(job),
      pinned: () => (job.isImagePinned = true),
    });
    if (fetched === undefined || !this.#jobs.has(job)) return;
    if (!fetched.ok) return this.#fail(job, fetched.code, fetched.detail);
    this.#run(job, fetched.imagePath, fetched.input, fetched.state);
  }

  #run(job: LeasedJob, imagePath: string, input: Uint8Array, state?: Uint8Array): void {
    const runtime = this.#options.runtimes.get(job.offer.runtime) as Runtime;
    const running = runtime.run(jobOf(job, imagePath, input, state));
    job.stage = { state: 'running', running };
    this.#options.energy.began(job.key, running, job.offer.demand.gpu !== undefined);
    this.#kept.startInterval(job);
    if (isStill(job.rung)) running.suspend();
    this.#options.onEvent?.({ kind: 'jobStarted', job: nameOf(job.offer) });
    void running.outcome.then((outcome) => this.#ended(job, outcome));
  }

  #ended(job: LeasedJob, outcome: JobOutcome): void {
    if (!this.#jobs.has(job)) return;
    const used = this.#options.energy.ended(job.key, outcome.used);
    if (!outcome.ok) {
      this.#finish(job, used, { ok: false, failure: outcome.failure });
    } else if (fitsInline(this.#options, job.offer, outcome.output)) {
      this.#finish(job, used, { ok: true, output: { where: 'inline', bytes: outcome.output } });
    } else {
      job.stage = { state: 'storing', cpuMs: used.cpuMs };
      void this.#store(job, outcome.output, used);
    }
  }

  async #store(job: LeasedJob, output: Uint8Array, used: Used): Promise<void> {
    const stored = await storeOutput(this.#options, job.offer, output, () => this.#jobs.has(job));
    if (stored === undefined) return;
    if (stored.ok) this.#finish(job, used, { ok: true, output: stored.payload });
    else this.#fail(job, 'runtime_crashed', stored.detail, used);
  }

  #fail(job: LeasedJob, code: FailureCode, detail: string, used: Used = NOTHING_USED): void {
    if (!this.#jobs.has(job)) return;
    const failure: Failure = { code, detail: detail.slice(0, 300), stderrTail: '' };
    this.#finish(job, used, { ok: false, failure });
  }

  #finish(job: LeasedJob, used: Used, outcome: Parameters<UnackedResults['add']>[0]['outcome']): void {
    this.#forget(job);
    this.#options.results.add({ kind: 'result', lease: job.offer.lease, used, outcome });
    const ended = outcome.ok ? 'completed' : outcome.failure.code;
    this.#options.onEvent?.({ kind: 'jobEnded', job: nameOf(job.offer), outcome: ended, used });
  }

  /** The lease is void: whatever the job still does is nobody's any more. */
  #void(job: LeasedJob, why: string): void {
    this.#options.log.info({ taskId: job.offer.taskId, lease: job.offer.lease, why }, 'lease void');
    this.#forget(job);
    if (job.stage.state === 'running') job.stage.running.kill();
    this.#options.onEvent?.({ kind: 'jobEnded', job: nameOf(job.offer), outcome: 'void' });
  }

  #climb(job: LeasedJob): void {
    const { at, acts } = climb(job.rung, {
      pressure: job.revoked ?? this.#owner?.pressure,
      hasNews: this.#kept.hasNews(job),
      nowMonoMs: this.#options.clock.monoMs(),
    });
    const isGivenUp = mayGoOn(job.rung) && at.rung !== 'running' && !mayGoOn(at);
    job.rung = at;
    for (const act of acts) this.#do(job, act);
    if (isGivenUp) this.#options.givenUp();
  }

  #do(job: LeasedJob, act: Act): void {
    const running = job.stage.state === 'running' ? job.stage.running : undefined;
    const { taskId } = job.offer;
    const cause = 'cause' in job.rung ? job.rung.cause : undefined;
    this.#options.log.info({ taskId, act, ...(cause === undefined ? {} : { cause }) }, 'eviction');
    switch (act) {
      case 'suspend':
        running?.suspend();
        if (cause !== undefined)
          this.#options.onEvent?.({ kind: 'jobSuspended', job: nameOf(job.offer), cause });
        return;
      case 'resume':
        running?.resume();
        this.#options.onEvent?.({ kind: 'jobResumed', job: nameOf(job.offer) });
        return;
      case 'ship':
        return this.#kept.ship(job);
      case 'stop':
        if (running !== undefined) return running.stop();
        return this.#kill(job);
      case 'kill':
        return this.#kill(job);
    }
  }

  #checkpointSettled(lease: LeaseId, kept: KeptRun | undefined): void {
    const job = this.#jobs.under(lease);
    if (job === undefined) return;
    if (kept !== undefined) {
      const { archive, used } = kept;
      const sizeBytes = archive.byteLength;
      this.#options.onEvent?.({ kind: 'checkpointKept', job: nameOf(job.offer), sizeBytes, used });
    }
    // What it kept while that was under way goes next, as long as there is time for it.
    if (job.rung.rung === 'checkpointing') this.#kept.ship(job);
    this.#climb(job);
  }

  /** A running job's outcome, `revoked`, then goes the way of every outcome. */
  #kill(job: LeasedJob): void {
    if (job.stage.state === 'running') job.stage.running.kill();
    else if (job.stage.state === 'fetching') this.#fail(job, 'revoked', 'revoked before it could start');
  }

  #forget(job: LeasedJob): void {
    this.#jobs.remove(job);
    this.#granted.giveBack(job.grant);
    this.#kept.forget(job.offer.lease);
    this.#options.energy.forgot(job.key);
    if (job.isImagePinned) this.#options.cache.unpin(job.offer.image.digest);
    job.isImagePinned = false;
  }

  /** One timer for all leases, and only while there are any; no later than the next rung of any. */
  #planTick(): void {
    if (this.#isStopped) return;
    const everyMs = Math.min(TICK_MAX_MS, Math.max(TICK_MIN_MS, this.#renewals.leaseMs / TICKS_PER_LEASE));
    const nowMonoMs = this.#options.clock.monoMs();
    this.#tick.noLaterThan(
      Math.max(nowMonoMs + TICK_MIN_MS, Math.min(nowMonoMs + everyMs, this.#jobs.nextClimbMonoMs())),
    );
  }

  #onTick(): void {
    const nowMonoMs = this.#options.clock.monoMs();
    for (const job of this.#jobs.all()) {
      if (nowMonoMs >= selfStopAtMs(job.confirmedMonoMs, job.leaseMs)) this.#void(job, 'not renewed in time');
      else {
        this.#climb(job);
        this.#kept.shipIfDue(job, nowMonoMs);
      }
    }
    if (this.#jobs.size === 0 && this.#options.results.leases().length === 0) return;
    if (this.#renewals.isDue(nowMonoMs)) this.#renew();
    this.#planTick();
  }

  /** One body for all leases; a result that waits for its acknowledgement still holds its lease. */
  #renew(): void {
    const held = [
      ...this.#jobs.all().map(renewalOf),
      ...this.#options.results.leases().map((lease) => renewalEntry(lease, 1000, 0)),
    ];
    if (this.#renewals.send(held)) this.#planTick();
  }
}
