/**
 * The points between receiving, committing and publishing at which an agent under test can be killed, and the killing itself.
 * The agent's own code knows nothing of them: wrap-ports.ts puts them around the ports of the program that a test starts.
 */
import { readFileSync, writeFileSync } from 'node:fs';

/** A closed list: what has happened on disk and on the wire when the process is gone. */
export const CRASH_POINTS = {
  'store opened': 'the generation is counted up, nobody is listened to yet',
  'about to listen': 'state loaded, firmware asked, port closed',
  'token bound': 'a first token is on disk, its vehicle not yet connected',
  'request heard': 'the broker has read and acknowledged a request that nobody has looked at',
  'chunk written': 'a part of an upload is in its file',
  'upload verified': 'all bytes of an upload are on disk, nobody who waits for them was told',
  'acceptance decided': 'a step accepted and granted; its commit was not handed over',
  'acceptance written': 'its rows are written, the transaction is open',
  'acceptance synced': 'its transaction is synced, the store has not answered',
  'acceptance answered': 'the store has answered, nothing was published',
  'result heard': 'the broker has read and acknowledged a result that nobody has looked at',
  'booking decided': 'a step accepted a result and booked it; its commit was not handed over',
  'booking written': 'its rows are written, the transaction is open',
  'booking synced': 'its transaction is synced, the store has not answered',
  'booking answered': 'the store has answered, nothing was published',
  'nothing sent': 'a batch is committed, its first message is about to go',
  'one sent': 'the first client of a batch has its message, the others have not',
  'all sent': 'the last message of a batch was handed to its connection',
  'acknowledgement heard': 'the broker has read a requester’s word that its result is safe',
  'delivery written': 'what is no longer owed is written, the transaction is open',
  'delivery synced': 'what is no longer owed is synced',
  'log folded in': 'a checkpoint has emptied the write-ahead log',
  'about to close': 'told to stop: connections are closed, the store is not',
} as const;

export type CrashPoint = keyof typeof CRASH_POINTS;

/** Written by the test beside the data directory; read at each passage, by every thread. */
export interface Armed {
  readonly point: CrashPoint;
  /** 1: the first time that it is passed. */
  readonly passage: number;
}

/** Says where the two files lie. */
export const CRASH_DIR_VARIABLE = 'CRASH_TEST_DIR';

const dir = process.env[CRASH_DIR_VARIABLE] ?? '';
let passages = 0;
let counted = '';

/** The process ends here where this is the passage that was asked for. */
export function pass(point: CrashPoint): void {
  if (isDue(point)) crash(point);
}

/** Counts a passage. True: the caller must `crash` as soon as what belongs before the point has left. */
export function isDue(point: CrashPoint): boolean {
  const text = read('armed');
  if (text === undefined) return false;
  const armed = JSON.parse(text) as Armed;
  if (armed.point !== point) return false;
  if (counted !== text) [counted, passages] = [text, 0];
  passages += 1;
  return passages === armed.passage;
}

/** As a power cut: no handler runs, nothing is flushed. Whatever thread says it, the whole process is gone. */
export function crash(point: CrashPoint): void {
  writeFileSync(`${dir}/crashed`, point);
  process.kill(process.pid, 'SIGKILL');
}

function read(name: string): string | undefined {
  try {
    return readFileSync(`${dir}/${name}`, 'utf8');
  } catch {
    return undefined;
  }
}
