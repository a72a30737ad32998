/**
 * The Store port over a disk that is slow, full, or tells of a commit that it failed although it was written. What is under way
 * when the process dies is on the disk whole or not at all.
 */
import type { LeaseId, TaskId } from '@plugpool/proto';
import type { CommitCost } from '../../agent/ports.ts';
import type { AttemptRecord, StoreChange, StoredState, TaskHistory } from '../../agent/core/records.ts';
import { StoreError } from '../../agent/store-error.ts';
import type { Agenda } from './agenda.ts';
import type { Chance } from './chance.ts';
import type { DiskFaults } from './faults.ts';

/** What keeps what was committed: a model in memory, or the production store. Every call is at once. */
export interface KeepingDisk {
  /** Of a new process. */
  open(): StoredState;
  reload(): StoredState;
  write(changes: readonly StoreChange[]): void;
  history(taskId: TaskId): TaskHistory | undefined;
  attempt(taskId: TaskId, lease: LeaseId): AttemptRecord | undefined;
  /** The process is gone, and its file handles with it. */
  drop(): void;
}

export class FlakyStore {
  readonly #agenda: Agenda;
  readonly #chance: Chance;
  readonly #disk: KeepingDisk;
  faults: DiskFaults;
  isFull = false;
  /** Called when the answer of a call has reached the process. */
  readonly #answered: () => void;
  #lives = 0;
  #underWay: { readonly changes: readonly StoreChange[]; readonly cancel: () => void } | undefined;

  constructor(
    agenda: Agenda,
    chance: Chance,
    parts: { readonly disk: KeepingDisk; readonly faults: DiskFaults; readonly answered: () => void },
  ) {
    this.#agenda = agenda;
    this.#chance = chance;
    this.#disk = parts.disk;
    this.faults = parts.faults;
    this.#answered = parts.answered;
  }

  open(): Promise<StoredState> {
    return Promise.resolve(this.#disk.open());
  }

  reload(): Promise<StoredState> {
    return this.#later(() => this.#disk.reload());
  }

  commit(changes: readonly StoreChange[]): Promise<CommitCost> {
    const { promise, resolve, reject } = Promise.withResolvers<CommitCost>();
    const syncMs = this.#commitMs();
    const cancel = this.#agenda.after(syncMs, () => {
      this.#underWay = undefined;
      try {
        this.#write(changes);
        resolve({ syncMs });
      } catch (error) {
        // Whatever is no StoreError is a broken promise of the agent's own, as with the production store.
        reject(error);
      }
      this.#answered();
    });
    this.#underWay = { changes, cancel };
    return promise;
  }

  #write(changes: readonly StoreChange[]): void {
    const { failPermille, answerLostPermille } = this.faults;
    if (this.isFull) throw failure('full');
    if (this.#chance.is(failPermille)) throw failure('unavailable');
    this.#disk.write(changes);
    if (this.#chance.is(answerLostPermille)) throw failure('unavailable');
  }

  #commitMs(): number {
    const { commitMs, slowPermille } = this.faults;
    if (this.#chance.is(slowPermille)) return this.#chance.between(100, 4_000);
    return this.#chance.between(...commitMs);
  }

  readTask(taskId: TaskId): Promise<TaskHistory | undefined> {
    return this.#later(() => this.#disk.history(taskId));
  }

  /** It is not always read. */
  readAttempt(taskId: TaskId, lease: LeaseId): Promise<AttemptRecord | undefined> {
    return this.#later(() => {
      if (this.#chance.is(this.faults.failPermille)) throw failure('unavailable');
      return this.#disk.attempt(taskId, lease);
    });
  }

  #later<Value>(read: () => Value): Promise<Value> {
    const { promise, resolve, reject } = Promise.withResolvers<Value>();
    const life = this.#lives;
    this.#agenda.after(this.#chance.between(...this.faults.commitMs), () => {
      // Nobody who died hears an answer.
      if (life !== this.#lives) return;
      try {
        resolve(read());
      } catch (error) {
        reject(error);
      }
      this.#answered();
    });
    return promise;
  }

  /** The process dies. A transaction that was under way is on disk, or is not; nobody is told. */
  die(): void {
    const underWay = this.#underWay;
    this.#underWay = undefined;
    this.#lives += 1;
    underWay?.cancel();
    if (underWay !== undefined && !this.isFull && this.#chance.is(500)) this.#disk.write(underWay.changes);
    this.#disk.drop();
  }
}

function failure(code: 'full' | 'unavailable'): StoreError {
  return new StoreError(code, `the simulated disk is ${code}`, { hint: 'wait', retryable: true });
}
