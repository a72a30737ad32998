/**
 * The points at which a process under test can be killed, and the killing itself. The code that is tested knows nothing of them:
 * they are put around the ports of the program that a test starts (for the agent by wrap-ports.ts).
 */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';

/** Of the agent, between receiving, committing and publishing: what has happened when the process is gone. */
export const AGENT_POINTS = {
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

/** Of the agent, where a run that goes on keeps its state. */
export const CHECKPOINT_POINTS = {
  'checkpoint heard': 'the broker has read that a run kept its state, nobody has looked at it',
  'checkpoint decided':
    'a step accepted the checkpoint and credited its donor; its commit was not handed over',
  'checkpoint written': 'its rows are written, the transaction is open',
  'checkpoint synced': 'its transaction is synced, the store has not answered',
  'checkpoint answered': 'the store has answered, nothing was published',
} as const;

/** Of the agent, where a stay has its record and the back office gets it. */
export const CREDIT_POINTS = {
  'credit decided': 'a step made the record of a stay; its commit was not handed over',
  'credit written': 'its row is written, the transaction is open',
  'credit synced': 'its transaction is synced, the store has not answered',
  'credit answered': 'the record is on disk, the back office was not told',
  'credit taken': 'the back office has the record, the agent has not heard so',
  'receipt decided': 'a step knows that the record was taken; its commit was not handed over',
  'receipt written': 'that it was taken is written, the transaction is open',
  'receipt synced': 'that it was taken is synced, the store has not answered',
} as const;

/** Of a vehicle that lends. */
export const DONOR_POINTS = {
  'offer heard': 'an offer has arrived, nothing was started',
  'run begun': 'its program runs',
  'result computed': 'the program has ended, nobody was told',
  'result sent': 'the result was handed to the connection',
  'result kept': 'a result that was not acknowledged is in the outbox',
  'result acknowledged': 'the pile’s word that a result counts has arrived, nothing was made of it',
  'result forgotten': 'acknowledged results are out of the outbox',
} as const;

/** Of a vehicle that asks, and of its application. */
export const REQUESTER_POINTS = {
  'request noted': 'the application has written down what it will ask for',
  'request sent': 'the request was handed to the connection',
  'acceptance heard': 'the pile’s acceptance has arrived, the application does not know',
  'result handed over': 'the application has the result, and has not stored it',
  'result stored': 'the application has stored the result, the pile was not told',
  'result said safe': 'the acknowledgement was handed to the connection',
} as const;

export type AgentPoint = keyof typeof AGENT_POINTS;
export type CheckpointPoint = keyof typeof CHECKPOINT_POINTS;
export type CreditPoint = keyof typeof CREDIT_POINTS;
export type DonorPoint = keyof typeof DONOR_POINTS;
export type RequesterPoint = keyof typeof REQUESTER_POINTS;
export type CrashPoint = AgentPoint | CheckpointPoint | CreditPoint | DonorPoint | RequesterPoint;

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

/** Where this process is to be killed; undefined where nowhere. */
export function armedPoint(): CrashPoint | undefined {
  const text = read('armed');
  return text === undefined ? undefined : (JSON.parse(text) as Armed).point;
}

/** Counts a passage. True: the caller must `crash` as soon as what belongs before the point has left. */
export function isDue(point: CrashPoint): boolean {
  const text = read('armed');
  if (text === undefined) return false;
  appendFileSync(`${dir}/passed`, `${point}\n`);
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
