/** The disk of a simulated pile: what commits wrote. It refuses what SQLite's constraints refuse. */
import { withoutLease } from '../store-records.ts';
import { bindingKey } from '../../agent/core/binding/bindings.ts';
import { STAYS_MAX } from '../../agent/core/limits.ts';
import type {
  BindingRecord,
  AlgorithmRecord,
  AttemptRecord,
  BookingRecord,
  CreditId,
  InstanceRecord,
  StayRecord,
  StoreChange,
  StoredState,
  TaskEndRecord,
  TaskHistory,
  TaskRecord,
} from '../../agent/core/records.ts';
import type { LeaseId, TaskId } from '@plugpool/proto';

export class SimulatedDisk {
  generation = 0;
  readonly algorithms = new Map<string, AlgorithmRecord>();
  readonly tasks = new Map<TaskId, { task: TaskRecord; end?: TaskEndRecord; delivered: boolean }>();
  readonly instances = new Map<string, InstanceRecord>();
  readonly attempts = new Map<TaskId, AttemptRecord[]>();
  readonly bookings = new Map<string, BookingRecord>();
  readonly stays: StayRecord[] = [];
  readonly bindings = new Map<string, BindingRecord>();
  readonly credits = new Map<CreditId, StoredState['credits'][number]>();
  /** JSON by its name. */
  readonly learned = new Map<string, string>();
  /** Of the tasks that are kept: one task a request. */
  readonly #requests = new Set<string>();
  readonly #rowsOf = new Map<
    TaskId,
    { readonly instanceIds: string[]; readonly bookings: BookingRecord[] }
  >();

  write(changes: readonly StoreChange[]): void {
    for (const change of changes) this.#apply(change);
  }

  #apply(change: StoreChange): void {
    switch (change.change) {
      case 'insertTask':
        if (this.tasks.has(change.task.taskId)) throw new Error(`task ${change.task.taskId} inserted twice`);
        this.#claim(change.task);
        this.tasks.set(change.task.taskId, { task: change.task, delivered: false });
        return;
      case 'endTask': {
        const kept = this.#task(change.taskId);
        if (kept.end !== undefined) throw new Error(`task ${change.taskId} ended twice`);
        kept.end = change.end;
        for (const instance of this.#instances(change.taskId))
          this.instances.set(instance.instanceId, withoutLease(instance));
        return;
      }
      case 'taskDelivered':
        this.#task(change.taskId).delivered = true;
        return;
      case 'putInstance':
        this.#putInstance(change.instance);
        return;
      case 'insertAttempt':
        this.#task(change.attempt.taskId);
        ofKey(this.attempts, change.attempt.taskId, (): AttemptRecord[] => []).push(change.attempt);
        return;
      case 'book': {
        const { instanceId, fencingToken, segment } = change.booking;
        const key = `${instanceId}/${fencingToken}/${segment}`;
        if (this.bookings.has(key)) throw new Error(`segment ${key} booked twice`);
        this.bookings.set(key, change.booking);
        this.#rows(change.booking.taskId).bookings.push(change.booking);
        return;
      }
      case 'putAlgorithm':
        this.algorithms.set(`${change.algorithm.id}@${change.algorithm.version}`, change.algorithm);
        return;
      case 'insertStay':
        this.stays.push(change.stay);
        if (this.stays.length > STAYS_MAX) this.stays.shift();
        return;
      case 'putBinding':
        this.bindings.set(bindingKey(change.binding.credential), change.binding);
        return;
      case 'removeBinding':
        this.bindings.delete(bindingKey(change.credential));
        return;
      case 'putCredit': {
        const { credit } = change;
        const before = this.credits.get(credit.creditId);
        if (before?.credit.madeWallMs !== undefined)
          throw new Error(`the credit record ${credit.creditId} was made already and is changed`);
        this.credits.set(credit.creditId, { credit });
        return;
      }
      case 'putCreditSending': {
        const kept = this.credits.get(change.creditId);
        if (kept?.credit.madeWallMs === undefined)
          throw new Error(`${change.creditId} is sent before it is made`);
        this.credits.set(change.creditId, { ...kept, sending: change.sending });
        return;
      }
      case 'putLearned':
        this.#learn(change.name, change.value);
        return;
      case 'removeAlgorithm':
        this.algorithms.delete(`${change.id}@${change.version}`);
        return;
      case 'takeGeneration':
        this.generation = change.generation;
        return;
      case 'forgetTasks':
        for (const taskId of change.taskIds) {
          const kept = this.tasks.get(taskId);
          if (kept === undefined) continue;
          if (kept.end === undefined) throw new Error(`task ${taskId} is forgotten before it ended`);
          this.tasks.delete(taskId);
          this.#requests.delete(`${kept.task.vehicleId}/${kept.task.requestId}`);
          for (const id of this.#rows(taskId).instanceIds) this.instances.delete(id);
          this.#rowsOf.delete(taskId);
          this.attempts.delete(taskId);
        }
    }
  }

  #putInstance(instance: InstanceRecord): void {
    const { instanceId, taskId } = instance;
    this.#task(taskId);
    if (!this.instances.has(instanceId)) this.#rows(taskId).instanceIds.push(instanceId);
    this.instances.set(instanceId, instance);
  }

  #rows(taskId: TaskId): { readonly instanceIds: string[]; readonly bookings: BookingRecord[] } {
    return ofKey(this.#rowsOf, taskId, () => ({ instanceIds: [], bookings: [] }));
  }

  #instances(taskId: TaskId): InstanceRecord[] {
    return this.#rows(taskId).instanceIds.flatMap((id) => this.instances.get(id) ?? []);
  }

  history(taskId: TaskId): TaskHistory | undefined {
    const kept = this.tasks.get(taskId);
    if (kept === undefined) return undefined;
    return {
      ...kept,
      instances: this.#instances(taskId),
      attempts: this.attempts.get(taskId) ?? [],
      bookings: this.#rows(taskId).bookings,
    };
  }

  attempt(taskId: TaskId, lease: LeaseId): AttemptRecord | undefined {
    const isIt = (each: AttemptRecord): boolean =>
      each.instanceId === lease.instanceId && each.fencingToken === lease.fencingToken;
    return this.attempts.get(taskId)?.find(isIt);
  }

  /** As text, so that what JSON does not carry is lost here as well. */
  #learn(name: string, value: unknown): void {
    const json = JSON.stringify(value) as string | undefined;
    if (json === undefined) throw new Error(`what is kept as ${name} is no JSON`);
    this.learned.set(name, json);
  }

  #claim({ vehicleId, requestId, taskId }: TaskRecord): void {
    const key = `${vehicleId}/${requestId}`;
    if (this.#requests.has(key)) throw new Error(`request ${key} becomes a second task, ${taskId}`);
    this.#requests.add(key);
  }

  #task(taskId: TaskId): { task: TaskRecord; end?: TaskEndRecord; delivered: boolean } {
    const kept = this.tasks.get(taskId);
    if (kept === undefined) throw new Error(`no task ${taskId} on disk`);
    return kept;
  }

  load(): StoredState {
    this.generation += 1;
    const kept = [...this.tasks.values()];
    return {
      generation: this.generation,
      algorithms: [...this.algorithms.values()],
      openTasks: kept
        .filter(({ end, delivered }) => end === undefined || !delivered)
        .map(({ task, end }) => ({
          task,
          instances: this.#instances(task.taskId),
          ...(end === undefined ? {} : { end }),
        })),
      stays: [...this.stays],
      bindings: [...this.bindings.values()],
      credits: [...this.credits.values()].filter(
        ({ credit, sending }) => credit.madeWallMs === undefined || sending?.state === 'waiting',
      ),
      learned: new Map([...this.learned].map(([name, json]) => [name, JSON.parse(json) as unknown])),
      closedTasks: kept.flatMap(({ task, end, delivered }) =>
        end !== undefined && delivered
          ? [
              {
                taskId: task.taskId,
                vehicleId: task.vehicleId,
                requestId: task.requestId,
                bodyHash: task.bodyHash,
                endedWallMs: end.endedWallMs,
              },
            ]
          : [],
      ),
    };
  }
}

function ofKey<Key, Many>(map: Map<Key, Many>, key: Key, none: () => Many): Many {
  let many = map.get(key);
  if (many === undefined) map.set(key, (many = none()));
  return many;
}
