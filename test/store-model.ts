/** The store as a few maps: what the store on disk is compared with. */
import type { Digest, InstanceId, TaskId } from '@plugpool/proto';
import { bindingKey } from '../agent/core/binding/bindings.ts';
import { STAYS_MAX } from '../agent/core/limits.ts';
import type {
  Account,
  AlgorithmRecord,
  AttemptRecord,
  BindingRecord,
  BookingRecord,
  ClosedTaskRecord,
  CreditId,
  InstanceRecord,
  LedgerSummary,
  StayRecord,
  StoreChange,
  StoredState,
  TaskEndRecord,
  TaskHistory,
  TaskRecord,
  Unit,
} from '../agent/core/records.ts';
import { withoutLease } from './store-records.ts';

interface ModelTask {
  readonly task: TaskRecord;
  end?: TaskEndRecord;
  delivered: boolean;
  readonly instances: Map<InstanceId, InstanceRecord>;
  readonly attempts: AttemptRecord[];
}

export class MemoryModel {
  readonly #tasks = new Map<TaskId, ModelTask>();
  readonly #algorithms = new Map<string, AlgorithmRecord>();
  readonly #bookings: BookingRecord[] = [];
  readonly #stays: StayRecord[] = [];
  readonly #bindings = new Map<string, BindingRecord>();
  readonly #credits = new Map<CreditId, StoredState['credits'][number]>();
  readonly #learned = new Map<string, unknown>();

  apply(changes: readonly StoreChange[]): void {
    for (const change of changes) this.#apply(change);
  }

  #apply(change: StoreChange): void {
    switch (change.change) {
      case 'insertTask': {
        const { task } = change;
        this.#tasks.set(task.taskId, { task, delivered: false, instances: new Map(), attempts: [] });
        return;
      }
      case 'endTask':
        this.#end(change);
        return;
      case 'taskDelivered':
        this.#task(change.taskId).delivered = true;
        return;
      case 'putInstance':
        this.#task(change.instance.taskId).instances.set(change.instance.instanceId, change.instance);
        return;
      case 'insertAttempt':
        this.#task(change.attempt.taskId).attempts.push(change.attempt);
        return;
      case 'book':
        this.#bookings.push(change.booking);
        return;
      case 'putAlgorithm':
        this.#algorithms.set(algorithmKey(change.algorithm), change.algorithm);
        return;
      case 'insertStay':
        this.#stays.push(change.stay);
        return;
      case 'putBinding':
        this.#bindings.set(bindingKey(change.binding.credential), change.binding);
        return;
      case 'removeBinding':
        this.#bindings.delete(bindingKey(change.credential));
        return;
      case 'putCredit':
        this.#credits.set(change.credit.creditId, { credit: change.credit });
        return;
      case 'putCreditSending': {
        const credit = this.#credits.get(change.creditId)?.credit;
        if (credit !== undefined) this.#credits.set(change.creditId, { credit, sending: change.sending });
        return;
      }
      case 'putLearned':
        this.#learned.set(change.name, change.value);
        return;
      case 'removeAlgorithm':
        this.#algorithms.delete(algorithmKey(change));
        return;
      case 'takeGeneration':
        return;
      case 'forgetTasks':
        for (const taskId of change.taskIds) this.#tasks.delete(taskId);
    }
  }

  #end({ taskId, end }: Extract<StoreChange, { change: 'endTask' }>): void {
    const task = this.#task(taskId);
    task.end = end;
    for (const [instanceId, instance] of task.instances)
      task.instances.set(instanceId, withoutLease(instance));
  }

  #task(taskId: TaskId): ModelTask {
    const task = this.#tasks.get(taskId);
    if (task === undefined) throw new Error(`the run names ${taskId}, which it did not insert`);
    return task;
  }

  taskIds(): TaskId[] {
    return [...this.#tasks.keys()];
  }

  state(): Omit<StoredState, 'generation'> {
    const tasks = [...this.#tasks.values()];
    return {
      algorithms: [...this.#algorithms]
        .sort(([left], [right]) => (left < right ? -1 : 1))
        .map(([, algorithm]) => algorithm),
      openTasks: tasks
        .filter(({ delivered }) => !delivered)
        .map(({ task, end, instances }) => ({ task, instances: byIndex(instances), ...(end && { end }) })),
      stays: this.#stays.slice(-STAYS_MAX),
      bindings: [...this.#bindings]
        .sort(([left], [right]) => (left < right ? -1 : 1))
        .map(([, binding]) => binding),
      credits: [...this.#credits.values()]
        .filter(({ credit, sending }) => credit.madeWallMs === undefined || sending?.state === 'waiting')
        .sort(
          ({ credit: one }, { credit: other }) =>
            Number(one.madeWallMs !== undefined) - Number(other.madeWallMs !== undefined) ||
            one.creditId - other.creditId,
        ),
      learned: this.#learned,
      closedTasks: tasks
        .filter(({ delivered }) => delivered)
        .map(({ task, end }) => closedOf(task, end))
        .sort((left, right) => left.endedWallMs - right.endedWallMs),
    };
  }

  history(taskId: TaskId): TaskHistory {
    const { task, end, delivered, instances, attempts } = this.#task(taskId);
    return {
      task,
      ...(end && { end }),
      delivered,
      instances: byIndex(instances),
      attempts: attempts.toSorted((left, right) => left.endedWallMs - right.endedWallMs),
      bookings: this.#bookings.filter((booking) => booking.taskId === taskId),
    };
  }

  recent(): TaskHistory[] {
    return this.taskIds()
      .reverse()
      .map((taskId) => this.history(taskId));
  }

  ledger(): LedgerSummary {
    const sums = new Map<string, { account: Account; unit: Unit; credited: number; debited: number }>();
    for (const { account, unit, amount } of this.#bookings.flatMap(({ entries }) => entries)) {
      // As SQLite sorts: by account, then unit.
      const key = `${account}\0${unit}`;
      const sum = sums.get(key) ?? { account, unit, credited: 0, debited: 0 };
      if (amount > 0) sum.credited += amount;
      if (amount < 0) sum.debited -= amount;
      sums.set(key, sum);
    }
    return {
      bookings: this.#bookings.length,
      balanced: true,
      balances: [...sums]
        .sort(([left], [right]) => (left < right ? -1 : 1))
        .map(([, sum]) => ({ ...sum, balance: sum.credited - sum.debited })),
    };
  }

  referencedBlobs(): Set<Digest> {
    const tasks = [...this.#tasks.values()];
    const instances = tasks.flatMap((task) => [...task.instances.values()]);
    const ofTasks = tasks.flatMap(({ task, end }) => [task.input, end?.output, ...(end?.outputs ?? [])]);
    const payloads = [...ofTasks, ...instances.map(({ result }) => result?.output)];
    const digests = [
      ...payloads.map((found) => (found?.where === 'blob' ? found.blob.digest : undefined)),
      ...instances.map(({ checkpoint }) => checkpoint?.state.digest),
    ];
    const images = [...this.#algorithms.values()].map(({ image }) => image.digest);
    return new Set([...digests, ...images].filter((digest) => digest !== undefined));
  }
}

function algorithmKey({ id, version }: { readonly id: string; readonly version: string }): string {
  return `${id}@${version}`;
}

function byIndex(instances: ReadonlyMap<InstanceId, InstanceRecord>): InstanceRecord[] {
  return [...instances.values()].sort((left, right) => left.index - right.index);
}

function closedOf(task: TaskRecord, end: TaskEndRecord | undefined): ClosedTaskRecord {
  const { taskId, vehicleId, requestId, bodyHash } = task;
  return { taskId, vehicleId, requestId, bodyHash, endedWallMs: end?.endedWallMs ?? Number.NaN };
}
