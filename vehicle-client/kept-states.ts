/** When what a run keeps goes to the pile: from time to time, at the pile's word, and once more before it has to end. */
import type { CheckpointAck, LeaseId, Refused } from '@plugpool/proto';
import { keepsState, type LeasedJob } from './leased-job.ts';
import type { Clock } from './ports.ts';
import { ShippedCheckpoints, type ShippedCheckpointsOptions } from './shipped-checkpoints.ts';

export class KeptStates {
  readonly #clock: Clock;
  readonly #checkpoints: ShippedCheckpoints;

  constructor(options: ShippedCheckpointsOptions) {
    this.#clock = options.clock;
    this.#checkpoints = new ShippedCheckpoints(options);
  }

  /** It is some time now until the next. */
  startInterval(job: LeasedJob): void {
    job.shipAtMonoMs = this.#clock.monoMs() + (job.offer.checkpointEveryMs ?? Infinity);
  }

  hasNews({ stage, offer }: LeasedJob): boolean {
    if (stage.state !== 'running' || !keepsState(offer)) return false;
    return this.#checkpoints.isNews(offer.lease, stage.running.kept());
  }

  ship(job: LeasedJob): void {
    if (!this.hasNews(job) || job.stage.state !== 'running') return;
    const kept = job.stage.running.kept();
    if (kept !== undefined) this.#checkpoints.ship(job.offer.lease, kept);
    this.startInterval(job);
  }

  shipIfDue(job: LeasedJob, nowMonoMs: number): void {
    if (nowMonoMs >= job.shipAtMonoMs || job.rung.rung === 'checkpointing') this.ship(job);
  }

  acknowledged(ack: CheckpointAck): void {
    this.#checkpoints.acknowledged(ack);
  }

  /** True where the refusal was meant for one of these. */
  refused(correlationId: number, refused: Refused): boolean {
    return this.#checkpoints.refused(correlationId, refused);
  }

  sendAllAgain(): void {
    this.#checkpoints.sendAllAgain();
  }

  forget(lease: LeaseId): void {
    this.#checkpoints.forget(lease);
  }
}
