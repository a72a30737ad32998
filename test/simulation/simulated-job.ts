/** One attempt on a simulated vehicle: how far its program is, what it used, and when something of it is due. */
import type { Offer, Used } from '@plugpool/proto';
import {
  RUNNING,
  isStill,
  nextClimbMonoMs,
  type Pressure,
  type Rung,
} from '../../vehicle-client/core/eviction.ts';
import { leaseKeyOf, selfStopAtMs, type LeaseKey } from '../../vehicle-client/core/lease-clock.ts';
import type { Grant } from '../../vehicle-client/granted-capacity.ts';
import type { DonorSurroundings } from './donor-surroundings.ts';
import { doneIn, workMncsOf } from './programs.ts';

/** While its program is there; `ranMs` until it was last stopped where it is. */
interface Run {
  ranMs: number;
  startedMonoMs: number;
  cancelEnd: () => void;
}

export class SimulatedJob {
  readonly key: LeaseKey;
  readonly offer: Offer;
  readonly grant: Grant;
  leaseMs: number;
  confirmedMonoMs: number;
  rung: Rung = RUNNING;
  revoked: Pressure | undefined;
  /** The pile has what it did until it was told to stop. */
  isKept = false;
  readonly #around: Pick<DonorSurroundings, 'clock' | 'hardware' | 'measuresW'>;
  readonly #beganAtMncs: number;
  #nextCheckpointMonoMs: number;
  #run: Run | undefined;

  constructor(
    offer: Offer,
    grant: Grant,
    around: Pick<DonorSurroundings, 'clock' | 'hardware' | 'measuresW'>,
  ) {
    this.key = leaseKeyOf(offer.lease);
    this.offer = offer;
    this.grant = grant;
    this.#around = around;
    this.leaseMs = offer.leaseMs;
    this.confirmedMonoMs = this.#nowMs();
    this.#beganAtMncs = offer.checkpoint === undefined ? 0 : doneIn(offer.checkpoint.digest);
    this.#nextCheckpointMonoMs = this.#nowMs() + (offer.checkpointEveryMs ?? Infinity);
  }

  #nowMs(): number {
    return this.#around.clock.monoMs();
  }

  /** Its image is here, and it has begun. */
  get hasBegun(): boolean {
    return this.#run !== undefined;
  }

  get isComputing(): boolean {
    return this.#run !== undefined && !isStill(this.rung);
  }

  begin(): void {
    this.#run = { ranMs: 0, startedMonoMs: this.#nowMs(), cancelEnd: () => undefined };
  }

  /** From where it is; `finished` is called when it is through. */
  compute(finished: () => void): void {
    if (this.#run === undefined) return;
    const { clock, hardware } = this.#around;
    const leftMncs = Math.max(1, workMncsOf(this.offer) - this.#beganAtMncs);
    const durationMs = (leftMncs * 1000) / hardware.speedMillis - this.#run.ranMs;
    this.#run.startedMonoMs = this.#nowMs();
    this.#run.cancelEnd = clock.setTimer(Math.max(0, durationMs), finished);
  }

  /** It stays where it is. */
  halt(): void {
    if (this.#run === undefined) return;
    this.#run.cancelEnd();
    this.#run.ranMs += Math.max(0, this.#nowMs() - this.#run.startedMonoMs);
  }

  /** Its program is no more. */
  end(): void {
    this.#run?.cancelEnd();
    this.#run = undefined;
  }

  used(): Used {
    const run = this.#run;
    const sinceMs =
      this.isComputing && run !== undefined ? Math.max(0, this.#nowMs() - run.startedMonoMs) : 0;
    const ranMs = Math.floor((run?.ranMs ?? 0) + sinceMs);
    const used = { cpuMs: ranMs, wallMs: ranMs, memoryPeakMib: 10, gpuMs: 0 };
    const { measuresW } = this.#around;
    return measuresW === undefined ? used : { ...used, energyMwh: Math.floor((ranMs * measuresW) / 3_600) };
  }

  /** Of its work, with what was done before it began here; never all of it. */
  doneMncs(): number {
    const didMncs = Math.floor((this.used().cpuMs * this.#around.hardware.speedMillis) / 1000);
    return Math.min(workMncsOf(this.offer) - 1, this.#beganAtMncs + didMncs);
  }

  /** What comes first: its lease is over, its next rung, its next checkpoint. */
  dueMs(): number {
    return Math.min(this.#stopsAtMs(), this.#climbsAtMs(), this.#nextCheckpointMonoMs);
  }

  /** One thing at a time; what else is due comes at the next look. */
  takeDue(): 'stop' | 'climb' | 'checkpoint' | undefined {
    const nowMs = this.#nowMs();
    if (nowMs >= this.#stopsAtMs()) return 'stop';
    if (nowMs >= this.#climbsAtMs()) return 'climb';
    if (nowMs < this.#nextCheckpointMonoMs) return undefined;
    this.#nextCheckpointMonoMs = nowMs + (this.offer.checkpointEveryMs ?? Infinity);
    return 'checkpoint';
  }

  #stopsAtMs(): number {
    return selfStopAtMs(this.confirmedMonoMs, this.leaseMs);
  }

  #climbsAtMs(): number {
    return nextClimbMonoMs(this.rung) ?? Infinity;
  }
}
