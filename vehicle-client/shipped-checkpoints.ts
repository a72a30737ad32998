/**
 * What running jobs kept, on its way to the pile: hashed, put on the shelf, told, pulled, acknowledged. One at a time for each
 * lease; what was kept meanwhile is newer, and goes next. Nothing of it is on this vehicle's disk: what dies with this process
 * is what was kept since the last acknowledgement.
 */
import { createHash } from 'node:crypto';
import type { CheckpointAck, Digest, LeaseId, Refused, Used } from '@plugpool/proto';
import { shelvedBytes, type BlobShelf } from './blob-shelf.ts';
import type { Conversation } from './conversation.ts';
import { leaseKeyOf, type LeaseKey } from './core/lease-clock.ts';
import type { Clock, Log } from './ports.ts';
import type { KeptRun } from './runtimes/port.ts';

/** After the pile could not take one and does not say when it will. */
const RETRY_AFTER_MS = 2_000;

interface Shipment {
  readonly lease: LeaseId;
  /** The pile has it. */
  shipped: KeptRun | undefined;
  shippedDigest: Digest | undefined;
  underWay:
    | {
        readonly kept: KeptRun;
        readonly digest: Digest;
        /** As it is told, and told again: with the energy up to then. */
        readonly used: Used;
        correlationId: number;
        retryAtMonoMs: number | undefined;
      }
    | undefined;
  /** The pile keeps none of this program. */
  isUnwanted: boolean;
}

export interface ShippedCheckpointsOptions {
  readonly shelf: BlobShelf;
  readonly conversation: Conversation;
  readonly clock: Clock;
  readonly log: Log;
  /** What a run that goes on has used, with its energy where that is measured. */
  measured(lease: LeaseId, used: Used): Used;
  /** The pile has it, or will not have it. */
  settled(lease: LeaseId, kept: KeptRun | undefined): void;
}

export class ShippedCheckpoints {
  readonly #options: ShippedCheckpointsOptions;
  readonly #shipments = new Map<LeaseKey, Shipment>();

  constructor(options: ShippedCheckpointsOptions) {
    this.#options = options;
  }

  /** What was kept is not on the pile yet, and may come to be. */
  isNews(lease: LeaseId, kept: KeptRun | undefined): boolean {
    const shipment = this.#shipments.get(leaseKeyOf(lease));
    return kept !== undefined && kept !== shipment?.shipped && shipment?.isUnwanted !== true;
  }

  /** Nothing where it is there, or where another is under way. */
  ship(lease: LeaseId, kept: KeptRun): void {
    const shipment = this.#shipmentOf(lease);
    if (shipment.underWay !== undefined && !this.#isToTryAgain(shipment.underWay)) return;
    // What it kept since is newer than what was refused.
    this.#takeDown(shipment);
    if (!this.isNews(lease, kept)) return;
    const digest = createHash('sha256').update(kept.archive).digest('hex') as Digest;
    if (digest === shipment.shippedDigest) {
      shipment.shipped = kept;
      return this.#options.settled(lease, kept);
    }
    this.#options.shelf.put(digest, shelvedBytes(kept.archive));
    const used = this.#options.measured(lease, kept.used);
    shipment.underWay = { kept, digest, used, correlationId: 0, retryAtMonoMs: undefined };
    this.#send(shipment);
  }

  acknowledged({ lease, accepted, reason }: CheckpointAck): void {
    const shipment = this.#shipments.get(leaseKeyOf(lease));
    if (shipment?.underWay === undefined) return;
    const { kept, digest } = shipment.underWay;
    this.#takeDown(shipment);
    if (accepted) [shipment.shipped, shipment.shippedDigest] = [kept, digest];
    else this.#givenUp(shipment, reason);
    this.#options.settled(lease, accepted ? kept : undefined);
  }

  /** True where the refusal was meant for one of these. */
  refused(
    correlationId: number,
    { retryable, retryAfterMs }: Pick<Refused, 'retryable' | 'retryAfterMs'>,
  ): boolean {
    const shipment = [...this.#shipments.values()].find(
      ({ underWay }) => underWay?.correlationId === correlationId,
    );
    if (correlationId === 0 || shipment?.underWay === undefined) return false;
    if (retryable) {
      shipment.underWay.retryAtMonoMs = this.#options.clock.monoMs() + (retryAfterMs ?? RETRY_AFTER_MS);
      return true;
    }
    this.#takeDown(shipment);
    this.#givenUp(shipment, 'refused');
    this.#options.settled(shipment.lease, undefined);
    return true;
  }

  /** After each welcome: what was told over the connection before is not sure to have arrived. */
  sendAllAgain(): void {
    for (const shipment of this.#shipments.values())
      if (shipment.underWay !== undefined) this.#send(shipment);
  }

  /** Its attempt is over. */
  forget(lease: LeaseId): void {
    const key = leaseKeyOf(lease);
    const shipment = this.#shipments.get(key);
    if (shipment !== undefined) this.#takeDown(shipment);
    this.#shipments.delete(key);
  }

  #shipmentOf(lease: LeaseId): Shipment {
    const key = leaseKeyOf(lease);
    const known = this.#shipments.get(key);
    if (known !== undefined) return known;
    const shipment: Shipment = {
      lease,
      shipped: undefined,
      shippedDigest: undefined,
      underWay: undefined,
      isUnwanted: false,
    };
    this.#shipments.set(key, shipment);
    return shipment;
  }

  #isToTryAgain({ retryAtMonoMs }: NonNullable<Shipment['underWay']>): boolean {
    return retryAtMonoMs !== undefined && this.#options.clock.monoMs() >= retryAtMonoMs;
  }

  #send({ lease, underWay }: Shipment): void {
    if (underWay === undefined) return;
    const { conversation } = this.#options;
    const { kept, digest, used } = underWay;
    underWay.correlationId = conversation.nextCorrelationId();
    underWay.retryAtMonoMs = undefined;
    const state = { digest, sizeBytes: kept.archive.byteLength };
    conversation.post({ kind: 'checkpoint', lease, state, used }, underWay.correlationId);
  }

  #takeDown(shipment: Shipment): void {
    if (shipment.underWay !== undefined) this.#options.shelf.remove(shipment.underWay.digest);
    shipment.underWay = undefined;
  }

  #givenUp(shipment: Shipment, reason: string): void {
    shipment.isUnwanted = true;
    this.#options.log.warn({ lease: shipment.lease, reason }, 'the pile keeps no checkpoint of this run');
  }
}
