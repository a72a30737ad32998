/** Records for tests and benches of the store: the life of one task, as the core commits it. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type {
  AlgorithmId,
  ConnectorId,
  FencingToken,
  InstanceId,
  Payload,
  RequestId,
  Slot,
  TaskId,
  VehicleId,
} from '@plugpool/proto';
import { CPU } from '../agent/core/ledger/units.ts';
import type { Account, InstanceRecord, StoreChange, StoredState } from '../agent/core/records.ts';

/** The three commits of one task's life: accepted and granted, ended and booked, delivered. */
export function lifeOf(n: number): readonly [StoreChange[], StoreChange[], StoreChange[]] {
  // The form of the core's own ids.
  const taskId = `t1-${n.toString(36)}` as TaskId;
  const vehicleId = `vehicle-${n % 50}` as VehicleId;
  const instanceId = `${taskId}.0` as InstanceId;
  const fencingToken = 1 as FencingToken;
  const wallMs = 1_795_000_000_000 + n;
  const algorithm = { algorithmId: 'echo' as AlgorithmId, algorithmVersion: '1.0.0' };
  const used = { cpuMs: 1, wallMs: 2, memoryPeakMib: 10, gpuMs: 0 };
  const queued: InstanceRecord = { instanceId, taskId, index: 0, attempts: 0, departures: 0, crashes: 0 };
  const lease = {
    vehicleId: 'donor-1' as VehicleId,
    connectorId: 'station/1/1' as ConnectorId,
    ...algorithm,
    demand: { cpuMillicores: 100, memoryMib: 16, threads: 1 },
    fencingToken,
    grantedWallMs: wallMs,
  };
  return [
    [
      {
        change: 'insertTask',
        task: {
          taskId,
          vehicleId,
          slot: 'ask-1' as Slot,
          requestId: `request-${n}` as RequestId,
          bodyHash: 'a'.repeat(64),
          selector: { by: 'algorithm', algorithmId: algorithm.algorithmId },
          args: [],
          input: { where: 'inline', bytes: new Uint8Array(100) },
          acceptedWallMs: wallMs,
          deadlineWallMs: wallMs + 60_000,
        },
      },
      { change: 'putInstance', instance: { ...queued, attempts: 1, lease } },
    ],
    [
      {
        change: 'insertAttempt',
        attempt: {
          instanceId,
          taskId,
          attempt: 1,
          fencingToken,
          vehicleId: lease.vehicleId,
          ...algorithm,
          startedWallMs: wallMs,
          endedWallMs: wallMs + 2,
          outcome: 'completed',
          reason: '',
        },
      },
      {
        change: 'book',
        booking: {
          kind: 'result',
          taskId,
          instanceId,
          fencingToken,
          segment: 0,
          wallMs,
          entries: [
            { account: `vehicle:${vehicleId}` as Account, unit: CPU, amount: -10 },
            { account: 'vehicle:donor-1' as Account, unit: CPU, amount: 9 },
            { account: 'operator' as Account, unit: CPU, amount: 1 },
          ],
        },
      },
      {
        change: 'endTask',
        taskId,
        end: {
          state: 'completed',
          endedWallMs: wallMs + 2,
          output: { where: 'inline', bytes: new Uint8Array(100) },
          attempts: 1,
          donor: lease.vehicleId,
          used,
          chargedMncs: 10,
          ...algorithm,
        },
      },
    ],
    [{ change: 'taskDelivered', taskId }],
  ];
}

/** As the end of its task leaves it. */
export function withoutLease({ lease: _lease, ...rest }: InstanceRecord): InstanceRecord {
  return rest;
}

/** How long ago things happened is the test's own time: what it is reckoned from has its own tests. */
export function timeless(state: StoredState): StoredState {
  return {
    ...state,
    openTasks: state.openTasks.map(({ acceptedAgoMs: _, endedAgoMs: __, ...open }) => open),
    closedTasks: state.closedTasks.map(({ endedAgoMs: _, ...closed }) => closed),
  };
}

export interface LifeWithBytes {
  readonly taskId: TaskId;
  readonly input: Uint8Array;
  readonly output: Uint8Array;
  /** Accepted, ended, delivered. */
  readonly commits: readonly StoreChange[][];
}

/** A task with so many random bytes in and out, and both again as the outputs of two parts. */
export function lifeWith(n: number, bytes: number): LifeWithBytes {
  const [input, output] = [randomBytes(bytes), randomBytes(bytes)];
  const inline = (each: Uint8Array): Payload => ({ where: 'inline', bytes: each });
  const commits = lifeOf(n).map((changes) =>
    changes.map((change): StoreChange => {
      if (change.change === 'insertTask')
        return { ...change, task: { ...change.task, input: inline(input) } };
      if (change.change !== 'endTask') return change;
      const outputs = [inline(output), inline(input)];
      return { ...change, end: { ...change.end, output: inline(output), outputs } };
    }),
  );
  const [first] = commits[0] ?? [];
  assert.equal(first?.change, 'insertTask');
  return { taskId: first.task.taskId, input, output, commits };
}
