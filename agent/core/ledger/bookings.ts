/**
 * What is booked when, each booking in the transaction of what it is for.
 *
 *   checkpoint accepted   unsettled −             donor +   operator +
 *   result accepted       payer −   unsettled +   donor +   operator +      everything since the first checkpoint
 *   cancelled             payer −   unsettled +                             what checkpoints had cost by then
 *   failed, expired, dead operator:failures −   unsettled +
 *   replicas agreed       payer −                 donor +   operator +      of the first; operator:replication − of the others
 */
import type { ConnectorId, FencingToken, InstanceId, Used, VehicleId } from '@plugpool/proto';
import { creditBooking, type Where } from '../credits/open-credit.ts';
import { SEGMENTS_MAX } from '../limits.ts';
import type { Account, BookingRecord, ClaimRecord, LedgerEntry, OwedRecord, Unit } from '../records.ts';
import type { Instance, Lease, Task } from '../state.ts';
import { write, type Turn } from '../turn.ts';
import {
  CHARGING_BILL,
  energyCostAccount,
  FAILURES,
  OPERATOR,
  payerAccount,
  REPLICATION,
  stationAccount,
  UNSETTLED,
  vehicleAccount,
} from './accounts.ts';
import { claimOf } from './claim.ts';
import { addOwed, owedIn, owedMncs } from './owed.ts';
import { energyMicros, workMicros } from './prices.ts';
import { tariffAt, type Tariff } from './tariffs.ts';
import { CPU, ENERGY, GPU, microsOf } from './units.ts';

/** One replica of several that agree, with what it is believed to have done. */
export interface AgreeingClaim {
  readonly instanceId: InstanceId;
  readonly fencingToken: FencingToken;
  readonly vehicleId: VehicleId;
  readonly connectorId: ConnectorId;
  readonly claim: ClaimRecord;
}

/** Who did something for whom, and what it was. */
interface Deed {
  readonly by: Where;
  readonly from: Account;
  readonly did: ClaimRecord;
  /** Charged now with what was done: credited before, from `unsettled`. */
  readonly owed: readonly OwedRecord[];
}

/** Of the one accepted result of an instance. Returns what its payer is charged on the CPU, checkpoints included. */
export function bookResult(turn: Turn, instance: Instance, lease: Lease, used: Used): number {
  const did = notBookedYet(lease, claimOf(turn, lease, used));
  const chargedMncs = did.cpuMncs + owedMncs(instance);
  const deed: Deed = {
    by: lease,
    from: payerAccount(instance.task),
    did,
    owed: instance.owed,
  };
  book(turn, 'result', instance.task, idOf(instance, lease), deed);
  instance.owed = [];
  turn.state.unproven.cleared(instance.instanceId, turn.now);
  return chargedMncs;
}

/** Of an accepted checkpoint: what was done since the one before. Its donor is credited, whatever becomes of the task. */
export function bookCheckpoint(turn: Turn, instance: Instance, lease: Lease, used: Used): void {
  const claim = claimOf(turn, lease, used);
  const did = notBookedYet(lease, claim);
  if (did.cpuMncs === 0 && did.gpuMncs === 0) return;
  if (isDue(turn, lease) && isTrustedWith(turn, lease, did)) bookSegment(turn, instance, lease, did);
  else lease.unbooked = did;
}

/** Of a lease that ends without a result: its donor is credited up to its last checkpoint, booked till then or not. */
export function bookKept(turn: Turn, instance: Instance, lease: Lease): void {
  if (lease.unbooked !== undefined && isTrustedWith(turn, lease, lease.unbooked))
    bookSegment(turn, instance, lease, lease.unbooked);
}

/** Before anything came of it, the operator answers for what is credited. */
function isTrustedWith(
  { state, now }: Turn,
  { vehicleId }: Lease,
  { cpuMncs, gpuMncs }: ClaimRecord,
): boolean {
  return state.unproven.mayCredit(vehicleId, cpuMncs + gpuMncs, now);
}

function bookSegment(turn: Turn, instance: Instance, lease: Lease, did: ClaimRecord): void {
  const deed: Deed = { by: lease, from: UNSETTLED, did, owed: [] };
  const booking = book(turn, 'checkpoint', instance.task, idOf(instance, lease), deed);
  instance.owed = addOwed(instance.owed, takenFrom(booking, UNSETTLED));
  turn.state.unproven.credited(instance.instanceId, lease.vehicleId, did.cpuMncs + did.gpuMncs, turn.now);
  const { segments, ...before } = lease.booked ?? NOTHING_BOOKED;
  lease.bookedMonoMs = turn.now.monoMs;
  lease.booked = { segments: segments + 1, ...sumOf(before, did) };
  lease.unbooked = undefined;
  turn.changedInstances.set(instance.instanceId, instance);
}

/**
 * Who keeps its state more often than it was told to is booked as often as it was told: a booking stays for ever. What is not booked
 * now is with the next one, or with the end of the lease.
 */
function isDue({ now }: Turn, { bookedMonoMs, booked, checkpointEveryMs = 0 }: Lease): boolean {
  if ((booked?.segments ?? 0) >= SEGMENTS_MAX) return false;
  if (bookedMonoMs === undefined) return true;
  return now.monoMs - bookedMonoMs >= checkpointEveryMs / 2;
}

/** A task that came to nothing, with what its checkpoints had cost. Returns what its payer is charged on the CPU. */
export function settleTask(turn: Turn, task: Task, bearer: 'payer' | 'operator'): number {
  let chargedMncs = 0;
  for (const instance of task.instances) {
    if (instance.lease !== undefined) bookKept(turn, instance, instance.lease);
    if (bearer === 'payer') turn.state.unproven.cleared(instance.instanceId, turn.now);
    else turn.state.unproven.spoiled(instance.instanceId);
    if (instance.owed.length === 0) continue;
    const account = bearer === 'payer' ? payerAccount(task) : FAILURES;
    const entries = instance.owed.flatMap((each) => settling(account, each));
    if (bearer === 'payer') chargedMncs += owedMncs(instance);
    // No attempt has this token, and a task ends once.
    const id = { instanceId: instance.instanceId, fencingToken: 0 as FencingToken, segment: 0 };
    writeBooking(turn, { kind: 'settlement', taskId: task.record.taskId, ...id, entries });
    instance.owed = [];
  }
  return chargedMncs;
}

/**
 * A part of which several replicas agree: each is credited the least of what the agreeing claim, by each resource, and the payer
 * is charged for one, and for the checkpoints that it all went on from. Returns what the payer is charged on the CPU.
 */
export function bookAgreement(turn: Turn, part: Instance, claims: readonly AgreeingClaim[]): number {
  const { task } = part;
  const least = (of: (claim: ClaimRecord) => number): number =>
    Math.min(...claims.map(({ claim }) => of(claim)));
  const cpuMncs = least((claim) => claim.cpuMncs);
  const gpuMncs = least((claim) => claim.gpuMncs);
  for (const [position, { instanceId, fencingToken, claim, ...by }] of claims.entries()) {
    const from = position === 0 ? payerAccount(task) : REPLICATION;
    const owed = position === 0 ? part.owed : [];
    const deed: Deed = { by, from, did: { ...claim, cpuMncs, gpuMncs }, owed };
    book(turn, 'result', task, { instanceId, fencingToken, segment: 0 }, deed);
  }
  const chargedMncs = cpuMncs + owedMncs(part);
  part.owed = [];
  turn.state.unproven.cleared(part.instanceId, turn.now);
  return chargedMncs;
}

const NOTHING_BOOKED = { segments: 0, cpuMncs: 0, gpuMncs: 0, energyMwh: 0 } as const;

/** Claims are of the whole attempt: less what its checkpoints were booked with. */
function notBookedYet({ booked = NOTHING_BOOKED }: Lease, claim: ClaimRecord): ClaimRecord {
  return {
    ...claim,
    cpuMncs: Math.max(0, claim.cpuMncs - booked.cpuMncs),
    gpuMncs: Math.max(0, claim.gpuMncs - booked.gpuMncs),
    energyMwh: Math.max(0, claim.energyMwh - booked.energyMwh),
  };
}

function sumOf(a: Omit<ClaimRecord, 'overstay'>, b: ClaimRecord): Omit<ClaimRecord, 'overstay'> {
  return {
    cpuMncs: a.cpuMncs + b.cpuMncs,
    gpuMncs: a.gpuMncs + b.gpuMncs,
    energyMwh: a.energyMwh + b.energyMwh,
  };
}

type BookingId = Pick<BookingRecord, 'instanceId' | 'fencingToken' | 'segment'>;

function idOf({ instanceId }: Instance, { fencingToken, booked }: Lease): BookingId {
  return { instanceId, fencingToken, segment: booked?.segments ?? 0 };
}

function book(
  turn: Turn,
  kind: 'result' | 'checkpoint',
  task: Task,
  id: BookingId,
  deed: Deed,
): BookingRecord {
  const tariff = tariffAt(turn.state.settings.tariffs, turn.now.wallMs);
  const booking = writeBooking(turn, {
    kind,
    taskId: task.record.taskId,
    ...id,
    ...(tariff === undefined ? {} : { tariff: tariff.name }),
    ...(deed.did.overstay === true ? { overstay: true } : {}),
    entries: [...workEntries(turn, tariff, deed), ...energyEntries(turn, tariff, deed)],
  });
  creditBooking(turn, deed.by, booking);
  return booking;
}

function writeBooking(turn: Turn, about: Omit<BookingRecord, 'wallMs'>): BookingRecord {
  const booking = { ...about, wallMs: turn.now.wallMs };
  write(turn, { change: 'book', booking });
  return booking;
}

interface Earned {
  readonly unit: Unit;
  readonly amount: number;
  /** Of it the operator's, rounded down. */
  readonly share: number;
}

/** In each unit: charged, cleared, earned. */
function workEntries(turn: Turn, tariff: Tariff | undefined, deed: Deed): LedgerEntry[] {
  const { by, from, owed } = deed;
  const earned = earnedBy(turn, tariff, deed);
  const entries = earned.flatMap(({ unit, amount, share }): LedgerEntry[] => {
    const before = owedIn({ owed }, unit);
    return [
      { account: from, unit, amount: 0 - amount - before },
      ...(before === 0 ? [] : [{ account: UNSETTLED, unit, amount: before }]),
      { account: vehicleAccount(by.vehicleId), unit, amount: amount - share },
      { account: OPERATOR, unit, amount: share },
    ];
  });
  // Money of a tariff that is over, in another currency.
  const others = owed.filter((each) => !earned.some(({ unit }) => unit === each.unit));
  return [...entries, ...others.flatMap((each) => settling(from, each))];
}

/** Work on the CPU is always said, the rest where there is some. Who overstays earns nothing: it is all the operator's. */
function earnedBy({ state }: Turn, tariff: Tariff | undefined, { did, owed }: Deed): Earned[] {
  const { operatorShareMillis } = state.settings;
  const of = (unit: Unit, amount: number, shareMillis: number): Earned => ({
    unit,
    amount,
    share: did.overstay === true ? amount : Math.floor((amount * shareMillis) / 1000),
  });
  const all = [of(CPU, did.cpuMncs, operatorShareMillis), of(GPU, did.gpuMncs, operatorShareMillis)];
  if (tariff !== undefined)
    all.push(of(microsOf(tariff.currency), workMicros(tariff, did), tariff.operatorShareMillis));
  return all.filter(({ unit, amount }) => unit === CPU || amount > 0 || owedIn({ owed }, unit) > 0);
}

function settling(from: Account, { unit, amount }: OwedRecord): LedgerEntry[] {
  return [
    { account: from, unit, amount: -amount },
    { account: UNSETTLED, unit, amount },
  ];
}

/** Nobody is charged for energy here: it is said where it went, and what it costs the driver in the charging bill. */
function energyEntries(
  turn: Turn,
  tariff: Tariff | undefined,
  { by: { vehicleId }, did }: Deed,
): LedgerEntry[] {
  const amount = did.energyMwh;
  if (amount === 0) return [];
  const entries: LedgerEntry[] = [
    { account: stationAccount(turn.state.settings.stationId), unit: ENERGY, amount: -amount },
    { account: vehicleAccount(vehicleId), unit: ENERGY, amount },
  ];
  const micros = tariff === undefined ? 0 : energyMicros(tariff, amount);
  if (tariff === undefined || micros === 0) return entries;
  const unit = microsOf(tariff.currency);
  return [
    ...entries,
    { account: energyCostAccount(vehicleId), unit, amount: -micros },
    { account: CHARGING_BILL, unit, amount: micros },
  ];
}

/** What a booking debits an account, by unit. */
function takenFrom({ entries }: BookingRecord, account: Account): OwedRecord[] {
  return entries
    .filter((entry) => entry.account === account)
    .map(({ unit, amount }) => ({ unit, amount: -amount }));
}
