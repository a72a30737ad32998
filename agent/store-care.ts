/** Keeps the store well beside its work: folds its log in, checks it whole, copies it, and tells the operator how it is. */
import type { Logger } from 'pino';
import { BackupError } from './backup-error.ts';
import type { BackupFile, CheckRecord, Clock, CopyProgress, Store } from './ports.ts';

export interface StoreCareParts {
  readonly store: Pick<Store, 'checkpoint' | 'checkWhole' | 'lastCheck' | 'backUp'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly foldEveryMs: number;
}

export interface StoreView {
  readonly log: {
    /** After it was last folded in, or could not be; null before. */
    readonly bytes: number | null;
    /** Times that a reader was in the way: of late without a success, and since the start. */
    readonly busyInARow: number;
    readonly busyTotal: number;
    readonly foldedWallMs: number | null;
  };
  readonly check: {
    readonly state: 'never' | CheckRecord['state'];
    readonly wallMs: number | null;
    readonly findings: readonly string[];
    /** What to do about them. */
    readonly hint: string | null;
    readonly running: boolean;
  };
  readonly backup: {
    readonly running: ({ readonly file: string } & CopyProgress) | null;
    readonly last: (BackupFile & { readonly wallMs: number }) | null;
  };
}

/** A reader that is in the way is gone soon, mostly. */
const FOLD_AGAIN_MS = 5_000;
/** As often in a row it is worth a line, and then each time that it is twice as often. */
const BUSY_TOLD = 3;
/** A pile that is off at night is checked in the day, when its start is through. */
const CHECK_AFTER_START_MS = 10 * 60_000;
const CHECK_AGE_MS_MAX = 26 * 3_600_000;

const HINT_DAMAGED =
  'stop the agent; it checks the file when it starts again and sets it aside whole; then "plugpool restore FILE" with a backup';

export class StoreCare {
  readonly #parts: StoreCareParts;
  readonly #stopping = new AbortController();
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #cancels = new Map<'fold' | 'check', () => void>();
  #log: StoreView['log'] = { bytes: null, busyInARow: 0, busyTotal: 0, foldedWallMs: null };
  #check: CheckRecord | undefined;
  #checking: Promise<void> | undefined;
  #backup: StoreView['backup'] = { running: null, last: null };

  constructor(parts: StoreCareParts) {
    this.#parts = parts;
  }

  /** When the store is open. */
  async start(): Promise<void> {
    const { store, clock, foldEveryMs } = this.#parts;
    this.#check = await store.lastCheck();
    if (this.#check !== undefined && this.#check.state !== 'ok') this.#sayDamaged(this.#check.findings);
    this.#in('fold', foldEveryMs, () => this.fold());
    const ageMs = clock.now().wallMs - (this.#check?.wallMs ?? 0);
    if (ageMs > CHECK_AGE_MS_MAX) this.#in('check', CHECK_AFTER_START_MS, () => this.check());
  }

  /** What reads the store is ended first: it could not be closed before. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const cancel of this.#cancels.values()) cancel();
    await Promise.allSettled(this.#underWay);
  }

  view(): StoreView {
    const { state, wallMs } = this.#check ?? { state: 'never' as const, wallMs: null };
    const findings = this.#check === undefined || this.#check.state === 'ok' ? [] : this.#check.findings;
    const hint = findings.length > 0 ? HINT_DAMAGED : null;
    const check = { state, wallMs, findings, hint, running: this.#checking !== undefined };
    return { log: this.#log, check, backup: this.#backup };
  }

  /** Empties the log where no reader is in the way, and looks again soon where one is. */
  async fold(): Promise<void> {
    const { store, clock, foldEveryMs } = this.#parts;
    let nextMs = foldEveryMs;
    try {
      const { busy, walBytes: bytes } = await store.checkpoint();
      if (busy) {
        this.#log = {
          ...this.#log,
          bytes,
          busyInARow: this.#log.busyInARow + 1,
          busyTotal: this.#log.busyTotal + 1,
        };
        this.#sayBusy();
        nextMs = Math.min(FOLD_AGAIN_MS, foldEveryMs);
      } else this.#log = { ...this.#log, bytes, busyInARow: 0, foldedWallMs: clock.now().wallMs };
    } catch (error) {
      // The engine hears of it with the next commit, and acts.
      this.#parts.log.warn({ err: error }, 'the log of the store could not be folded in');
    }
    this.#in('fold', nextMs, () => this.fold());
  }

  #sayBusy(): void {
    const { busyInARow, bytes } = this.#log;
    const times = busyInARow / BUSY_TOLD;
    if (!Number.isInteger(Math.log2(times))) return;
    const hint = 'end what reads the store for so long (a sqlite3 shell?): until then its log only grows';
    this.#parts.log.warn({ logBytes: bytes, times: busyInARow, hint }, 'the log of the store is in use');
  }

  /** Every page and every reference; one at a time. */
  check(): Promise<void> {
    this.#checking ??= this.#keep(this.#checkNow()).finally(() => (this.#checking = undefined));
    return this.#checking;
  }

  async #checkNow(): Promise<void> {
    const { store, log } = this.#parts;
    await store.checkWhole(this.#stopping.signal);
    this.#check = await store.lastCheck();
    if (this.#check?.state === 'ok') log.info({ ms: this.#check.tookMs }, 'the store was checked whole');
    else this.#sayDamaged(this.#check?.findings ?? []);
    await this.fold();
  }

  #sayDamaged(findings: readonly string[]): void {
    this.#parts.log.error({ findings, hint: HINT_DAMAGED }, 'the store is damaged');
  }

  /** Rejects with a `BackupError` or a `StoreError`. */
  async backUp(file: string): Promise<BackupFile> {
    if (this.#backup.running !== null)
      throw new BackupError(
        'backup_running',
        `a backup to ${this.#backup.running.file} is under way`,
        'wait for it',
      );
    this.#backup = { ...this.#backup, running: { file, pagesDone: 0, pagesTotal: 0 } };
    try {
      return await this.#keep(this.#backUpNow(file));
    } finally {
      this.#backup = { ...this.#backup, running: null };
    }
  }

  async #backUpNow(file: string): Promise<BackupFile> {
    const { store, clock, log } = this.#parts;
    const made = await store.backUp(file, this.#stopping.signal, (progress) => {
      this.#backup = { ...this.#backup, running: { file, ...progress } };
    });
    this.#backup = { ...this.#backup, last: { ...made, wallMs: clock.now().wallMs } };
    log.info({ ...made }, 'the store was backed up');
    await this.fold();
    return made;
  }

  #in(what: 'fold' | 'check', delayMs: number, work: () => Promise<void>): void {
    this.#cancels.get(what)?.();
    if (this.#stopping.signal.aborted) return;
    const begin = (): void => {
      this.#keep(work()).catch((error: unknown) =>
        this.#parts.log.error({ err: error }, 'the care of the store failed'),
      );
    };
    this.#cancels.set(what, this.#parts.clock.setTimer(delayMs, begin));
  }

  #keep<Result>(work: Promise<Result>): Promise<Result> {
    const kept = work.finally(() => this.#underWay.delete(kept));
    this.#underWay.add(kept);
    return kept;
  }
}
