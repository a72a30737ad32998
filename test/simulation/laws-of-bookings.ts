/** What must be true of everything that was booked, at any time: laws 1 and 5. */
import assert from 'node:assert/strict';
import { CHECKER } from '../../agent/core/checks/checker.ts';
import type { Tariff } from '../../agent/core/ledger/tariffs.ts';
import { CPU, ENERGY, GPU, microsOf } from '../../agent/core/ledger/units.ts';
import type { BookingRecord, TaskRecord, Unit } from '../../agent/core/records.ts';
import type { TaskId } from '@plugpool/proto';
import type { Observed } from './observed.ts';

/** All of it. */
export function checkBookings(pile: Observed): void {
  chargedAtMostOnce(pile);
  debitsEqualCredits(pile);
  recordsSayWhatWasCredited(pile);
  whatIsUnsettledIsOwed(pile);
  bookingsFitTheirLeases(pile);
  overstayEarnsNothing(pile);
  whoSaidItPaysItsBudget(pile);
}

/** Law 1. The disk refuses a second end of a task and a second booking of a segment. */
function chargedAtMostOnce(pile: Observed): void {
  const charged = new Map<string, number>();
  for (const { kind, taskId, instanceId, entries } of pile.disk.bookings.values()) {
    // Replicas beyond the first are charged to the operator.
    if (kind === 'checkpoint' || entries.some(({ account }) => account === 'operator:replication')) continue;
    const index = pile.disk.instances.get(instanceId)?.index;
    const part = index === undefined ? instanceId : `${taskId}_${index}`;
    charged.set(part, (charged.get(part) ?? 0) + 1);
  }
  for (const [part, times] of charged) assert.equal(times, 1, `law 1: ${part} is charged ${times} times`);
  for (const { task, end } of pile.disk.tasks.values())
    for (let part = 0; end?.state === 'completed' && part < (task.wants?.instances ?? 1); part += 1)
      assert.equal(
        charged.get(`${task.taskId}_${part}`),
        1,
        `law 1: part ${part} of ${task.taskId} completed and was not charged`,
      );
}

/** Law 5, with who pays and what it may cost. */
function whoSaidItPaysItsBudget(pile: Observed): void {
  const paidMncs = new Map<TaskId, number>();
  for (const { kind, taskId, entries } of pile.disk.bookings.values()) {
    const { task } = pile.disk.tasks.get(taskId) ?? {};
    if (task === undefined) continue;
    const account = payerOf(task);
    const [debit] = entries;
    if (debit === undefined) continue;
    assert.ok(mayPay(kind, account).includes(debit.account), `law 5: ${debit.account} pays ${taskId}`);
    if (debit.account === account && debit.unit === CPU)
      paidMncs.set(taskId, (paidMncs.get(taskId) ?? 0) - debit.amount);
  }
  for (const [taskId, mncs] of paidMncs) {
    const { budgetMncs = Infinity } = pile.disk.tasks.get(taskId)?.task.wants ?? {};
    assert.ok(mncs <= budgetMncs, `law 5: ${taskId} costs ${mncs}, more than its budget`);
  }
}

function payerOf({ vehicleId, wants }: TaskRecord): string {
  // What the pile asks itself to see whether somebody lies.
  if (vehicleId === CHECKER) return CHECKER;
  const { payer = vehicleId } = wants ?? {};
  return payer === vehicleId ? `vehicle:${payer}` : `fleet:${payer}`;
}

/** Of a booking's first entry, which is the debit. */
function mayPay(kind: BookingRecord['kind'], payer: string): readonly string[] {
  if (kind === 'checkpoint') return ['unsettled'];
  return kind === 'result' ? [payer, 'operator:replication'] : [payer, 'operator:failures'];
}

/** Law 5: what donors were credited for checkpoints is owed by somebody, to the last unit, until it is charged: at the end. */
function whatIsUnsettledIsOwed(pile: Observed): void {
  for (const { instanceId, taskId, owed = [] } of pile.disk.instances.values())
    if (pile.disk.tasks.get(taskId)?.end !== undefined)
      assert.deepEqual(owed, [], `law 5: ${instanceId} has ended, and what it owes is charged to nobody`);
  const rest = new Map<Unit, number>();
  const add = (unit: Unit, amount: number): void => {
    rest.set(unit, (rest.get(unit) ?? 0) + amount);
  };
  for (const { entries } of pile.disk.bookings.values())
    for (const { account, unit, amount } of entries) if (account === 'unsettled') add(unit, amount);
  for (const { owed = [] } of pile.disk.instances.values())
    for (const { unit, amount } of owed) add(unit, amount);
  for (const [unit, amount] of rest) assert.equal(amount, 0, `law 5: ${amount} ${unit} is owed by nobody`);
}

/** Law 5: the credit records of a vehicle, made or not, come to what its account was credited for work. */
function recordsSayWhatWasCredited({ disk, settings }: Observed): void {
  if (settings.credits === 'off') return;
  const rest = new Map<string, number>();
  const add = (vehicleId: string, unit: Unit, amount: number): void => {
    if (unit !== ENERGY) rest.set(`${vehicleId} ${unit}`, (rest.get(`${vehicleId} ${unit}`) ?? 0) + amount);
  };
  for (const { kind, entries } of disk.bookings.values())
    for (const { account, unit, amount } of entries)
      if (kind !== 'settlement' && amount > 0 && account.startsWith('vehicle:'))
        add(account.slice('vehicle:'.length), unit, amount);
  for (const { credit } of disk.credits.values())
    for (const { unit, amount } of credit.earned) add(credit.vehicleId, unit, -amount);
  for (const [name, amount] of rest)
    assert.equal(amount, 0, `law 5: the records of ${name} are ${amount} short of what was credited`);
}

/** Law 5. */
function debitsEqualCredits(pile: Observed): void {
  for (const booking of pile.disk.bookings.values()) {
    for (const [unit, entries] of Map.groupBy(booking.entries, (entry) => entry.unit)) {
      const sum = entries.reduce((total, { amount }) => total + amount, 0);
      assert.equal(sum, 0, `law 5: a booking of ${booking.taskId} adds up to ${sum} ${unit}`);
      for (const { amount } of entries) assert.ok(Number.isSafeInteger(amount));
    }
  }
}

/**
 * Law 5. The algorithms of the simulation have one thread, and a GPU of no known model counts as the reference GPU. What is booked
 * of an attempt, whoever it is credited to, is no more than its lease could hold.
 */
function bookingsFitTheirLeases(pile: Observed): void {
  const booked = new Map<string, number>();
  for (const { kind, instanceId, fencingToken, entries } of pile.disk.bookings.values()) {
    if (kind === 'settlement') continue;
    for (const { account, unit, amount } of entries) {
      if (amount <= 0 || account === 'unsettled' || account === 'charging-bill') continue;
      const name = `${instanceId}/${fencingToken} ${unit}`;
      const sum = (booked.get(name) ?? 0) + amount;
      booked.set(name, sum);
      const most = mostIn(unit, pile, pile.heldMs(fencingToken));
      assert.ok(sum <= most, `law 5: of ${name} ${sum} is booked where ${most} is the most`);
    }
  }
}

function mostIn(unit: Unit, { settings, speedMillisMax }: Observed, heldMs: number): number {
  if (unit === CPU) return (heldMs * speedMillisMax) / 1000;
  if (unit === GPU) return heldMs;
  if (unit === ENERGY) return (heldMs * settings.computingPowerMaxMw) / 3_600_000;
  const prices = settings.tariffs.filter(({ currency }) => microsOf(currency) === unit);
  const dearest = (of: (tariff: Tariff) => number): number => Math.max(0, ...prices.map(of));
  const cpuMicros = (heldMs * speedMillisMax * dearest((tariff) => tariff.cpuHourMicros)) / 1000;
  return (cpuMicros + heldMs * dearest((tariff) => tariff.gpuHourMicros)) / 3_600_000;
}

/** Law 5: a driver's energy is his own affair, and who overstays earns nothing. */
function overstayEarnsNothing(pile: Observed): void {
  for (const { overstay, instanceId, fencingToken, entries } of pile.disk.bookings.values()) {
    if (overstay !== true) continue;
    for (const { account, unit, amount } of entries)
      assert.ok(
        unit === ENERGY || amount <= 0 || !account.startsWith('vehicle:'),
        `law 5: ${account} earns by ${instanceId}/${fencingToken} although it overstays`,
      );
  }
}
