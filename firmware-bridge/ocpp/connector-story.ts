/** One connector of a pile: what is known of it, which messages are history, and the readings that are passed on. */
import type { ConnectorId } from '@plugpool/proto';
import type { Credential, DoubtedReading, FirmwareEvent, SampleTime } from '../port.ts';
import {
  NOTHING_KNOWN,
  afterEnd,
  afterPastEnd,
  afterStart,
  afterStatus,
  afterSupply,
  freed,
  inferred,
  occupied,
  unknownAgain,
  withCredential,
  type ConnectorKnown,
} from './connector-known.ts';
import { ConnectorTelling } from './connector-telling.ts';
import { EnergyRegister } from './energy-register.ts';
import type { MeterReading } from './meter-reading.ts';
import type { NeedsMessage, StatusMessage, TransactionMessage } from './pile-message.ts';

/** Messages of one moment may be written in any order; what was queued is older by more. */
const HISTORY_SLACK_MS = 5_000;
/** Readings without growth over less say nothing: a meter has steps. */
const STILL_MS_MIN = 60_000;
/** A vehicle that draws less than this does not charge: standby of its electronics. */
const FLOWING_W_MIN = 100;

/** More than any connector gives, in W; and than a meter's life holds, in Wh. What is beyond is told as doubted. */
const POWER_W_MAX = 10e6;
const ENERGY_WH_MAX = 1e12;

export class ConnectorStory {
  readonly evse: number;
  readonly connector: number;
  readonly telling: ConnectorTelling;
  known: ConnectorKnown = NOTHING_KNOWN;
  /** What was known when the pile was cut off, or is said of then: the same transaction brings it back once it goes on now. */
  before: ConnectorKnown | undefined;
  /** By the pile's clock: what happened before this is history. */
  changedSourceMs: number | undefined;
  #statusSourceMs: number | undefined;
  #register = new EnergyRegister();
  #grown: { readonly wh: number; readonly atMs: number } | undefined;

  constructor(
    evse: number,
    connector: number,
    connectorId: ConnectorId,
    emit: (event: FirmwareEvent) => void,
  ) {
    this.evse = evse;
    this.connector = connector;
    this.telling = new ConnectorTelling(connectorId, emit);
  }

  /** A stay under way whose transaction has no id yet. */
  get isNameless(): boolean {
    const { place, activity, transactionId } = this.known;
    return place === 'occupied' && activity !== 'finishing' && transactionId === undefined;
  }

  holds(transactionId: string): boolean {
    return this.known.transactionId === transactionId;
  }

  forget(): void {
    if (this.known.place === 'unknown') return;
    this.before = this.known.place === 'occupied' ? this.known : undefined;
    this.known = unknownAgain(this.known);
  }

  forgetTimes(): void {
    this.changedSourceMs = undefined;
    this.#statusSourceMs = undefined;
  }

  /**
   * Says whether it was taken. A status is the present one, whenever it came to be; but piles that queue even these send old ones:
   * one that is older than the last is taken only where it lends nothing.
   */
  status(message: StatusMessage, queuedWallMs: number | undefined, sinceSourceMs: number): boolean {
    const { status, reason } = message;
    const lends = status === 'charging' || status === 'suspendedEV';
    if (lends && isBefore(queuedWallMs, this.#statusSourceMs)) return false;
    this.known = afterStatus(this.known, status, reason);
    if (status === 'free') this.before = undefined;
    this.#statusSourceMs = queuedWallMs ?? this.#statusSourceMs;
    this.changedSourceMs = Math.max(this.changedSourceMs ?? 0, sinceSourceMs);
    return true;
  }

  /** It happened before the last change that is known of. */
  isHistory(message: TransactionMessage, queuedWallMs: number | undefined): boolean {
    const { isOffline } = message;
    if (this.#isLeaving(message)) return false;
    return isOffline || isBefore(queuedWallMs, this.changedSourceMs);
  }

  /** Whoever holds the open transaction has left, whenever that was: a clock that ran ahead before must not keep him here. */
  #isLeaving({ phase, vehicle, supply, transactionId }: TransactionMessage): boolean {
    if (phase !== 'ended' || transactionId === undefined || !this.holds(transactionId)) return false;
    return vehicle === 'left' || supply === 'noVehicle';
  }

  transaction(message: TransactionMessage, queuedWallMs: number | undefined): void {
    if (this.isHistory(message, queuedWallMs)) this.#pastTransaction(message);
    else this.#presentTransaction(message, queuedWallMs);
  }

  /** A transaction that is under way, of which the start was not heard, or that outlived a lost link. */
  adopt(transactionId: string, queuedWallMs: number | undefined): void {
    if (isBefore(queuedWallMs, this.changedSourceMs) || this.known.transactionId !== undefined) return;
    if (this.known.place === 'occupied' && !this.isNameless) return;
    this.known = occupied(this.known);
    this.name(transactionId);
  }

  /** The transaction that began is called so. */
  name(transactionId: string): void {
    const { before } = this;
    this.known = { ...this.known, transactionId };
    if (before?.transactionId === transactionId)
      this.known = { ...this.known, credentials: before.credentials };
    this.before = undefined;
  }

  /** Whoever began that transaction; absent: the stay under way, whose transaction has no id yet. */
  identify(credential: Credential, transactionId: string | undefined): void {
    if (transactionId === this.known.transactionId) this.known = withCredential(this.known, credential);
    else if (transactionId !== undefined && transactionId === this.before?.transactionId)
      this.before = withCredential(this.before, credential);
  }

  /** It began before the last change that is known of, perhaps for a vehicle that left since: it names nobody who is here now. */
  beganBefore(transactionId: string): void {
    const { place, transactionId: openId } = this.known;
    if (place === 'free' || openId !== undefined || this.before?.transactionId === transactionId) return;
    this.before = { ...this.known, transactionId, credentials: [] };
  }

  needs({ departureWallMs, socPercent }: NeedsMessage, nowSourceMs: number, at: SampleTime): void {
    const departureInMs = departureWallMs === undefined ? 0 : departureWallMs - nowSourceMs;
    this.#tellEvInfo({
      // "Now", or before it, is how cars say that they do not know.
      ...(departureInMs > 0 ? { departureInMs: Math.round(departureInMs) } : {}),
      ...socOf(socPercent),
      at,
    });
  }

  /** `ofTransaction`: only what belongs to this one. */
  readings(
    readings: readonly MeterReading[],
    ofTransaction: string | undefined,
    readWallMs: number,
    at: SampleTime,
  ): void {
    if (ofTransaction !== undefined && ofTransaction !== this.known.transactionId) return;
    for (const reading of readings) {
      const { energy, ocmf, sourceWallMs } = reading;
      const isHistory = isBefore(sourceWallMs, this.changedSourceMs);
      this.#reading(isHistory ? { energy, ocmf } : reading, sourceWallMs ?? readWallMs, at);
    }
  }

  #presentTransaction(message: TransactionMessage, queuedWallMs: number | undefined): void {
    const { phase, transactionId, supply, vehicle } = message;
    const isOpen = transactionId !== undefined && transactionId === this.known.transactionId;
    if (phase === 'ended') this.#end(message, isOpen);
    else if (phase === 'started' && !isOpen) {
      this.known = afterStart(this.known, supply);
      if (transactionId !== undefined) this.name(transactionId);
    } else {
      if (transactionId !== undefined && !isOpen) this.adopt(transactionId, queuedWallMs);
      if (transactionId !== this.known.transactionId) return;
      if (supply !== undefined) this.known = afterSupply(this.known, supply);
      if (vehicle === 'came') this.known = occupied(this.known);
      if (vehicle === 'left') this.known = afterSupply(this.known, 'noVehicle');
    }
    if (queuedWallMs !== undefined) this.changedSourceMs = Math.max(this.changedSourceMs ?? 0, queuedWallMs);
  }

  /** One that was never heard of ends what is under way here, unless that is known to be another. */
  #end({ supply, vehicle }: TransactionMessage, isOpen: boolean): void {
    if (!isOpen && this.known.transactionId !== undefined) return;
    this.known = vehicle === 'left' || supply === 'noVehicle' ? freed(this.known) : afterEnd(this.known);
  }

  /** It moves nothing but the transaction itself: who stands there since, and whether it charges, other messages say. */
  #pastTransaction({ phase, transactionId }: TransactionMessage): void {
    if (transactionId === undefined) return;
    if (phase !== 'ended') return this.beganBefore(transactionId);
    if (transactionId === this.before?.transactionId) this.before = undefined;
    if (transactionId === this.known.transactionId) this.known = afterPastEnd(this.known);
  }

  #reading({ energy, powerW, socPercent, ocmf }: MeterReading, atMs: number, at: SampleTime): void {
    const wh = energy === undefined ? undefined : this.#register.read(energy, atMs);
    this.#infer(wh, powerW, atMs);
    const doubted = [
      ...doubtedOf('energyMwh', milli(wh), milli(ENERGY_WH_MAX)),
      ...doubtedOf('powerMw', milli(powerW), milli(POWER_W_MAX)),
    ];
    const isDoubted = (field: string) => doubted.some((one) => one.field === field);
    const meter = {
      ...(wh === undefined || isDoubted('energyMwh') ? {} : { energyMwh: milli(wh) }),
      ...(powerW === undefined || isDoubted('powerMw') ? {} : { powerMw: milli(powerW) }),
      ...(ocmf === undefined ? {} : { signed: { format: 'OCMF' as const, data: ocmf } }),
      ...(doubted.length === 0 ? {} : { doubted }),
    };
    if (Object.keys(meter).length > 0) this.telling.tellReading({ kind: 'meter', ...meter }, at, this.known);
    this.#tellEvInfo({ ...socOf(socPercent), at });
  }

  #infer(wh: number | undefined, powerW: number | undefined, atMs: number): void {
    if (powerW !== undefined) this.known = inferred(this.known, powerW >= FLOWING_W_MIN);
    if (wh === undefined) return;
    const last = this.#grown;
    if (last === undefined || wh !== last.wh) this.#grown = { wh, atMs };
    if (last === undefined || powerW !== undefined) return;
    if (wh > last.wh) this.known = inferred(this.known, true);
    else if (atMs - last.atMs >= STILL_MS_MIN) this.known = inferred(this.known, false);
  }

  #tellEvInfo({ at, ...told }: EvInfo & { readonly at: SampleTime }): void {
    if (Object.keys(told).length > 0) this.telling.tellReading({ kind: 'evInfo', ...told }, at, this.known);
  }
}

type EvInfo = Pick<FirmwareEvent & { readonly kind: 'evInfo' }, 'socPermille' | 'departureInMs' | 'doubted'>;

function socOf(percent: number | undefined): EvInfo {
  if (percent === undefined) return {};
  const socPermille = Math.round(percent * 10);
  const doubted = doubtedOf('socPermille', socPermille, 1000);
  return doubted.length > 0 ? { doubted } : { socPermille };
}

function doubtedOf(
  field: DoubtedReading['field'],
  value: number | undefined,
  max: number,
): readonly DoubtedReading[] {
  if (value === undefined || (value >= 0 && value <= max)) return [];
  return [{ field, value, why: 'outOfRange' }];
}

function milli(value: number): number;
function milli(value: number | undefined): number | undefined;
function milli(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Math.round(value * 1000);
}

function isBefore(sourceWallMs: number | undefined, changedSourceMs: number | undefined): boolean {
  if (sourceWallMs === undefined || changedSourceMs === undefined) return false;
  return sourceWallMs < changedSourceMs - HISTORY_SLACK_MS;
}
