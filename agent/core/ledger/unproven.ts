/**
 * What each vehicle was credited for checkpoints of which nothing came yet. Whether a kept state is worth anything shows only when a
 * run that went on from it ends well; until then the operator answers for the credit. A vehicle that keeps rubbish and then fails
 * would be paid for every task that it spoils: so much a day it is trusted with, and beyond that a checkpoint earns when the
 * result comes. Kept in memory alone: a restart trusts everybody anew, and pays no more than another day's trust for it.
 */
import type { InstanceId, Now, VehicleId } from '@plugpool/proto';
import { UNPROVEN_VEHICLES_MAX } from '../limits.ts';
import type { Settings } from '../settings.ts';

const DAY_MS = 86_400_000;

interface Credited {
  readonly mncs: number;
  readonly atMonoMs: number;
}

export class Unproven {
  readonly #maxMncs: number;
  readonly #vehicles = new Map<VehicleId, Credited>();
  /** By instance whose end will tell, and within it by vehicle. */
  readonly #awaited = new Map<InstanceId, Map<VehicleId, number>>();

  constructor({ unprovenMncsPerDay }: Pick<Settings, 'unprovenMncsPerDay'>) {
    this.#maxMncs = unprovenMncsPerDay;
  }

  /** Whether `mncs` more may be credited before it is known what they are worth. */
  mayCredit(vehicleId: VehicleId, mncs: number, now: Now): boolean {
    return this.#mncs(vehicleId, now) + mncs <= this.#maxMncs;
  }

  credited(instanceId: InstanceId, vehicleId: VehicleId, mncs: number, now: Now): void {
    this.#set(vehicleId, this.#mncs(vehicleId, now) + mncs, now);
    const parts = this.#awaited.get(instanceId) ?? new Map<VehicleId, number>();
    this.#awaited.set(instanceId, parts.set(vehicleId, (parts.get(vehicleId) ?? 0) + mncs));
  }

  /** The operator answers for it no more: a result was accepted, or the payer bears what was done. */
  cleared(instanceId: InstanceId, now: Now): void {
    for (const [vehicleId, mncs] of this.#awaited.get(instanceId) ?? [])
      this.#set(vehicleId, this.#mncs(vehicleId, now) - mncs, now);
    this.#awaited.delete(instanceId);
  }

  /** Nothing came of it: it counts until it has faded. */
  spoiled(instanceId: InstanceId): void {
    this.#awaited.delete(instanceId);
  }

  /** What was credited fades evenly, a whole day's trust in a day. */
  #mncs(vehicleId: VehicleId, now: Now): number {
    const credited = this.#vehicles.get(vehicleId);
    if (credited === undefined) return 0;
    const fadedMncs = ((now.monoMs - credited.atMonoMs) * this.#maxMncs) / DAY_MS;
    return Math.max(0, credited.mncs - fadedMncs);
  }

  #set(vehicleId: VehicleId, mncs: number, now: Now): void {
    this.#vehicles.delete(vehicleId);
    if (mncs <= 0) return;
    this.#vehicles.set(vehicleId, { mncs, atMonoMs: now.monoMs });
    if (this.#vehicles.size > UNPROVEN_VEHICLES_MAX) this.#forgetOne();
  }

  /** Whoever was credited longest ago has faded most. */
  #forgetOne(): void {
    const [oldest] = this.#vehicles.keys();
    if (oldest !== undefined) this.#vehicles.delete(oldest);
  }
}
