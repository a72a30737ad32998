/**
 * Finished results until the pile acknowledges them: sent at once, sent again after each reconnection, and written to disk
 * only where the acknowledgement does not come within a moment. That a lease is over says nothing of its result, which may be what
 * ended it: whether that counts, its own answer says.
 *
 * Writing first would buy nothing: a result that is lost with this process before it was written is a lost attempt, whose
 * lease ends and whose task runs again. What the disk serves is the long wait, for a pile that is away.
 */
import type { LeaseId, Refused, Result, ResultAck } from '@plugpool/proto';
import { leaseKeyOf, type LeaseKey } from './core/lease-clock.ts';
import type { BlobShelf } from './blob-shelf.ts';
import type { OutputFiles } from './adapters/output-files.ts';
import type { Conversation } from './conversation.ts';
import type { Clock, Log, Outbox } from './ports.ts';

/** Unacknowledged for so long, a result is written to disk. */
export const KEEP_AFTER_MS = 100;
/** After the pile could not take a result, or the disk could not. */
export const RETRY_AFTER_MS = 2_000;
/** Acknowledged results whose rows still stand on disk are deleted together, this often. */
export const FORGET_EVERY_MS = 1_000;
/** What a vehicle computed at another pile is kept for it for so long: its lease is long void then. */
export const ELSEWHERE_MS_MAX = 3_600_000;

interface Unacked {
  readonly result: Result;
  readonly addedMonoMs: number;
  /** Whose lease it was; undefined of what an earlier life kept. */
  readonly stationId: string | undefined;
  correlationId: number;
  isKept: boolean;
  resendAtMonoMs: number | undefined;
}

export interface AnsweredResults {
  /** Taken, good or bad. */
  readonly accepted: number;
  /** Too late, or of a lease that was taken back: they earn nothing. */
  readonly refused: number;
}

export interface UnackedResultsOptions {
  readonly outbox: Outbox;
  readonly outputs: OutputFiles;
  readonly shelf: BlobShelf;
  readonly conversation: Conversation;
  readonly clock: Clock;
  readonly log: Log;
}

export class UnackedResults {
  readonly #options: UnackedResultsOptions;
  /** In the order in which they finished. */
  readonly #unacked = new Map<LeaseKey, Unacked>();
  #acknowledgedOnDisk: Result[] = [];
  #keepAgainMonoMs = 0;
  /** Of the pile that listened last: a run that ends while it is away was its. */
  #stationId: string | undefined;
  #cancelSweep: (() => void) | undefined;
  #accepted = 0;
  #refused = 0;

  constructor(options: UnackedResultsOptions) {
    this.#options = options;
  }

  /** What an earlier life of this donor kept. */
  async load(results: readonly Result[]): Promise<void> {
    for (const result of results) {
      const blob = blobOf(result);
      if (blob !== undefined) {
        const shelved = await this.#options.outputs.shelve(blob);
        if (shelved === undefined) {
          this.#acknowledgedOnDisk.push(result);
          continue;
        }
        this.#options.shelf.put(blob.digest, shelved);
      }
      const addedMonoMs = this.#options.clock.monoMs();
      this.#unacked.set(leaseKeyOf(result.lease), {
        result,
        addedMonoMs,
        stationId: undefined,
        correlationId: 0,
        isKept: true,
        resendAtMonoMs: undefined,
      });
    }
    if (this.#acknowledgedOnDisk.length > 0) this.#planSweep(FORGET_EVERY_MS);
  }

  get size(): number {
    return this.#unacked.size;
  }

  /** Of the pile that listens; before its welcome of all. */
  leases(): readonly LeaseId[] {
    const those = [...this.#unacked.values()].filter((unacked) => this.#isForWhoListens(unacked));
    return those.map(({ result }) => result.lease);
  }

  /** What a vehicle computed at one pile, another knows nothing of: its word that the lease is void is not that one's. */
  #isForWhoListens({ stationId }: Unacked): boolean {
    const { welcome } = this.#options.conversation;
    return welcome === undefined || stationId === undefined || stationId === welcome.stationId;
  }

  /** Its large output, if it has one, is on the shelf already. */
  add(result: Result): void {
    const unacked: Unacked = {
      result,
      addedMonoMs: this.#options.clock.monoMs(),
      stationId: this.#stationId,
      correlationId: 0,
      isKept: false,
      resendAtMonoMs: undefined,
    };
    this.#unacked.set(leaseKeyOf(result.lease), unacked);
    this.#send(unacked);
    this.#planSweep(KEEP_AFTER_MS);
  }

  /** True where the lease's result is here; it is then sent again. */
  sendAgain(lease: LeaseId): boolean {
    const unacked = this.#unacked.get(leaseKeyOf(lease));
    if (unacked === undefined) return false;
    this.#send(unacked);
    return true;
  }

  /** After each welcome. */
  sendAllAgain(): void {
    this.#stationId = this.#options.conversation.welcome?.stationId;
    const nowMonoMs = this.#options.clock.monoMs();
    for (const unacked of [...this.#unacked.values()]) {
      if (this.#isForWhoListens(unacked)) {
        this.#send(unacked);
        continue;
      }
      // The pile that could not take it yet is told again when it is back, and no other in its place.
      unacked.resendAtMonoMs = undefined;
      if (nowMonoMs - unacked.addedMonoMs > ELSEWHERE_MS_MAX) this.#drop(unacked);
    }
  }

  /** Since the start. */
  get answered(): AnsweredResults {
    return { accepted: this.#accepted, refused: this.#refused };
  }

  /** The pile's word on it, the same however often it is asked: either way nobody needs the result any more. */
  acknowledged({ lease, accepted, reason }: ResultAck): void {
    const unacked = this.#unacked.get(leaseKeyOf(lease));
    if (unacked === undefined || !this.#isForWhoListens(unacked)) return;
    if (accepted) this.#accepted += 1;
    else this.#refuse(lease, reason);
    this.#drop(unacked);
  }

  #refuse(lease: LeaseId, reason: string): void {
    this.#refused += 1;
    this.#options.log.info({ lease, reason }, 'a result does not count');
  }

  #drop(unacked: Unacked): void {
    this.#unacked.delete(leaseKeyOf(unacked.result.lease));
    if (unacked.isKept) {
      this.#acknowledgedOnDisk.push(unacked.result);
      this.#planSweep(FORGET_EVERY_MS);
    }
    const blob = blobOf(unacked.result);
    if (blob !== undefined && this.#options.shelf.remove(blob.digest)) {
      this.#options.outputs.remove(blob.digest).catch((error: unknown) => {
        this.#options.log.warn(
          { err: error, digest: blob.digest },
          'an output file that is no longer needed stays',
        );
      });
    }
  }

  /** True where the refusal was meant for a result. */
  refused(correlationId: number, { retryable, reasons }: Pick<Refused, 'retryable' | 'reasons'>): boolean {
    if (correlationId === 0) return false;
    const unacked = [...this.#unacked.values()].find(
      (candidate) => candidate.correlationId === correlationId,
    );
    if (unacked === undefined) return false;
    if (retryable) {
      unacked.resendAtMonoMs = this.#options.clock.monoMs() + RETRY_AFTER_MS;
      this.#planSweep(RETRY_AFTER_MS);
    } else if (this.#isForWhoListens(unacked)) {
      this.#refuse(unacked.result.lease, reasons.map(({ code }) => code).join(' '));
      this.#drop(unacked);
    }
    return true;
  }

  /** At the loss of a connection and at the end: whatever is here must survive this process. */
  keepAll(): void {
    this.#keep([...this.#unacked.values()].filter(({ isKept }) => !isKept));
    this.#forgetAcknowledged();
  }

  stop(): void {
    this.#cancelSweep?.();
    this.#cancelSweep = undefined;
    this.keepAll();
  }

  #send(unacked: Unacked): void {
    unacked.correlationId = this.#options.conversation.nextCorrelationId();
    unacked.resendAtMonoMs = undefined;
    this.#options.conversation.post(unacked.result, unacked.correlationId);
  }

  #planSweep(delayMs: number): void {
    this.#cancelSweep ??= this.#options.clock.setTimer(delayMs, () => this.#sweep());
  }

  /** One timer for all: nothing is armed for a single result. */
  #sweep(): void {
    this.#cancelSweep = undefined;
    const nowMonoMs = this.#options.clock.monoMs();
    const due: Unacked[] = [];
    let areWaiting = false;
    for (const unacked of this.#unacked.values()) {
      if (unacked.resendAtMonoMs !== undefined && unacked.resendAtMonoMs <= nowMonoMs) this.#send(unacked);
      if (unacked.resendAtMonoMs !== undefined) areWaiting = true;
      if (unacked.isKept) continue;
      areWaiting = true;
      if (nowMonoMs - unacked.addedMonoMs >= KEEP_AFTER_MS) due.push(unacked);
    }
    if (nowMonoMs >= this.#keepAgainMonoMs) this.#keep(due);
    this.#forgetAcknowledged();
    if (areWaiting) this.#planSweep(KEEP_AFTER_MS);
  }

  #keep(due: readonly Unacked[]): void {
    if (due.length === 0) return;
    try {
      this.#options.outbox.keep(due.map(({ result }) => result));
      for (const unacked of due) unacked.isKept = true;
    } catch (error) {
      this.#keepAgainMonoMs = this.#options.clock.monoMs() + RETRY_AFTER_MS;
      this.#options.log.error(
        { err: error, results: due.length },
        'results could not be written to the outbox and would not survive a restart; free some disk space',
      );
    }
  }

  #forgetAcknowledged(): void {
    if (this.#acknowledgedOnDisk.length === 0) return;
    const acknowledged = this.#acknowledgedOnDisk;
    this.#acknowledgedOnDisk = [];
    try {
      this.#options.outbox.forget(acknowledged);
    } catch (error) {
      // They come back after a restart, are sent again and answered as before: nothing is lost.
      this.#options.log.warn(
        { err: error, results: acknowledged.length },
        'acknowledged results stay in the outbox',
      );
    }
  }
}

function blobOf(result: Result) {
  return result.outcome.ok && result.outcome.output.where === 'blob' ? result.outcome.output.blob : undefined;
}
