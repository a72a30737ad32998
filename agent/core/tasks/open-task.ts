/** A task that has not ended, and its instances: made when its request is accepted, or when a start finds it on disk. */
import type { InstanceId, TaskId } from '@plugpool/proto';
import type { TaskRecord } from '../records.ts';
import type { Instance, State, Task } from '../state.ts';

export function openTask(state: State, record: TaskRecord, deadlineMonoMs: number): Task {
  const task = newTask(record, deadlineMonoMs);
  registerTask(state, task);
  return task;
}

/** Nobody knows of it yet. */
export function newTask(record: TaskRecord, deadlineMonoMs: number): Task {
  return {
    record,
    instances: [],
    parts: record.wants?.instances ?? 1,
    deadlineMonoMs,
    payer: record.wants?.payer ?? record.vehicleId,
    hasStarted: false,
    end: undefined,
    endedMonoMs: undefined,
    ownerVerdicts: undefined,
    check: undefined,
    judgedAs: undefined,
  };
}

export function registerTask(state: State, task: Task): void {
  const { record } = task;
  state.tasks.set(record.taskId, task);
  state.requests.open(task);
  let ofVehicle = state.openTasksOf.get(record.vehicleId);
  if (ofVehicle === undefined) state.openTasksOf.set(record.vehicleId, (ofVehicle = new Set()));
  ofVehicle.add(record.taskId);
  state.deadlines.add(task);
}

/** Its number within its task is in its id; of a part it is its index. */
export interface InstancePlace {
  readonly index: number;
  readonly number: number;
  readonly replica: number;
}

export function newInstance(
  state: State,
  task: Task,
  { index, number, replica }: InstancePlace,
  queuedMonoMs: number,
): Instance {
  state.orderCounter += 1;
  return {
    instanceId: `${task.record.taskId}_${number}` as InstanceId,
    task,
    index,
    replica,
    quorum: 1,
    program: undefined,
    settled: false,
    plannedOn: undefined,
    written: undefined,
    attempts: 0,
    departures: 0,
    crashes: 0,
    lease: undefined,
    waitsIn: undefined,
    queuedMonoMs,
    turnMonoMs: queuedMonoMs,
    order: state.orderCounter,
    preempted: false,
    checkpoint: undefined,
    owed: [],
    result: undefined,
    avoided: undefined,
    passedOver: 0,
    lastReason: '',
  };
}

/** The instance with that id, or undefined. */
export function instanceOf(state: State, instanceId: InstanceId): Instance | undefined {
  return state.tasks.get(taskIdOf(instanceId))?.instances[numberOf(instanceId)];
}

/** The task that it is of, by its name alone. */
export function taskIdOf(instanceId: InstanceId): TaskId {
  return instanceId.slice(0, instanceId.lastIndexOf('_')) as TaskId;
}

/** Its place among the instances of its task. */
export function numberOf(instanceId: InstanceId): number {
  return Number(instanceId.slice(instanceId.lastIndexOf('_') + 1));
}
