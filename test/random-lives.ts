/** Random lives of tasks, as the changes of the store that they lead to. */
import type {
  AlgorithmId,
  FencingToken,
  InstanceId,
  RequestId,
  Slot,
  TaskId,
  VehicleId,
} from '@plugpool/proto';
import fc from 'fast-check';
import type {
  Account,
  AttemptRecord,
  BookingRecord,
  InstanceRecord,
  LeaseRecord,
  StoreChange,
  TaskEndRecord,
  TaskRecord,
  Unit,
} from '../agent/core/records.ts';
import {
  branded,
  count,
  digest,
  end,
  id,
  kept,
  lease,
  payload,
  record,
  text,
  unit,
  wallMs,
  wants,
} from './random-records.ts';

interface Life {
  readonly task: Omit<TaskRecord, 'taskId' | 'requestId'>;
  readonly instances: readonly {
    readonly attempts: number;
    readonly lease: LeaseRecord | undefined;
    readonly kept: Pick<
      InstanceRecord,
      'result' | 'checkpoint' | 'preempted' | 'replica' | 'quorum' | 'program' | 'settled' | 'owed'
    >;
  }[];
  readonly attempts: readonly Omit<AttemptRecord, 'taskId' | 'instanceId' | 'fencingToken'>[];
  readonly bookings: readonly (Pick<BookingRecord, 'kind' | 'tariff' | 'overstay'> & {
    readonly amount: number;
    readonly unit: Unit;
  })[];
  readonly end: TaskEndRecord;
  /** How far the task gets: a prefix of its changes. */
  readonly until: number;
}

export const life: fc.Arbitrary<Life> = record({
  task: record(
    {
      vehicleId: id<VehicleId>(),
      slot: branded<Slot>(fc.constantFrom('lend', 'ask-1')),
      bodyHash: digest,
      selector: fc.oneof(
        record({ by: fc.constant('type' as const), type: text }),
        record(
          { by: fc.constant('algorithm' as const), algorithmId: id<AlgorithmId>(), version: text },
          { requiredKeys: ['by', 'algorithmId'] },
        ),
      ),
      args: fc.array(text, { maxLength: 4 }),
      input: payload,
      acceptedWallMs: wallMs,
      deadlineWallMs: wallMs,
      wants,
    },
    {
      requiredKeys: [
        'vehicleId',
        'slot',
        'bodyHash',
        'selector',
        'args',
        'input',
        'acceptedWallMs',
        'deadlineWallMs',
      ],
    },
  ),
  instances: fc.array(record({ attempts: count, lease: fc.option(lease, { nil: undefined }), kept }), {
    minLength: 1,
    maxLength: 3,
  }),
  attempts: fc.array(
    record(
      {
        attempt: count,
        vehicleId: id<VehicleId>(),
        algorithmId: id<AlgorithmId>(),
        algorithmVersion: text,
        startedWallMs: wallMs,
        endedWallMs: wallMs,
        outcome: fc.constantFrom(
          'completed',
          'failed',
          'departed',
          'crashed',
          'declined',
          'cancelled',
          'expired',
        ),
        reason: text,
        handedIn: fc.constant(true as const),
      },
      {
        requiredKeys: [
          'attempt',
          'vehicleId',
          'algorithmId',
          'algorithmVersion',
          'startedWallMs',
          'endedWallMs',
          'outcome',
          'reason',
        ],
      },
    ),
    { maxLength: 3 },
  ),
  bookings: fc.array(
    record(
      {
        kind: fc.constantFrom('result', 'checkpoint', 'settlement'),
        tariff: text,
        overstay: fc.constant(true),
        amount: fc.integer({ min: -1_000_000, max: 1_000_000 }),
        unit,
      },
      { requiredKeys: ['kind', 'amount', 'unit'] },
    ),
    { maxLength: 4 },
  ),
  end,
  until: fc.nat({ max: 20 }),
});

/** Ids carry the position in the run, so that they never collide; the texts around them do not. */
export function changesOf(found: Life, n: number): StoreChange[] {
  const taskId = `task-${n}` as TaskId;
  const task: TaskRecord = { ...found.task, taskId, requestId: `request-${n}` as RequestId };
  const instances = found.instances.map(
    ({ attempts, lease: granted, kept: more }, index): InstanceRecord => ({
      instanceId: `${taskId}.${index}` as InstanceId,
      taskId,
      index,
      attempts,
      departures: 0,
      crashes: index,
      ...(granted && { lease: granted }),
      ...more,
    }),
  );
  const instanceId = `${taskId}.0` as InstanceId;
  const required: StoreChange[] = [
    { change: 'insertTask', task },
    ...instances.map((instance): StoreChange => ({ change: 'putInstance', instance })),
  ];
  const optional: StoreChange[] = [
    ...found.attempts.map((attempt, position): StoreChange => ({
      change: 'insertAttempt',
      attempt: {
        ...attempt,
        taskId,
        instanceId,
        fencingToken: (position + 1) as FencingToken,
        // Distinct, so that their order is told by it alone.
        endedWallMs: position * 1000 + (attempt.endedWallMs % 1000),
      },
    })),
    ...bookingsOf(found, taskId, instanceId),
    ...instances.map(({ lease: _lease, result: _result, ...rest }): StoreChange => ({
      change: 'putInstance',
      instance: rest,
    })),
    { change: 'endTask', taskId, end: { ...found.end, endedWallMs: found.end.endedWallMs + n } },
    { change: 'taskDelivered', taskId },
    { change: 'forgetTasks', taskIds: [taskId] },
  ];
  return [...required, ...optional.slice(0, found.until)];
}

function bookingsOf({ bookings, task }: Life, taskId: TaskId, instanceId: InstanceId): StoreChange[] {
  return bookings.map(({ amount, unit, ...about }, position): StoreChange => ({
    change: 'book',
    booking: {
      ...about,
      taskId,
      instanceId,
      // Several segments of an attempt, and several attempts.
      fencingToken: (1 + (position >> 1)) as FencingToken,
      segment: position & 1,
      wallMs: position,
      entries: [
        { account: `vehicle:${task.vehicleId}` as Account, unit, amount },
        // `0 - x`, not `-x`: there is one zero on disk.
        { account: 'operator' as Account, unit, amount: 0 - amount },
      ],
    },
  }));
}
