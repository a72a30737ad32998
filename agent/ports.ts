/** What the core's surroundings must offer, types only. Each is implemented by one file or folder under `adapters/`. */
import type {
  BlobRef,
  ClientId,
  ClientName,
  Digest,
  LeaseId,
  TaskId,
  TopicKind,
  VehicleId,
} from '@plugpool/proto';
import type { SharedTable } from './core/clients/share.ts';
import type { Standing } from './core/clients/standing.ts';
import type {
  Account,
  AttemptRecord,
  BalanceRecord,
  BookingRecord,
  ClosedTaskRecord,
  CreditId,
  CreditRecord,
  CreditSending,
  ListedTask,
  LedgerSummary,
  StoreChange,
  StoredState,
  TaskHistory,
} from './core/records.ts';

export interface CommitCost {
  /** What the disk took to keep it, however much it was; 0 where that is not known. */
  readonly syncMs: number;
}

/** Disk. The only authority: what is not in it did not happen. */
export interface Store {
  /**
   * Opens or creates the store, checks it (`quick_check`), migrates it, counts the generation up and loads.
   * Rejects with a `StoreError`: `held` (another agent has the directory), `damaged` (set aside whole, path in the hint),
   * `newer` (written by a newer version), `unavailable`.
   */
  open(): Promise<StoredState>;
  /** The same load again, after a failed commit. The generation stays, unless a new thread had to be started. */
  reload(): Promise<StoredState>;
  /**
   * Writes all changes in one transaction and resolves when it is synced to disk, with what that cost. On rejection nothing of it was written.
   * Calls are never concurrent. Rejects with a `StoreError`: `full` or `unavailable`.
   */
  commit(changes: readonly StoreChange[]): Promise<CommitCost>;
  readTask(taskId: TaskId): Promise<TaskHistory | undefined>;
  /** The attempt that ended under that lease, whoever ran it. */
  readAttempt(taskId: TaskId, lease: LeaseId): Promise<AttemptRecord | undefined>;
  /** Newest first; one reading of small columns, however much each task had to do with. */
  listTasks(limit: number): Promise<readonly ListedTask[]>;
  /** Newest first, with everything that is known of each. */
  recentTasks(limit: number): Promise<readonly TaskHistory[]>;
  /** Closed tasks of one vehicle, newest first. */
  closedTasksOf(vehicleId: VehicleId, limit: number): Promise<readonly ClosedTaskRecord[]>;
  ledger(): Promise<LedgerSummary>;
  balancesOf(account: Account): Promise<readonly BalanceRecord[]>;
  ledgerHead(): Promise<LedgerHead>;
  /** Walks the whole chain in slices; with an exported head, against that too. What is booked meanwhile is not looked at. */
  verifyLedger(known?: Pick<LedgerHead, 'bookings' | 'hash'>): Promise<LedgerVerdict>;
  /** Some of the bookings after that one, in their order, that were made from `fromWallMs` on and before `toWallMs`. */
  bookingsAfter(after: number, fromWallMs: number, toWallMs: number): Promise<BookingPage>;
  /** A record that was made. */
  credit(creditId: CreditId): Promise<MadeCredit | undefined>;
  /** Some of the records with a higher id that were made, of stays that ended from `fromWallMs` on and before `toWallMs`; by id. */
  creditsAfter(after: number, fromWallMs: number, toWallMs: number): Promise<CreditPage>;
  /** Digests that some task or algorithm still needs. */
  referencedBlobs(): Promise<ReadonlySet<Digest>>;
  /** Of these, without what may be forgotten where there is no room: outputs that were acknowledged, inputs that are never run again. */
  owedBlobs(): Promise<ReadonlySet<Digest>>;
  /**
   * Where the file has less than `freeBytes` free for the next commits, some inline payloads of tasks that were acknowledged become
   * their digests, of those first that were accepted first. Returns how many, 0 where no more can, and what is free now.
   */
  freeAcknowledged(freeBytes: number): Promise<{ readonly payloads: number; readonly freeBytes: number }>;
  tokenHash(vehicleId: VehicleId): Promise<string | undefined>;
  /** Binds the first token of a vehicle; false where one is bound already. */
  bindToken(vehicleId: VehicleId, hash: string): Promise<boolean>;
  unbindToken(vehicleId: VehicleId): Promise<boolean>;
  /** Checkpoints the WAL; its busy result is returned. */
  checkpoint(): Promise<{ readonly busy: boolean; readonly walBytes: number }>;
  /** Looks at every page and every reference, beside the commits; what it finds is then the last check. */
  checkWhole(signal: AbortSignal): Promise<void>;
  lastCheck(): Promise<CheckRecord | undefined>;
  /**
   * Copies the store as it is now to a file that does not exist yet, beside the commits. Rejects with a `BackupError` where the
   * target cannot be.
   */
  backUp(file: string, signal: AbortSignal, report: (progress: CopyProgress) => void): Promise<BackupFile>;
  close(): Promise<void>;
}

/** The newest booking: how many there are, and its hash in hexadecimal. */
export interface LedgerHead {
  readonly bookings: number;
  readonly hash: string;
  /** When it was booked; 0 where there is none. */
  readonly wallMs: number;
}

export interface LedgerFinding {
  readonly code:
    | 'altered'
    | 'missing'
    | 'unreadable'
    | 'unbalanced'
    | 'other_balance'
    // Against an exported head.
    | 'cut'
    | 'other_chain'
    | 'head_forged'
    | 'other_key';
  /** The row that it was found at; null: it is of no single one. */
  readonly booking: number | null;
  readonly detail: string;
}

/** Empty findings: the chain holds, every booking balances, and the balances are what the bookings come to. */
export interface LedgerVerdict {
  readonly bookings: number;
  readonly hash: string;
  readonly findings: readonly LedgerFinding[];
}

export interface BookingPage {
  readonly bookings: readonly (BookingRecord & { readonly key: number; readonly hash: string })[];
  /** Where the next page begins; absent: this was the last. */
  readonly next?: number;
}

/** A credit record with what only the store knows of it. */
export interface MadeCredit extends CreditRecord {
  readonly ended: NonNullable<CreditRecord['ended']>;
  readonly madeWallMs: number;
  /** All its bookings lie from `first` to `last`; `bookings` and `hash` are the head of the ledger when it was made. */
  readonly ledger: {
    readonly first: number;
    readonly last: number;
    readonly bookings: number;
    readonly hash: string;
  };
  readonly sending: CreditSending;
}

export interface CreditPage {
  readonly credits: readonly MadeCredit[];
  /** Where the next page begins; absent: this was the last. */
  readonly next?: number;
}

/** What the last whole check of the store found. */
export type CheckRecord =
  | { readonly state: 'ok'; readonly wallMs: number; readonly tookMs: number }
  | {
      readonly state: 'failed';
      readonly wallMs: number;
      readonly tookMs: number;
      readonly findings: readonly string[];
    }
  /** Damage was met while the store was used. */
  | { readonly state: 'suspect'; readonly wallMs: number; readonly findings: readonly string[] };

export interface BackupFile {
  readonly file: string;
  readonly sizeBytes: number;
}

export interface CopyProgress {
  readonly pagesDone: number;
  readonly pagesTotal: number;
}

export type StoreErrorCode = 'held' | 'damaged' | 'newer' | 'full' | 'unavailable';

/** Files by their digest, in the data directory. */
export interface BlobStore {
  start(): Promise<void>;
  has(digest: Digest): boolean;
  /** Bytes of a held blob; `end` exclusive, clipped to the size. */
  read(digest: Digest, start: number, end: number): Promise<Uint8Array>;
  sizeOf(digest: Digest): number | undefined;
  /** Hashes, syncs and keeps the bytes. */
  put(bytes: Uint8Array): Promise<BlobRef>;
  /**
   * Begins or resumes an upload. At most one an upload of a digest; a second caller of the same holder gets the same, one of another
   * holder takes its place: it must have shown that it has the bytes. They count as `holder`'s from this call on. `spareBytes`: so
   * many of those that are held may go while its bytes come, which the caller sees to.
   */
  upload(blob: BlobRef, holder?: VehicleId, spareBytes?: number): Promise<BlobUpload>;
  /** For whom they are held, as far as it is known since the last start. */
  holderOf(digest: Digest): VehicleId | undefined;
  /** From now on held bytes count as that vehicle's. */
  assign(digest: Digest, holder: VehicleId): void;
  /** Bytes: what vehicles may have together, what they have, and what that one has. */
  tableOf(holder: VehicleId): SharedTable;
  /** What may be held and is, uploads with the size that they are to have; and of the disk, as it was last looked at. */
  usage(): BlobUsage;
  /** Looks how full the disk is: blobs may take no more of it than leaves what is kept free. Rejects with a `StoreError`. */
  lookAtDisk(): Promise<void>;
  /** What is not in `keep` and was not touched for `olderThanMs`, partial uploads too; least recently touched first. */
  spare(keep: ReadonlySet<Digest>, olderThanMs: number): Promise<readonly SpareBlob[]>;
  /** Removes it, unless it was touched since it was listed. Returns bytes freed. */
  letGo(spare: SpareBlob): Promise<number>;
  /** Lets go of all that is spare. Returns bytes freed. */
  sweep(keep: ReadonlySet<Digest>, olderThanMs: number): Promise<number>;
  stop(): Promise<void>;
}

export interface BlobUsage {
  readonly maxBytes: number;
  readonly usedBytes: number;
  /** Of uploads only what has come. */
  readonly writtenBytes: number;
  /** Absent where it is not looked at. */
  readonly disk?: { readonly freeBytes: number; readonly keepBytes: number };
}

/** A blob, or an upload that came to a halt, that may go. */
export interface SpareBlob {
  readonly digest: Digest;
  /** Undefined: nobody knows since the last start. */
  readonly holder: VehicleId | undefined;
  /** On the disk. */
  readonly sizeBytes: number;
  /** In the table that vehicles share; where nobody knows for whom, of what that table is short by. */
  readonly countedBytes: number;
  readonly touchedWallMs: number;
}

export interface BlobUpload {
  /** First byte that is missing: chunks are written in order. */
  readonly nextOffset: number;
  write(offset: number, data: Uint8Array): Promise<void>;
  /** Verifies the digest, syncs and publishes the file; rejects and removes the bytes when they hash to something else. */
  finish(): Promise<void>;
  abandon(): Promise<void>;
}

export interface BrokerHandlers {
  /** Before CONNACK. */
  authenticate(name: ClientName, token: string | undefined): Promise<'accepted' | 'refused' | 'unavailable'>;
  /** How well the pile knows a vehicle: what is kept for it when there are many connections. */
  standing(vehicleId: VehicleId): Standing;
  /** After the client subscribed to its `down/+`: from now on it can be sent to. */
  connected(name: ClientName): void;
  disconnected(name: ClientName): void;
  /**
   * One publish, topic already checked. `payload` is the handler's to keep. While a returned promise is pending the broker
   * reads nothing more from this client.
   */
  message(name: ClientName, kind: TopicKind, payload: Uint8Array): Promise<void> | undefined;
}

export interface Broker {
  /** Listens; resolves with the port in use. */
  start(handlers: BrokerHandlers): Promise<{ readonly host: string; readonly port: number }>;
  /** QoS 1 to a connected client. False: it is not connected (what is owed to it is derived again when it says hello). */
  send(clientId: ClientId, kind: TopicKind, payload: Uint8Array): boolean;
  disconnect(clientId: ClientId): void;
  /** Stops listening, closes every connection. */
  stop(): Promise<void>;
}

/** A source of time. `monoMs` is milliseconds of a clock that never jumps. */
export interface Clock {
  now(): { readonly monoMs: number; readonly wallMs: number };
  /** Calls back once; the returned function cancels. */
  setTimer(delayMs: number, callback: () => void): () => void;
}
