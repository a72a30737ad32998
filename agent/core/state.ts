/** What an agent knows: one object, owned and changed in place by `step`; types, and how an empty one looks. */
import type {
  Capacity,
  CapacityReport,
  Checkpoint,
  ClientId,
  ClientName,
  ConnectorId,
  Demand,
  Digest,
  Envelope,
  Epoch,
  FencingToken,
  HardwareProfile,
  InstanceId,
  Result,
  RuntimeKind,
  TaskId,
  TaskRequest,
  VehicleId,
} from '@plugpool/proto';
import { noCounts, type Counters } from './counters.ts';
import type { ConnectionNumber } from './events.ts';
import type {
  AlgorithmRecord,
  AttemptOutcome,
  BookedRecord,
  ClaimRecord,
  CheckpointRecord,
  InstanceRecord,
  OwedRecord,
  PartResultRecord,
  TaskEndRecord,
  TaskRecord,
} from './records.ts';
import { noCredits, type Credits } from './credits/open-credit.ts';
import type { Judged } from './constraint/facts.ts';
import { Constraints } from './constraint/constraint.ts';
import type { Bindings } from './binding/bindings.ts';
import { noCodes, type Codes } from './binding/codes.ts';
import { noPresence, type Presence } from './binding/presence.ts';
import type { RememberedStay } from './binding/remembered.ts';
import type { KeptMeter, MeterEnd } from './ledger/metered-energy.ts';
import { Deadlines } from './tasks/deadlines.ts';
import { noOwners, type KnownOwners } from './donors/known-donors.ts';
import { DonorIndex } from './matching/donor-index.ts';
import type { CheckpointBudget } from './leases/checkpoint-budget.ts';
import type { Priority } from './tasks/priority.ts';
import type { Stay } from './dwell/stay.ts';
import { DwellModel } from './dwell/dwell-model.ts';
import { drainsNothing, type Draining } from './donors/draining.ts';
import type { Restless } from './donors/restless.ts';
import { noDeployments, type Deployments } from './pools/deployments.ts';
import type { AlgorithmClass } from './algorithms/feature.ts';
import { KnownRequests } from './tasks/known-requests.ts';
import { keepsNothing, type Keeping } from './matching/keep.ts';
import { emptyPools, type Pools } from './pools/pools.ts';
import type { CapEvidence } from './power/cap-evidence.ts';
import type { Cap } from './power/caps.ts';
import { emptyBudget, type StationBudget } from './power/station-budget.ts';
import { vectorOf } from './pools/vector.ts';
import type { AlgorithmProfile } from './algorithms/profile.ts';
import { Health } from './learned/health.ts';
import { RunTimes } from './learned/run-time.ts';
import { seededRandom, type Random } from './random.ts';
import { Unproven } from './ledger/unproven.ts';
import { TrustBook } from './replicas/trust-book.ts';
import { KnownAnswers, type KnownAnswer } from './checks/known-answers.ts';
import type { Session } from './sessions/session.ts';
import type { Settings } from './settings.ts';
import { Usage } from './waiting/usage.ts';
import type { TimerName } from './timer-name.ts';
import { Timers } from './timers.ts';
import type { Way } from './waiting/need.ts';
import { Asked } from './waiting/asked.ts';
import { WaitingLine, type WaitingGroup } from './waiting/waiting.ts';

export interface Client {
  readonly name: ClientName;
  readonly connection: ConnectionNumber;
  /** Given with the welcome; 0 before it: nothing but a hello is heard. */
  epoch: Epoch;
}

export interface Donor {
  readonly vehicleId: VehicleId;
  /** The `lend` connection, while there is one that said hello. */
  clientId: ClientId | undefined;
  hardware: HardwareProfile | undefined;
  runtimes: readonly RuntimeKind[];
  report: CapacityReport | undefined;
  /** `report.lendable`, never more than the hardware has. */
  lendable: Capacity;
  reportedMonoMs: number;
  /** It took back what leases stood on: until then it lends no more than that, whatever it reports. */
  heldDown: { readonly untilMonoMs: number; readonly to: Capacity } | undefined;
  departureMonoMs: number | undefined;
  /** Its charge would not be through by then if it computed. */
  isBehind: boolean;
  /** Since it was first plugged in. */
  restless: Restless | undefined;
  /** How many requests its owner's constraint may still judge until then. */
  judging: { readonly untilMonoMs: number; left: number } | undefined;
  cachedImages: ReadonlySet<Digest>;
  stay: Stay;
  /** Of requesters' constraints, by their text; until anything about the donor changes. */
  verdicts: Map<string, boolean> | undefined;
  /** Instances that hold a lease here, those being revoked among them. */
  readonly leased: Map<InstanceId, Instance>;
  /** `lendable` less what the leases take. */
  free: Capacity;
}

export interface Lease {
  readonly vehicleId: VehicleId;
  readonly connectorId: ConnectorId;
  readonly algorithm: AlgorithmRecord;
  readonly demand: Demand;
  readonly gpuDeviceId?: string;
  readonly fencingToken: FencingToken;
  readonly grantedWallMs: number;
  readonly grantedMonoMs: number;
  /** Granted → held → revoking. Released and expired leases are no more. */
  phase: 'granted' | 'held' | 'revoking';
  progressPermille: number;
  /** What it is expected to take, in milli-normalised-core-seconds. */
  readonly workMncs: number;
  /** The most that may be charged for it, where its request has a budget. */
  readonly budgetMncs?: number;
  /** Of a run that checkpoints; what had been done before it. */
  readonly checkpointEveryMs?: number;
  readonly beganAtMncs: number;
  /** What its checkpoints may still take; undefined: it sent none yet. */
  checkpointBudget?: CheckpointBudget;
  /** For its checkpoints, the last of them then. */
  booked?: BookedRecord;
  /** What the last of them says beyond that. */
  unbooked?: ClaimRecord | undefined;
  /** Stopped where it is, by its owner: since when, and for how long before that. */
  suspendedSinceMonoMs?: number;
  suspendedMs?: number;
  bookedMonoMs?: number;
  /** As the meter of its connector stood when it was granted. */
  readonly meterMwh?: number;
  /** Of what that saw since, as much is taken by claims of this lease. */
  meteredMwh?: number;
  /** What that leaves it, since its vehicle was unplugged. */
  meterEnd?: MeterEnd;
  /** Of its request when it was granted. */
  readonly priority: Priority;
  /** Whose sub-pool it is counted in: its algorithm's when it was granted. */
  readonly pool: AlgorithmClass;
  /** Its donor's result ends it, and is acknowledged. */
  handedIn?: true;
  /** How the attempt ends when the revocation is through. */
  revocation?: { readonly outcome: AttemptOutcome; readonly reason: string };
  /** The instance that it makes room for. */
  revokedFor?: Instance;
}

/**
 * One parallel part of a task: queued (no lease, in the line), leased (lease granted), running (lease held). It ends with
 * its task.
 */
export interface Instance {
  readonly instanceId: InstanceId;
  readonly task: Task;
  readonly index: number;
  attempts: number;
  departures: number;
  crashes: number;
  lease: Lease | undefined;
  /** With whom it waits, while it does. */
  waitsIn: WaitingGroup | undefined;
  /** Since when it stands in the line; of a leased one, since when it stood. */
  queuedMonoMs: number;
  /** Its deadline, or earlier when it has waited for the bound: then its turn has come. */
  turnMonoMs: number;
  /** Among equals, the one that was accepted first. */
  readonly order: number;
  /** It was pre-empted once, and never is again. */
  preempted: boolean;
  checkpoint: CheckpointRecord | undefined;
  /** Who left it; not known any more after a restart. */
  keptBy?: VehicleId | undefined;
  /** Credited for checkpoints of all its attempts, and charged to nobody yet; empty at first. */
  owed: readonly OwedRecord[];
  /** Of one part of several, whose result was accepted. */
  result: PartResultRecord | undefined;
  /** Donors that it failed on: tried again only where the rest is over. */
  avoided: Map<VehicleId, number> | undefined;
  /** Since it is due: how many grants went to others on donors that could have run it; see dues.ts. */
  passedOver: number;
  /** Why it is not with its last donor any more; empty at first. */
  lastReason: string;
  /** 0: the part itself; each replica of it has the next. */
  readonly replica: number;
  /** Of a part: so many of its results must agree. */
  quorum: number;
  /** Of a part: the program that all its replicas run, once one of them was granted. */
  program: string | undefined;
  /** Its part is decided: it runs no more. */
  settled: boolean;
  /** Where this step means to grant it. */
  plannedOn: VehicleId | undefined;
  /** Its record as this run last wrote it. */
  written: InstanceRecord | undefined;
}

export interface Task {
  /** Without its inline input once it has ended: nobody runs it any more. */
  record: TaskRecord;
  /** The parts, then the replicas of them in the order in which they joined. */
  instances: readonly Instance[];
  /** Results that it needs. */
  readonly parts: number;
  readonly deadlineMonoMs: number;
  /** Who is charged and takes its fair share. */
  readonly payer: string;
  /** Parts that start together did so: from then on each stands for itself. */
  hasStarted: boolean;
  /** Without its inline output, which is on disk alone. */
  end: TaskEndRecord | undefined;
  /** When it ended: what its retention is reckoned from. */
  endedMonoMs: number | undefined;
  /** Of owners' constraints on it, by their text. */
  ownerVerdicts: Map<string, Map<Way, boolean>> | undefined;
  /** Of a question that the pile asks and knows the answer of. */
  check: KnownAnswer | undefined;
  /** Of such a question: what owners' constraints see in place of it. */
  judgedAs: Judged | undefined;
}

/** Messages that wait until the bytes they speak of are on the pile's disk. */
export interface AwaitedBlob {
  readonly digest: Digest;
  readonly untilMonoMs: number;
  readonly waiting: {
    readonly client: ClientName;
    readonly connection: ConnectionNumber;
    readonly envelope: Envelope<TaskRequest | Result | Checkpoint>;
    readonly bodyHash: string;
  }[];
}

export interface State {
  readonly settings: Settings;
  /** Of the numbers that are given now; see numbers.ts. */
  generation: number;
  numbersGiven: number;
  taskCounter: number;
  grantCounter: number;
  stopping: boolean;
  /** Just loaded: nobody was tried against anybody yet. */
  fresh: boolean;
  readonly sessions: Map<ConnectorId, Session>;
  /** The connector where the firmware says that a vehicle is. */
  readonly connectorOf: Map<VehicleId, ConnectorId>;
  /** Who is who, as the operator says. */
  bindings: Bindings;
  /** On the displays of the connectors. */
  codes: Codes;
  presence: Presence;
  /** Who was bound to a stay by what will not be said again. */
  readonly remembered: Map<ConnectorId, RememberedStay>;
  readonly clients: Map<ClientId, Client>;
  readonly donors: Map<VehicleId, Donor>;
  /** Of these vehicles. */
  readonly owners: KnownOwners;
  /** By `id@version`. */
  readonly algorithms: Map<string, AlgorithmRecord>;
  /** By `id@version`; made when they are first looked at. */
  readonly profiles: Map<string, AlgorithmProfile>;
  readonly pools: Pools;
  /** Connectors that are capped, or whose cap is being cleared. */
  readonly caps: Map<ConnectorId, Cap>;
  readonly capEvidence: Map<ConnectorId, CapEvidence>;
  readonly budget: StationBudget;
  readonly credits: Credits;
  readonly deployments: Deployments;
  readonly draining: Draining;
  /** Of connectors whose meter was not read since the start. */
  readonly keptMeters: Map<ConnectorId, KeptMeter>;
  /** Connectors of which the disk does not know yet that nothing more is taken of what their meter saw. */
  readonly metersOver: Set<ConnectorId>;
  /** Names of what was learned and could not be read; said in the first step. */
  readonly damaged: string[];
  readonly tasks: Map<TaskId, Task>;
  readonly openTasksOf: Map<VehicleId, Set<TaskId>>;
  readonly requests: KnownRequests;
  /** Of inline inputs, by who asked. */
  readonly inlineBytesOf: Map<VehicleId, number>;
  inlineBytes: number;
  /** Of tasks that have not ended. */
  readonly asked: Asked;
  readonly waiting: WaitingLine;
  /** The donors that may be granted something now. */
  readonly index: DonorIndex;
  /** Tasks of which all parts wait to start together. */
  readonly gangs: Set<Task>;
  readonly keeping: Keeping;
  readonly constraints: Constraints;
  /** Of instances of the latency priority: how many leases are being taken back for them. */
  readonly roomMadeFor: Map<Instance, number>;
  /** Counts accepted instances. */
  orderCounter: number;
  readonly awaitedBlobs: Map<Digest, AwaitedBlob>;
  readonly timers: Timers<TimerName>;
  readonly deadlines: Deadlines;
  /** What past stays tell of those that go on. */
  dwell: DwellModel;
  readonly counters: Counters;
  runTimes: RunTimes;
  health: Health;
  readonly usage: Usage;
  /** Whose results are believed. */
  trust: TrustBook;
  /** What was credited for checkpoints of which nothing came yet. */
  unproven: Unproven;
  /** Questions whose answers are known. */
  answers: KnownAnswers;
  /** Donors that are about to be asked one, and of which algorithm. */
  readonly checksDue: Map<VehicleId, CheckDue>;
  /** What the seeds of tasks come from; undefined before the first offer. */
  seedKey?: readonly number[];
  /** What is drawn comes from here alone: nobody outside knows the seed. */
  random: Random;
  /** Pairs of results whose bytes the daemon compares, or has compared; each by `pairName`. */
  readonly comparisons: Map<string, 'asked' | 'same' | 'different'>;
}

/** A donor was drawn to be asked a question whose answer is known. */
export interface CheckDue {
  readonly algorithmKey: string;
  readonly triesLeft: number;
  /** The request at whose grant it was drawn. */
  readonly like: Judged;
}

export function emptyState(settings: Settings, generation: number): State {
  const pools = emptyPools();
  return {
    settings,
    generation,
    numbersGiven: 0,
    taskCounter: 0,
    grantCounter: 0,
    stopping: false,
    fresh: true,
    sessions: new Map(),
    connectorOf: new Map(),
    bindings: new Map(),
    codes: noCodes(),
    presence: noPresence(),
    remembered: new Map(),
    clients: new Map(),
    donors: new Map(),
    owners: noOwners(),
    algorithms: new Map(),
    profiles: new Map(),
    pools,
    caps: new Map(),
    capEvidence: new Map(),
    budget: emptyBudget(),
    credits: noCredits(),
    deployments: noDeployments(),
    draining: drainsNothing(),
    keptMeters: new Map(),
    metersOver: new Set(),
    damaged: [],
    tasks: new Map(),
    openTasksOf: new Map(),
    requests: new KnownRequests(),
    inlineBytesOf: new Map(),
    inlineBytes: 0,
    asked: new Asked(),
    waiting: new WaitingLine(),
    index: new DonorIndex(),
    gangs: new Set(),
    keeping: keepsNothing(settings),
    constraints: new Constraints(),
    roomMadeFor: new Map(),
    orderCounter: 0,
    awaitedBlobs: new Map(),
    timers: new Timers(),
    deadlines: new Deadlines(),
    dwell: new DwellModel(settings.dwell),
    counters: noCounts(),
    runTimes: new RunTimes(),
    health: new Health(settings),
    usage: new Usage(settings, pools.whole, vectorOf(settings.largestDonor)),
    trust: new TrustBook(settings),
    unproven: new Unproven(settings),
    random: seededRandom(settings.seed + generation),
    comparisons: new Map(),
    answers: new KnownAnswers(),
    checksDue: new Map(),
  };
}
