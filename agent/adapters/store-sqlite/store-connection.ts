/** One open connection with every statement prepared: the synchronous half of the store, on whatever thread it runs. */
import type { TaskId } from '@plugpool/proto';
import type { Database } from 'better-sqlite3';
import { statSync } from 'node:fs';
import type { StoreChange, StoredState, TaskHistory } from '../../core/records.ts';
import { prepareAcknowledgedBytes } from './acknowledged-bytes.ts';
import { prepareAge } from './age-row.ts';
import { prepareAlgorithms } from './algorithms.ts';
import { prepareBindings } from './bindings.ts';
import { prepareCredits } from './credits.ts';
import { prepareInstances } from './instances.ts';
import { prepareLearned } from './learned.ts';
import { prepareLedger } from './ledger.ts';
import type { MachineTime } from './pile-age.ts';
import { packed, type StoreWrite } from './packed-changes.ts';
import { prepareStays } from './stays.ts';
import { prepareTasks } from './tasks.ts';
import { prepareTokens } from './tokens.ts';

export type StoreConnection = ReturnType<typeof connect>;

/** `readTime` for tests: the machine's clocks. */
export function connect(db: Database, readTime?: () => MachineTime) {
  const age = prepareAge(db, readTime);
  const tasks = prepareTasks(db, age);
  const instances = prepareInstances(db);
  const ledger = prepareLedger(db);
  const algorithms = prepareAlgorithms(db);
  const bindings = prepareBindings(db);
  const stays = prepareStays(db);
  const credits = prepareCredits(db, ledger);
  const learned = prepareLearned(db);
  const tokens = prepareTokens(db);
  const acknowledged = prepareAcknowledgedBytes(db);
  const begin = db.prepare('BEGIN IMMEDIATE');
  const commit = db.prepare('COMMIT');
  const rollback = db.prepare('ROLLBACK');
  const selectGeneration = db.prepare<[], number>('SELECT generation FROM meta').pluck();
  const setGeneration = db.prepare('UPDATE meta SET generation = ?');

  const apply = (change: StoreWrite): void => {
    switch (change.change) {
      case 'insertTask':
        return tasks.insertTask(change.row, change.small, change.bytes);
      case 'endTask':
        return tasks.endTask(change.taskId, change.row, change.small, change.bytes, change.outputs);
      case 'taskDelivered':
        return tasks.taskDelivered(change.taskId);
      case 'putInstance':
        return instances.putInstance(change.row);
      case 'insertAttempt':
        return instances.insertAttempt(change.row);
      case 'book':
        return ledger.book(change.booking);
      case 'putAlgorithm':
        return algorithms.putAlgorithm(change.algorithm);
      case 'insertStay':
        return stays.insertStay(change.stay);
      case 'putBinding':
        return bindings.putBinding(change.binding);
      case 'removeBinding':
        return bindings.removeBinding(change.credential);
      case 'putCredit':
        return credits.putCredit(change.credit);
      case 'putCreditSending':
        return credits.putSending(change.creditId, change.sending);
      case 'putLearned':
        return learned.putLearned(change.name, change.value);
      case 'removeAlgorithm':
        return algorithms.removeAlgorithm(change.id, change.version);
      case 'takeGeneration':
        setGeneration.run(change.generation);
        return;
      case 'forgetTasks':
        return tasks.forgetTasks(change.taskIds);
      default:
        change satisfies never;
        throw new TypeError(`unknown change ${JSON.stringify(change)}`);
    }
  };

  /** All or nothing; returns the milliseconds that the disk took to keep it. SQLite ends the transaction by itself on some failures (a full disk), and leaves it open on others. */
  const inTransaction = (write: () => void): number => {
    begin.run();
    try {
      write();
      const writtenMs = performance.now();
      commit.run();
      return performance.now() - writtenMs;
    } catch (error) {
      if (db.inTransaction) rollback.run();
      throw error;
    } finally {
      ledger.forget();
    }
  };

  const history = (taskId: TaskId): TaskHistory | undefined => {
    const stored = tasks.readTask(taskId);
    return (
      stored && {
        task: stored.task,
        ...(stored.end && { end: stored.end }),
        delivered: stored.delivered,
        instances: instances.instancesOf(taskId, stored.end),
        attempts: instances.attemptsOf(taskId),
        bookings: ledger.bookingsOf(taskId),
      }
    );
  };

  const load = (generation: number): StoredState => ({
    generation,
    algorithms: algorithms.algorithms(),
    openTasks: tasks.openTasks().map(({ task, end, acceptedAgoMs, endedAgoMs }) => ({
      task,
      instances: instances.instancesOf(task.taskId, end),
      ...(end && { end }),
      ...(acceptedAgoMs !== undefined && { acceptedAgoMs }),
      ...(endedAgoMs !== undefined && { endedAgoMs }),
    })),
    stays: stays.stays(),
    bindings: bindings.bindings(),
    credits: credits.openCredits(),
    learned: learned.learned(),
    closedTasks: tasks.closedTasks(),
  });

  return {
    load,
    generation: (): number => selectGeneration.get() ?? 0,
    setGeneration: (generation: number): void => {
      inTransaction(() => {
        setGeneration.run(generation);
        age.write();
      });
    },
    commit: (changes: readonly (StoreChange | StoreWrite)[]): number =>
      inTransaction(() => {
        for (const change of changes) apply(packed(change));
        ledger.writeBalances();
        age.writeSometimes();
      }),
    histories: (taskIds: readonly TaskId[]): TaskHistory[] =>
      taskIds.map(history).filter((found) => found !== undefined),
    attempt: instances.attempt,
    tasks,
    ledger,
    credits,
    tokens,
    /** A slice of acknowledged payloads, where the file has less than that free. */
    freeAcknowledged: (freeBytes: number): { payloads: number; freeBytes: number } => {
      let payloads = 0;
      if (acknowledged.freeBytes() < freeBytes)
        inTransaction(() => {
          payloads = acknowledged.letGoSlice();
        });
      return { payloads, freeBytes: acknowledged.freeBytes() };
    },
    checkpoint: (): { busy: boolean; walBytes: number } => checkpoint(db),
    close: (): void => {
      db.close();
    },
  };
}

/** Waits for nobody: a reader that is in the way would hold up the commits behind this. */
function checkpoint(db: Database): { busy: boolean; walBytes: number } {
  const waitMs = db.pragma('busy_timeout', { simple: true }) as number;
  db.pragma('busy_timeout = 0');
  try {
    const [row] = db.pragma('wal_checkpoint(TRUNCATE)') as { busy: number }[];
    const wal = statSync(`${db.name}-wal`, { throwIfNoEntry: false });
    return { busy: row?.busy !== 0, walBytes: wal?.size ?? 0 };
  } finally {
    db.pragma(`busy_timeout = ${waitMs}`);
  }
}
