/** The changes of a year at a busy pile, day by day: tasks with inline bytes, paid in money, and what the retention forgets. */
import type { FencingToken, InstanceId, RequestId, TaskId, VehicleId } from '@plugpool/proto';
import { NUMBERS_PER_GENERATION } from '../../agent/core/limits.ts';
import { CPU, ENERGY, microsOf, minorOf } from '../../agent/core/ledger/units.ts';
import type { Account, BookingRecord, StoreChange } from '../../agent/core/records.ts';
import { lifeOf } from '../../test/store-records.ts';

const DAY_MS = 86_400_000;
const BEGAN_WALL_MS = Date.UTC(2026, 0, 1);
const VEHICLES = 400;
const MICROS = microsOf('EUR');
const MINOR = minorOf('EUR');

export interface YearOptions {
  readonly tasksPerDay: number;
  readonly payloadBytes: number;
  readonly retentionDays: number;
}

/** Of one day, in order; the last forgets what the retention no longer keeps. */
export function* changesOfDay(day: number, options: YearOptions): Generator<StoreChange[]> {
  const { tasksPerDay, retentionDays } = options;
  for (let n = day * tasksPerDay; n < (day + 1) * tasksPerDay; n += 1)
    yield lifeIn(n, BEGAN_WALL_MS + (n * DAY_MS) / tasksPerDay, options);
  const forgotten = day - retentionDays;
  if (forgotten < 0) return;
  const taskIds = Array.from({ length: tasksPerDay }, (_, n) => taskIdOf(forgotten * tasksPerDay + n));
  yield [{ change: 'forgetTasks', taskIds }];
}

function taskIdOf(n: number): TaskId {
  return `t1-${n.toString(36)}` as TaskId;
}

/** One task from acceptance to delivery, as the core writes it. */
function lifeIn(n: number, wallMs: number, { payloadBytes }: YearOptions): StoreChange[] {
  const atMs = Math.floor(wallMs);
  const bytes = new Uint8Array(payloadBytes).fill(n & 0xff);
  const requester = `vehicle-${n % VEHICLES}` as VehicleId;
  return lifeOf(n).flatMap((changes) =>
    changes.flatMap((change): StoreChange[] => {
      if (change.change === 'insertTask') {
        const { task } = change;
        const requestId = crypto.randomUUID() as RequestId;
        const times = { acceptedWallMs: atMs, deadlineWallMs: atMs + DAY_MS };
        const input = { where: 'inline', bytes } as const;
        return [{ ...change, task: { ...task, ...times, vehicleId: requester, requestId, input } }];
      }
      if (change.change === 'endTask') {
        const output = { where: 'inline', bytes } as const;
        return [{ ...change, end: { ...change.end, endedWallMs: atMs + 20_000, output } }];
      }
      if (change.change === 'book') return bookingsOf(n, atMs, requester);
      return [change];
    }),
  );
}

/** The dearest of bookings: work, energy and money in one, and a settlement in whole cents for every task. */
function bookingsOf(n: number, wallMs: number, requester: VehicleId): StoreChange[] {
  const donor = `vehicle-${(n * 7) % VEHICLES}`;
  const account = (name: string): Account => name as Account;
  const about = {
    taskId: taskIdOf(n),
    instanceId: `${taskIdOf(n)}_0` as InstanceId,
    fencingToken: (NUMBERS_PER_GENERATION + n) as FencingToken,
    wallMs,
    tariff: 'day',
  };
  const [work, micros, energy, bill] = [12_345 + (n % 1_000), 52_000 + (n % 9_000), 8_000 + (n % 700), 2_400];
  const result: BookingRecord = {
    ...about,
    kind: 'result',
    segment: 0,
    entries: [
      { account: account(`vehicle:${requester}`), unit: CPU, amount: -work },
      { account: account(`vehicle:${donor}`), unit: CPU, amount: work - 1_234 },
      { account: account('operator'), unit: CPU, amount: 1_234 },
      { account: account(`vehicle:${requester}`), unit: MICROS, amount: -micros },
      { account: account(`vehicle:${donor}`), unit: MICROS, amount: micros - 5_200 },
      { account: account('operator'), unit: MICROS, amount: 5_200 },
      { account: account('station:station'), unit: ENERGY, amount: -energy },
      { account: account(`vehicle:${donor}`), unit: ENERGY, amount: energy },
      { account: account(`energy:${donor}`), unit: MICROS, amount: -bill },
      { account: account('charging-bill'), unit: MICROS, amount: bill },
    ],
  };
  const settlement: BookingRecord = {
    ...about,
    kind: 'settlement',
    segment: 1,
    entries: [
      { account: account(`vehicle:${requester}`), unit: MINOR, amount: -1 },
      { account: account('operator'), unit: MINOR, amount: 1 },
    ],
  };
  return [
    { change: 'book', booking: result },
    { change: 'book', booking: settlement },
  ];
}
