/**
 * The lending program of a simulated vehicle, one life of it: a small synchronous actor that follows docs/protocol.md on the
 * production rules of the vehicle client (policy, hysteresis, eviction, lease clock). What it computes is known beforehand.
 */
import {
  HELD_LEASES_MAX,
  type Capacity,
  type DownBody,
  type Hello,
  type InstanceId,
  type LeaseId,
  type Offer,
  type Renewed,
  type Result,
  type Revoke,
  type UpBody,
  type Used,
  type Welcome,
} from '@plugpool/proto';
import {
  climb,
  isStill,
  mayGoOn,
  ownPressure,
  revocation,
  type Act,
  type Pressure,
} from '../../vehicle-client/core/eviction.ts';
import { leaseKeyOf, RenewalBook, renewalEveryMs } from '../../vehicle-client/core/lease-clock.ts';
import type { NotLendingCause, PolicyDecision } from '../../vehicle-client/core/policy.ts';
import { GrantedCapacity } from '../../vehicle-client/granted-capacity.ts';
import { TICKS_PER_LEASE } from '../../vehicle-client/leased-jobs.ts';
import { Conversation, type ConversationParts } from './conversation.ts';
import type { DonorSurroundings } from './donor-surroundings.ts';
import { HandedIn } from './handed-in.ts';
import { FAILS, outputOf, stateAt } from './programs.ts';
import { SimulatedJob } from './simulated-job.ts';
import { SimulatedLending } from './simulated-lending.ts';

/** An image that is not here takes so long. */
const FETCH_MS = [50, 4_000] as const;
const STATE_BYTES = 10_000;

export class SimulatedDonor {
  readonly #around: DonorSurroundings;
  readonly #conversation: Conversation;
  readonly #jobs = new Map<InstanceId, SimulatedJob>();
  readonly #granted = new GrantedCapacity();
  readonly #renewals = new RenewalBook();
  readonly #handedIn: HandedIn;
  readonly #lending: SimulatedLending;
  #owner: { readonly cause: NotLendingCause; readonly pressure: Pressure } | undefined;
  #leaseMs = 30_000;
  #renewedMonoMs = 0;
  #cancelTimer: (() => void) | undefined;
  #cancelSample: (() => void) | undefined;
  #isStopped = false;

  constructor(
    around: DonorSurroundings,
    conversation: Omit<ConversationParts, 'hello' | 'welcomed' | 'body' | 'lost'>,
  ) {
    this.#around = around;
    this.#handedIn = new HandedIn(around, (result) => this.#sendResult(result));
    this.#lending = new SimulatedLending(around, {
      mayGoOn: () => [...this.#jobs.values()].some(({ rung }) => mayGoOn(rung)),
      inUse: () => this.#granted.inUse(),
    });
    this.#conversation = new Conversation({
      ...conversation,
      hello: () => this.#hello(),
      welcomed: (welcome) => this.#welcomed(welcome),
      body: (body, correlationId) => this.#heard(body, correlationId),
      lost: () => this.#lost(),
    });
  }

  /** Programs that compute now. */
  get running(): number {
    let count = 0;
    for (const { isComputing } of this.#jobs.values()) if (isComputing) count += 1;
    return count;
  }

  get lending(): PolicyDecision {
    return this.#lending.decision;
  }

  start(): void {
    this.#handedIn.readOutbox();
    this.#conversation.start();
    this.look();
  }

  /** The process is gone, whatever it was doing. Without power nobody hears of it. */
  die(hasPower: boolean): void {
    this.#isStopped = true;
    this.#handedIn.keepOld();
    this.#cancelTimer?.();
    this.#cancelSample?.();
    for (const job of [...this.#jobs.values()]) this.#forget(job);
    this.#conversation.stop(hasPower);
  }

  cut(way: 'up' | 'down' | 'both'): void {
    this.#conversation.cut(way);
  }

  lie(body: UpBody): void {
    this.#conversation.post(body, this.#conversation.nextCorrelationId());
    this.#conversation.flush();
  }

  /** Something that the policy looks at changed. */
  update(): void {
    if (this.#isStopped) return;
    this.#decide();
    this.#flush();
  }

  /** Now, and from now on as often as it is worth. */
  look(): void {
    if (this.#isStopped) return;
    this.#cancelSample?.();
    this.update();
    this.#cancelSample = this.#around.clock.setTimer(this.#around.sampleEveryMs(), () => this.look());
  }

  #nowMs(): number {
    return this.#around.clock.monoMs();
  }

  #hello(): Hello {
    const held = [...[...this.#jobs.values()].map(({ offer }) => offer.lease), ...this.#handedIn.leases()];
    return { kind: 'hello', clientVersion: '1', hardware: this.#around.hardware, held, runtimes: ['wasm'] };
  }

  #welcomed({ leaseMs, drop }: Welcome): void {
    this.#renewals.clear();
    this.#leaseMs = leaseMs;
    for (const lease of drop) {
      const job = this.#jobs.get(lease.instanceId);
      if (job?.key === leaseKeyOf(lease)) this.#forget(job);
    }
    if (this.#jobs.size + this.#handedIn.size > 0) this.#renew();
    this.#handedIn.sendAll();
    this.#lending.forgetTold();
    this.#decide();
    this.#plan();
  }

  #lost(): void {
    this.#lending.forgetTold();
    this.#handedIn.keepAll();
  }

  #heard(body: Exclude<DownBody, Welcome>, correlationId: number): void {
    if (body.kind === 'offer') this.#offered(body);
    else if (body.kind === 'revoke') this.#revoked(body);
    else if (body.kind === 'renewed') this.#renewed(body, correlationId);
    else if (body.kind === 'resultAck') this.#handedIn.settle(body.lease);
    else if (body.kind === 'checkpointAck') this.#checkpointAcknowledged(body.lease);
    else if (body.kind === 'refused') this.#handedIn.refused(correlationId, body.retryable);
    else if (body.kind === 'deploy')
      for (const { image } of body.images) this.#around.disk.images.add(image.digest);
    this.#plan();
  }

  #offered(offer: Offer): void {
    const { instanceId, fencingToken } = offer.lease;
    const earlier = this.#jobs.get(instanceId);
    if (earlier !== undefined && earlier.offer.lease.fencingToken >= fencingToken) return;
    if (this.#handedIn.sendAgain(offer.lease)) return;
    if (earlier !== undefined) this.#forget(earlier);
    const lendable = this.#lending.told;
    if (!this.#lending.decision.lending || !this.#granted.fits(offer.demand, lendable))
      return this.#conversation.post({ kind: 'decline', lease: offer.lease, reason: 'policy_paused' });
    this.#take(offer, lendable);
  }

  #take(offer: Offer, lendable: Capacity): void {
    if (this.#jobs.size === 0) this.#renewedMonoMs = this.#nowMs();
    const job = new SimulatedJob(offer, this.#granted.take(offer.demand, lendable), this.#around);
    this.#jobs.set(offer.lease.instanceId, job);
    this.#leaseMs = offer.leaseMs;
    const { images } = this.#around.disk;
    if (images.has(offer.image.digest)) return this.#run(job);
    this.#around.agenda.after(this.#around.chance.between(...FETCH_MS), () => {
      if (this.#isStopped || this.#jobs.get(offer.lease.instanceId) !== job) return;
      images.add(offer.image.digest);
      this.#run(job);
      this.#flush();
    });
  }

  #run(job: SimulatedJob): void {
    const around = this.#around;
    job.begin();
    if (!isStill(job.rung)) this.#compute(job);
    around.loadChanged(this.running);
    around.began(job.offer);
  }

  #compute(job: SimulatedJob): void {
    job.compute(() => {
      this.#finished(job);
      this.#flush();
    });
  }

  #finished(job: SimulatedJob): void {
    const { offer } = job;
    const used = job.used();
    if (offer.args.includes(FAILS)) {
      const failure = { code: 'exit_nonzero', detail: 'as it was told', stderrTail: '' } as const;
      return this.#handIn(job, { kind: 'result', lease: offer.lease, used, outcome: { ok: false, failure } });
    }
    const bytes = outputOf(offer, offer.part?.index ?? 0);
    if (this.#around.lies()) bytes[0] = (bytes[0] ?? 0) ^ 1;
    const outcome = { ok: true, output: { where: 'inline', bytes } } as const;
    this.#handIn(job, { kind: 'result', lease: offer.lease, used, outcome });
  }

  #claim(used: Used): Used {
    const { greed } = this.#around;
    const { cpuMs, energyMwh } = used;
    const took = energyMwh === undefined ? {} : { energyMwh: energyMwh * greed };
    return { ...used, cpuMs: cpuMs * greed, ...took };
  }

  #handIn(job: SimulatedJob, done: Result): void {
    this.#forget(job);
    this.#handedIn.add({ ...done, used: this.#claim(done.used) });
  }

  /** Returns the number under which it is answered. */
  #sendResult(result: Result): number {
    const correlationId = this.#conversation.nextCorrelationId();
    this.#conversation.post(result, correlationId);
    return correlationId;
  }

  #revoked(revoke: Revoke): void {
    const job = this.#jobs.get(revoke.lease.instanceId);
    if (job?.offer.lease.fencingToken !== revoke.lease.fencingToken) return;
    job.revoked = revocation(revoke, job.offer.checkpointEveryMs !== undefined, this.#nowMs());
    this.#climb(job);
  }

  #climb(job: SimulatedJob): void {
    const { at, acts } = climb(job.rung, {
      pressure: job.revoked ?? this.#owner?.pressure,
      hasNews: job.hasBegun && job.offer.checkpointEveryMs !== undefined && !job.isKept,
      nowMonoMs: this.#nowMs(),
    });
    const wasStill = isStill(job.rung);
    if (!wasStill && isStill(at)) job.halt();
    job.rung = at;
    if (wasStill !== isStill(at)) this.#around.loadChanged(this.running);
    for (const act of acts) this.#do(job, act);
  }

  #do(job: SimulatedJob, act: Act): void {
    switch (act) {
      case 'suspend':
        return;
      case 'resume':
        return this.#compute(job);
      case 'ship':
        return this.#checkpoint(job);
      // The programs hear no request to end.
      case 'stop':
      case 'kill':
        if (this.#jobs.get(job.offer.lease.instanceId) === job) this.#kill(job);
    }
  }

  #checkpointAcknowledged(lease: LeaseId): void {
    const job = this.#jobs.get(lease.instanceId);
    if (job?.offer.lease.fencingToken !== lease.fencingToken || !isStill(job.rung)) return;
    job.isKept = true;
    this.#climb(job);
  }

  #checkpoint(job: SimulatedJob): void {
    if (!job.hasBegun) return;
    const { offer } = job;
    const state = { digest: stateAt(offer.lease.instanceId, job.doneMncs()), sizeBytes: STATE_BYTES };
    this.#conversation.post(
      { kind: 'checkpoint', lease: offer.lease, state, used: this.#claim(job.used()) },
      this.#conversation.nextCorrelationId(),
    );
  }

  #kill(job: SimulatedJob): void {
    const used = job.used();
    const failure = { code: 'revoked', detail: 'it was told to stop', stderrTail: '' } as const;
    this.#handIn(job, { kind: 'result', lease: job.offer.lease, used, outcome: { ok: false, failure } });
  }

  #forget(job: SimulatedJob): void {
    this.#jobs.delete(job.offer.lease.instanceId);
    this.#granted.giveBack(job.grant);
    if (!job.hasBegun) return;
    job.end();
    this.#around.loadChanged(this.running);
    this.#around.ended(job.offer);
  }

  #renewed({ held, leaseMs }: Renewed, correlationId: number): void {
    const answer = this.#renewals.answered(correlationId, held);
    if (!answer.known) return;
    this.#leaseMs = leaseMs;
    for (const job of [...this.#jobs.values()]) {
      if (answer.confirmed.has(job.key)) {
        job.confirmedMonoMs = Math.max(job.confirmedMonoMs, answer.sentMonoMs);
        job.leaseMs = leaseMs;
      } else if (answer.voided.has(job.key)) this.#forget(job);
    }
  }

  #renew(): void {
    if (this.#conversation.welcome === undefined) return;
    const entry = (lease: LeaseId, progressPermille: number) => ({ lease, progressPermille, cpuMs: 0 });
    const held = [
      ...[...this.#jobs.values()].map((job) => ({
        ...entry(job.offer.lease, 0),
        ...(isStill(job.rung) ? { suspended: true as const } : {}),
      })),
      ...this.#handedIn.leases().map((lease) => entry(lease, 1000)),
    ].slice(0, HELD_LEASES_MAX);
    this.#renewedMonoMs = this.#nowMs();
    const correlationId = this.#conversation.nextCorrelationId();
    const keys = held.map(({ lease }) => leaseKeyOf(lease));
    this.#renewals.sent(correlationId, this.#renewedMonoMs, keys);
    this.#conversation.post({ kind: 'renewal', held }, correlationId);
  }

  /** By the owner's policy; what runs gives way before it is said what is lent. */
  #decide(): void {
    const decision = this.#lending.decide();
    this.#press(decision.lending ? undefined : decision.cause);
    if (this.#conversation.welcome === undefined) return;
    const report = this.#lending.news();
    if (report !== undefined) this.#conversation.post(report);
  }

  #press(cause: NotLendingCause | undefined): void {
    if (cause === this.#owner?.cause) return;
    this.#owner = cause === undefined ? undefined : { cause, pressure: ownPressure(cause, this.#nowMs()) };
    for (const job of [...this.#jobs.values()]) this.#climb(job);
  }

  #flush(): void {
    this.#plan();
    this.#conversation.flush();
  }

  /** One timer for all that is due: renewals, self-stop, graces, what is sent again, checkpoints. */
  #plan(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#isStopped || this.#jobs.size + this.#handedIn.size === 0) return;
    let dueMs = this.#renewedMonoMs + renewalEveryMs(this.#leaseMs);
    for (const job of this.#jobs.values()) dueMs = Math.min(dueMs, job.dueMs());
    dueMs = Math.min(dueMs, this.#handedIn.nextMs());
    // The production client looks from time to time: it is late by up to one look.
    const lateMs = this.#around.chance.between(0, Math.min(1_000, this.#leaseMs / TICKS_PER_LEASE));
    const delayMs = Math.max(0, dueMs - this.#nowMs()) + lateMs;
    this.#cancelTimer = this.#around.clock.setTimer(delayMs, () => this.#tick());
  }

  #tick(): void {
    this.#cancelTimer = undefined;
    const nowMs = this.#nowMs();
    for (const job of [...this.#jobs.values()]) {
      const due = job.takeDue();
      if (due === 'stop') this.#forget(job);
      else if (due === 'climb') this.#climb(job);
      else if (due === 'checkpoint') this.#checkpoint(job);
    }
    this.#handedIn.sendDue();
    if (nowMs - this.#renewedMonoMs >= renewalEveryMs(this.#leaseMs)) {
      if (this.#jobs.size + this.#handedIn.size > 0) this.#renew();
      // Nobody to renew with: it is looked at again in a third of a lease.
      this.#renewedMonoMs = nowMs;
    }
    this.#flush();
  }
}
