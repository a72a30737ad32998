/** The numbers of policy that an operator may set; their defaults, and why each is what it is. */
import type { Capacity } from '@plugpool/proto';
import type { IdentityAssurance, SessionState } from '@plugpool/firmware-bridge';
import { DEFAULT_DWELL, type DwellSettings } from './dwell/dwell-model.ts';
import type { ReferenceMachine } from './algorithms/feature.ts';
import type { KnownVehicles } from './donors/known-vehicles.ts';
import type { Tariff } from './ledger/tariffs.ts';
import { DEFAULT_POWER, type PowerSettings } from './power/power-settings.ts';
import type { Zone } from './tasks/zones.ts';

/** What the wire allows; the core tells its clients, and its surroundings hold them to it. */
export interface WireLimits {
  readonly messageBytesMax: number;
  readonly inlineBytesMax: number;
  readonly blobBytesMax: number;
  readonly chunkBytesMax: number;
  readonly statusTasksMax: number;
}

export interface Settings {
  /** Of what the agent draws by lot; another at each start, and known to nobody. */
  readonly seed: number;
  /** Of what is shown to some and must be foreseen by nobody: 8 words, drawn at each start. */
  readonly secretKey: readonly number[];
  readonly wire: WireLimits;
  readonly stationId: string;
  /** A donor that falls silent blocks its instance for this long at most. */
  readonly leaseMs: number;
  /** From a revocation until the lease is void: a result that is nearly done may still come. */
  readonly revokeGraceMs: number;
  /** How long leases go on while the firmware is not heard: two of the protocol's time-outs. */
  readonly unverifiedGraceMs: number;
  /** A capacity report older than this counts no more. */
  readonly capacityStaleMs: number;
  /** A donor that declined or failed is not offered the same instance for this long. */
  readonly restMs: number;
  /** Lost donors after which a task is given up. */
  readonly departuresMax: number;
  /** Failures of donors' own doing after which a task is given up. */
  readonly crashesMax: number;
  /** Tasks that are accepted and not yet delivered, in all and of one vehicle. */
  readonly openTasksMax: number;
  readonly openTasksPerVehicleMax: number;
  readonly deadlineDefaultMs: number;
  readonly deadlineMaxMs: number;
  /** A request that has waited this long has its turn, however late its deadline. */
  readonly ageBoundMs: number;
  /** One grant in this many goes to the one whose turn was first, whatever its rank: so nobody is passed over for ever. */
  readonly dueEvery: number;
  /** A latency need up to these has priority 3, 2 and 1. */
  readonly latencyClassesMs: readonly [number, number, number];
  /** As many parallel instances have priority 2; any more than one have 1. */
  readonly manyInstances: number;
  /** For each priority: a run is placed where its donor stays to its end with this probability, in thousandths. */
  readonly stayBarMillis: readonly [number, number, number, number];
  /** The pile keeps checkpoints, and tells its donors so. */
  readonly checkpoints: boolean;
  /** From a revocation until the lease of a run that checkpoints is void. */
  readonly checkpointGraceMs: number;
  /** Before its donor is to leave, a run that checkpoints keeps its state at each renewal. */
  readonly checkpointBeforeMs: number;
  /** A lease whose run is stopped by its owner is held for so long more at most. */
  readonly suspendedMaxMs: number;
  /** What one checkpoint costs its run. */
  readonly checkpointCostMs: number;
  /** Of the donors that leave, how many do so without a last checkpoint, in thousandths. */
  readonly graceFailsMillis: number;
  /** A run that checkpoints is placed where it is expected to get on by so much before its donor leaves, or to its end. */
  readonly progressMinMs: number;
  /** Of an image that a donor does not have yet. */
  readonly transferBytesPerMs: number;
  /** A lease is not pre-empted before it was held for this long. */
  readonly preemptAfterMs: number;
  /** How long an upload that a request or a result waits for may take. */
  readonly blobWaitMs: number;
  /** Session states that lend: where there is supply. */
  readonly lendingStates: readonly SessionState[];
  /** A vehicle lends where it is known at least so surely that it is the one that is plugged in. */
  readonly identityAssurance: IdentityAssurance;
  /** Whether a code is shown for each vehicle that is plugged in and not known more surely. */
  readonly plugCodes: boolean;
  /** Whether a claim may be proven by varying the power of the connector. */
  readonly copresence: boolean;
  /** The operator's share of what a requester is charged, in thousandths. */
  readonly operatorShareMillis: number;
  /** What the reference core and the reference GPU are taken to draw at work, where a vehicle does not measure it. */
  readonly coreDrawsMw: number;
  readonly gpuDrawsMw: number;
  /** No vehicle's computer draws more for one attempt, whatever it says. */
  readonly computingPowerMaxMw: number;
  /** So much a vehicle is credited a day for checkpoints before anything came of them, in milli-normalised-core-seconds. */
  readonly unprovenMncsPerDay: number;
  /** By which prices work is paid; empty: nothing is paid in money. */
  readonly tariffs: readonly Tariff[];
  /** So long after charging ended a vehicle overstays, and earns nothing by lending; absent: it never does. */
  readonly overstayAfterMs?: number;
  /** What the largest vehicle could ever lend: a demand above it is refused at once. */
  readonly largestDonor: Capacity;
  /** Ended tasks are kept this long for their requesters and for the operator's questions. */
  readonly retentionMs: number;
  /** A run may take this many times its estimated work before it is stopped. */
  readonly runTimeFactor: number;
  /** … and never less than this. */
  readonly runTimeFloorMs: number;
  /** How departures are learned. */
  readonly dwell: DwellSettings;
  /** What features and classes of algorithms are relative to. */
  readonly referenceMachine: ReferenceMachine;
  /** Whether capacity is planned into sub-pools; without, everything is lent to whoever is first in the order. */
  readonly subPools: boolean;
  /** A sub-pool used less than this for the whole window gives back to the reserve … */
  readonly poolLowMillis: number;
  /** … and one used more than this draws from it. */
  readonly poolHighMillis: number;
  readonly poolWindowMs: number;
  /** After a change of a sub-pool the monitor leaves it alone for this long. */
  readonly poolCooldownMs: number;
  /** What a sub-pool keeps of each dimension that its algorithms need, in thousandths of the whole. */
  readonly poolMinimumMillis: number;
  /** What a plan leaves to the reserve at least, in thousandths of the whole. */
  readonly poolReserveMillis: number;
  /** What was asked for this long ago counts half in the forecast. */
  readonly poolHalfLifeMs: number;
  /** Images that one vehicle is told to keep. */
  readonly deployImagesMax: number;
  /** Of what a payer had, half counts after this long. */
  readonly usageHalfLifeMs: number;
  /** Of what a donor did well or badly, half counts after this long. */
  readonly healthHalfLifeMs: number;
  /** As many faults within about a half-life make a donor rest, for one class of algorithms. */
  readonly healthFaultsMax: number;
  /** A run that takes this many times as long as such runs take is a fault. */
  readonly healthSlowFactor: number;
  /** The first rest; each that follows is twice as long … */
  readonly healthRestMs: number;
  /** … and none is longer than this. */
  readonly healthRestMaxMs: number;
  /** A donor's results of an algorithm are believed after so many that agreed with others'; 0: at once, and nothing is run twice. */
  readonly trustAfter: number;
  /** Of what agreed, half counts after this long. */
  readonly trustHalfLifeMs: number;
  /** Of the runs of those who are believed, at least so many are run twice all the same, in thousandths. */
  readonly auditFloorMillis: number;
  /** Of the grants to those who are believed, so many are followed by a question whose answer is known, in thousandths. */
  readonly spotCheckMillis: number;
  /** A result that the pile wants confirmed waits this long for a vehicle of another owner. */
  readonly confirmWithinMs: number;
  /** What each stay earned as a record of its own: none, kept and exported, or sent to the back office too. */
  readonly credits: 'off' | 'keep' | 'send';
  /** What is done with the power of the connectors. */
  readonly power: PowerSettings;
  /** Make and fleet of vehicles, as the operator knows them. */
  readonly vehicles: KnownVehicles;
  /** None: one that is named after the station and holds everything. */
  readonly zones: readonly Zone[];
}

export const DEFAULT_SETTINGS: Omit<Settings, 'wire'> = {
  seed: 0,
  secretKey: [0, 0, 0, 0, 0, 0, 0, 0],
  stationId: 'station',
  leaseMs: 15_000,
  revokeGraceMs: 2_000,
  unverifiedGraceMs: 30_000,
  capacityStaleMs: 30_000,
  restMs: 10_000,
  departuresMax: 20,
  crashesMax: 3,
  openTasksMax: 20_000,
  openTasksPerVehicleMax: 5_000,
  deadlineDefaultMs: 24 * 3600 * 1000,
  deadlineMaxMs: 7 * 24 * 3600 * 1000,
  ageBoundMs: 60_000,
  dueEvery: 64,
  latencyClassesMs: [1_000, 10_000, 60_000],
  manyInstances: 4,
  stayBarMillis: [600, 600, 700, 800],
  checkpoints: true,
  checkpointGraceMs: 10_000,
  checkpointBeforeMs: 60_000,
  suspendedMaxMs: 10 * 60_000,
  checkpointCostMs: 2_000,
  graceFailsMillis: 50,
  progressMinMs: 120_000,
  transferBytesPerMs: (1024 * 1024) / 1000,
  preemptAfterMs: 60_000,
  blobWaitMs: 120_000,
  lendingStates: ['charging', 'suspendedEV'],
  // Its token told the broker already who it is. What is still open is whether it stands here, and of that everything is a sign of
  // the pile's own but the vehicle's claim.
  identityAssurance: 'presence',
  plugCodes: true,
  copresence: false,
  operatorShareMillis: 100,
  // A core of a desktop processor under load, with its share of memory and power supply; the board power of an NVIDIA V100 PCIe.
  coreDrawsMw: 8_000,
  gpuDrawsMw: 250_000,
  // What the computers of automated driving take in all.
  computingPowerMaxMw: 2_000_000,
  // Twelve cores for the whole of a night: an honest vehicle hardly meets it, and a dishonest one costs a few euros a day.
  unprovenMncsPerDay: 100 * 3600 * 1000,
  tariffs: [],
  largestDonor: {
    cpuMillicores: 32_000,
    memoryMib: 128 * 1024,
    gpus: [{ deviceId: '*', model: '*', shareMillis: 1000, vramMib: 64 * 1024 }],
  },
  retentionMs: 7 * 24 * 3600 * 1000,
  runTimeFactor: 20,
  runTimeFloorMs: 60_000,
  dwell: DEFAULT_DWELL,
  // Ample in every dimension, so that no vehicle's program is above it; the GPU computes what an NVIDIA V100 PCIe does.
  referenceMachine: {
    cpuMillicores: 32_000,
    threads: 64,
    memoryMib: 128 * 1024,
    vramMib: 16 * 1024,
    gpuGflops: 14_131,
  },
  subPools: true,
  poolLowMillis: 50,
  poolHighMillis: 950,
  poolWindowMs: 60_000,
  poolCooldownMs: 60_000,
  poolMinimumMillis: 20,
  poolReserveMillis: 100,
  poolHalfLifeMs: 30 * 60_000,
  deployImagesMax: 16,
  usageHalfLifeMs: 12 * 3_600_000,
  healthHalfLifeMs: 6 * 3_600_000,
  healthFaultsMax: 3,
  healthSlowFactor: 4,
  healthRestMs: 5 * 60_000,
  healthRestMaxMs: 12 * 3_600_000,
  trustAfter: 10,
  trustHalfLifeMs: 90 * 24 * 3_600_000,
  auditFloorMillis: 50,
  spotCheckMillis: 20,
  confirmWithinMs: 60_000,
  credits: 'off',
  power: DEFAULT_POWER,
  vehicles: { byId: new Map(), byPrefix: [] },
  zones: [],
};
