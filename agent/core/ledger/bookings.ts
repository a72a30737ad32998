/**
 * What is booked when, each booking in the transaction of what it is for.
 *
 *   checkpoint accepted   unsettled −             donor +   operator +
 *   result accepted       payer −   unsettled +   donor +   operator +      everything since the first checkpoint
 *   cancelled             payer −   unsettled +                             what checkpoints had cost by then
 *   failed, expired, dead operator:failures −   unsettled +
 *   replicas agreed       payer −                 donor +   operator +      of the first; operator:replication − of the others
 */
import type { FencingToken, InstanceId, Used, VehicleId } from '@plugpool/proto';
import type { Account, BookingRecord, ClaimRecord, LedgerEntry, OwedRecord } from '../records.ts';
import type { Instance, Lease, Task } from '../state.ts';
import { write, type Turn } from '../turn.ts';
import {
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
import { CPU, ENERGY, GPU } from './units.ts';

/** One replica of several that agree, with what it is believed to have done. */
export interface AgreeingClaim {
  readonly instanceId: InstanceId;
  readonly fencingToken: FencingToken;
  readonly vehicleId: VehicleId;
  readonly claim: ClaimRecord;
}

/** Who did something for whom, and what it was. */
interface Deed {
  readonly vehicleId: VehicleId;
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
    vehicleId: lease.vehicleId,
    from: payerAccount(instance.task),
    did,
    owed: instance.owed,
  };
  book(turn, 'result', instance.task, idOf(instance, lease), deed);
  instance.owed = [];
  return chargedMncs;
}

/** Of an accepted checkpoint: what was done since the one before. Its donor is credited, whatever becomes of the task. */
export function bookCheckpoint(turn: Turn, instance: Instance, lease: Lease, used: Used): void {
  const claim = claimOf(turn, lease, used);
  const did = notBookedYet(lease, claim);
  if (did.cpuMncs === 0 && did.gpuMncs === 0) return;
  const deed: Deed = { vehicleId: lease.vehicleId, from: UNSETTLED, did, owed: [] };
  const booking = book(turn, 'checkpoint', instance.task, idOf(instance, lease), deed);
  instance.owed = addOwed(instance.owed, takenFrom(booking, UNSETTLED));
  const { segments, ...before } = lease.booked ?? NOTHING_BOOKED;
  lease.booked = { segments: segments + 1, ...sumOf(before, did) };
  turn.changedInstances.set(instance.instanceId, instance);
}

/** A task that came to nothing, with what its checkpoints had cost. Returns what its payer is charged on the CPU. */
export function settleTask(turn: Turn, task: Task, bearer: 'payer' | 'operator'): number {
  let chargedMncs = 0;
  for (const instance of task.instances) {
    if (instance.owed.length === 0) continue;
    const account = bearer === 'payer' ? payerAccount(task) : FAILURES;
    const entries = instance.owed.flatMap(({ unit, amount }): LedgerEntry[] => [
      { account, unit, amount: -amount },
      { account: UNSETTLED, unit, amount },
    ]);
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
 * is charged for one. Replicas take no checkpoints. Returns what the payer is charged on the CPU.
 */
export function bookAgreement(turn: Turn, task: Task, claims: readonly AgreeingClaim[]): number {
  const least = (of: (claim: ClaimRecord) => number): number =>
    Math.min(...claims.map(({ claim }) => of(claim)));
  const cpuMncs = least((claim) => claim.cpuMncs);
  const gpuMncs = least((claim) => claim.gpuMncs);
  for (const [position, { instanceId, fencingToken, vehicleId, claim }] of claims.entries()) {
    const from = position === 0 ? payerAccount(task) : REPLICATION;
    const deed: Deed = { vehicleId, from, did: { ...claim, cpuMncs, gpuMncs }, owed: [] };
    book(turn, 'result', task, { instanceId, fencingToken, segment: 0 }, deed);
  }
  return cpuMncs;
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
  const entries = [...workEntries(turn, deed), ...energyEntries(turn, deed)];
  return writeBooking(turn, { kind, taskId: task.record.taskId, ...id, entries });
}

function writeBooking(turn: Turn, about: Omit<BookingRecord, 'wallMs'>): BookingRecord {
  const booking = { ...about, wallMs: turn.now.wallMs };
  write(turn, { change: 'book', booking });
  return booking;
}

/** In each unit: charged, cleared, earned; the operator's share is rounded down. Work on the CPU is always said, others where there are. */
function workEntries(turn: Turn, { vehicleId, from, did, owed }: Deed): LedgerEntry[] {
  const earned = [
    { unit: CPU, amount: did.cpuMncs },
    { unit: GPU, amount: did.gpuMncs },
  ];
  return earned.flatMap(({ unit, amount }) => {
    const before = owedIn({ owed }, unit);
    if (unit !== CPU && amount === 0 && before === 0) return [];
    const share = Math.floor((amount * turn.state.settings.operatorShareMillis) / 1000);
    return [
      { account: from, unit, amount: 0 - amount - before },
      ...(before === 0 ? [] : [{ account: UNSETTLED, unit, amount: before }]),
      { account: vehicleAccount(vehicleId), unit, amount: amount - share },
      { account: OPERATOR, unit, amount: share },
    ];
  });
}

/** Nobody is charged for energy: it is said where it went, beside the charging bill. */
function energyEntries(turn: Turn, { vehicleId, did }: Deed): LedgerEntry[] {
  const amount = did.energyMwh;
  if (amount === 0) return [];
  return [
    { account: stationAccount(turn.state.settings.stationId), unit: ENERGY, amount: -amount },
    { account: vehicleAccount(vehicleId), unit: ENERGY, amount },
  ];
}

/** What a booking debits an account, by unit. */
function takenFrom({ entries }: BookingRecord, account: Account): OwedRecord[] {
  return entries
    .filter((entry) => entry.account === account)
    .map(({ unit, amount }) => ({ unit, amount: -amount }));
}
