/** The part of the schema that says by which numbers requests and vehicles are matched. */
import type { SessionState } from '@plugpool/firmware-bridge';
import { CPU_MILLICORES_MAX, INSTANCES_MAX, MEMORY_MIB_MAX } from '@plugpool/proto';
import { z } from 'zod';
import { ASSURANCES } from '../core/binding/assurance.ts';
import { DEFAULT_SETTINGS } from '../core/settings.ts';
import { parseDurationMs } from './duration.ts';
import { count, duration, percent, share } from './fields.ts';

const MIB = 1024 * 1024;
/** As many as the benches let wait at one pile. */
const OPEN_TASKS_MAX = 1_000_000;

const LENDING_STATES = [
  'charging',
  'suspendedEV',
  'suspendedEVSE',
  'finishing',
] as const satisfies readonly SessionState[];

const gpuSchema = z.strictObject({
  model: z.string().min(1).max(256).default('*').describe('Model of the device; `*` is any.'),
  shareMillis: count(1000, 1, 1000).describe('Thousandths of the device.'),
  vramMib: count(64 * 1024, 0, MEMORY_MIB_MAX).describe('Memory of the device.'),
});

const largest = DEFAULT_SETTINGS.largestDonor;
const largestDonorSchema = z.strictObject({
  cpuMillicores: count(largest.cpuMillicores, 1, CPU_MILLICORES_MAX).describe('Thousandths of a core.'),
  memoryMib: count(largest.memoryMib, 1, MEMORY_MIB_MAX).describe('Memory in MiB.'),
  gpus: z
    .array(gpuSchema)
    .max(16)
    .default(largest.gpus.map(({ model, shareMillis, vramMib }) => ({ model, shareMillis, vramMib })))
    .describe('Graphics devices: a list of model, shareMillis and vramMib.'),
});

const reference = DEFAULT_SETTINGS.referenceMachine;
const referenceSchema = z.strictObject({
  cpuMillicores: count(reference.cpuMillicores, 1, CPU_MILLICORES_MAX).describe('Thousandths of a core.'),
  threads: count(reference.threads, 1, 4096).describe('Threads that run at the same time.'),
  memoryMib: count(reference.memoryMib, 1, MEMORY_MIB_MAX).describe('Memory in MiB.'),
  vramMib: count(reference.vramMib, 1, MEMORY_MIB_MAX).describe('Memory of its one GPU in MiB.'),
  gpuGflops: count(reference.gpuGflops, 1, 10_000_000).describe(
    'Single-precision throughput of its GPU, in thousand million operations a second.',
  ),
});

const healthSchema = z.strictObject({
  halfLife: duration(DEFAULT_SETTINGS.healthHalfLifeMs, 60_000, 90 * 86_400_000).describe(
    'What a vehicle did well or badly counts half after this long.',
  ),
  faultsMax: count(DEFAULT_SETTINGS.healthFaultsMax, 1, 1_000).describe(
    'As many faults within about a half-life make a vehicle rest, for one class of algorithms.',
  ),
  slowFactor: z
    .number()
    .min(1.1)
    .max(1_000)
    .default(DEFAULT_SETTINGS.healthSlowFactor)
    .describe('A run that takes this many times as long as such runs take is a fault.'),
  rest: duration(DEFAULT_SETTINGS.healthRestMs, 1_000, 86_400_000).describe(
    'The first rest, after which a single task is tried; each that follows is twice as long …',
  ),
  restMax: duration(DEFAULT_SETTINGS.healthRestMaxMs, 1_000, 30 * 86_400_000).describe(
    '… and none is longer than this.',
  ),
});

const trustSchema = z.strictObject({
  after: count(DEFAULT_SETTINGS.trustAfter, 0, 1_000).describe(
    'A vehicle’s results of an algorithm are believed after so many that agreed with those of other owners; 0: at once, and nothing is run twice unless its requester asks.',
  ),
  halfLife: duration(DEFAULT_SETTINGS.trustHalfLifeMs, 3_600_000, 3_660 * 86_400_000).describe(
    'What agreed, and what was outvoted, counts half after this long.',
  ),
  checkedMin: share(DEFAULT_SETTINGS.auditFloorMillis, 0, 1000).describe(
    'Of the runs of a vehicle that is believed, at least this part is run twice all the same.',
  ),
  spotChecks: share(DEFAULT_SETTINGS.spotCheckMillis, 0, 1000).describe(
    'Of the runs of a vehicle that is believed, this part is followed by a question whose answer the pile knows.',
  ),
  confirmWithin: duration(DEFAULT_SETTINGS.confirmWithinMs, 0, 86_400_000).describe(
    'A result that the pile wants confirmed waits this long for a vehicle of another owner, and is taken as it is then.',
  ),
});

const [latencyMs, soonMs, someMs] = DEFAULT_SETTINGS.latencyClassesMs;
const latencyClassesSchema = z
  .strictObject({
    latency: duration(latencyMs, 0).describe(
      'A request that needs its result within this has the priority `latency`, the highest, …',
    ),
    soon: duration(soonMs, 0).describe('… within this, `soon`, …'),
    some: duration(someMs, 0).describe('… within this, `some`; whatever can wait for longer has `normal`.'),
  })
  .superRefine(({ latency, soon, some }, context) => {
    if (shorter(soon, latency)) context.addIssue(outOfOrder('soon', soon, 'latency', latency));
    if (shorter(some, soon)) context.addIssue(outOfOrder('some', some, 'soon', soon));
  });

function shorter(text: string, than: string): boolean {
  return (parseDurationMs(text) ?? 0) < (parseDurationMs(than) ?? 0);
}

function outOfOrder(key: string, text: string, before: string, beforeText: string) {
  const message = `${text} is shorter than ${before}, ${beforeText}; they rise from latency over soon to some`;
  return { code: 'custom' as const, path: [key], message };
}

// A bar of 1 would be reached by nobody: no stay is certain.
const BAR_MILLIS_MAX = 990;
const [normalBar, someBar, soonBar, latencyBar] = DEFAULT_SETTINGS.stayBarMillis;
const stayBarSchema = z.strictObject({
  normal: share(normalBar, 0, BAR_MILLIS_MAX).describe(
    'A run of the priority `normal` is placed where its vehicle stays to the end of it with at least this probability.',
  ),
  some: share(someBar, 0, BAR_MILLIS_MAX).describe('The same of the priority `some`.'),
  soon: share(soonBar, 0, BAR_MILLIS_MAX).describe('The same of the priority `soon`.'),
  latency: share(latencyBar, 0, BAR_MILLIS_MAX).describe('The same of the priority `latency`.'),
});

const checkpointSchema = z.strictObject({
  keep: z
    .boolean()
    .default(DEFAULT_SETTINGS.checkpoints)
    .describe('Whether the pile keeps what runs keep, so that they go on elsewhere.'),
  grace: duration(DEFAULT_SETTINGS.checkpointGraceMs, 0, 600_000).describe(
    'How long a run that is taken back may still keep its state.',
  ),
  before: duration(DEFAULT_SETTINGS.checkpointBeforeMs, 0, 3_600_000).describe(
    'So long before a vehicle is to leave its runs keep their state at each renewal.',
  ),
  suspendedMax: duration(DEFAULT_SETTINGS.suspendedMaxMs, 0, 86_400_000).describe(
    'How much longer a lease may be held while its owner has the run stopped.',
  ),
  cost: duration(DEFAULT_SETTINGS.checkpointCostMs, 1, 3_600_000).describe(
    'What it costs a run to keep its state once: the dearer, the more seldom.',
  ),
  graceFails: share(DEFAULT_SETTINGS.graceFailsMillis, 0, 1000).describe(
    'Of the vehicles that leave, the part that does so without keeping what runs there.',
  ),
  progressMin: duration(DEFAULT_SETTINGS.progressMinMs, 0).describe(
    'A run that keeps its state is placed where it probably gets on by so much, or to its end.',
  ),
});

export const policySchema = z.strictObject({
  lease: duration(DEFAULT_SETTINGS.leaseMs, 100, 3_600_000).describe(
    'A donor that falls silent holds a run back for this long at most.',
  ),
  revokeGrace: duration(DEFAULT_SETTINGS.revokeGraceMs, 0, 600_000).describe(
    'How long a run that is taken back may still bring its result.',
  ),
  unverifiedGrace: duration(DEFAULT_SETTINGS.unverifiedGraceMs, 0, 3_600_000).describe(
    'How long runs go on while the firmware is not heard.',
  ),
  capacityStale: duration(DEFAULT_SETTINGS.capacityStaleMs, 1_000, 3_600_000).describe(
    'A capacity report that is older counts no more.',
  ),
  rest: duration(DEFAULT_SETTINGS.restMs, 0, 3_600_000).describe(
    'A vehicle on which a run failed is not offered the same run for this long.',
  ),
  departuresMax: count(DEFAULT_SETTINGS.departuresMax, 1, 1_000).describe(
    'Vehicles that may leave during a task before it is given up.',
  ),
  crashesMax: count(DEFAULT_SETTINGS.crashesMax, 1, 1_000).describe(
    'Runs of a task that may fail by the vehicles’ own doing before it is given up.',
  ),
  openTasksMax: count(DEFAULT_SETTINGS.openTasksMax, 1, OPEN_TASKS_MAX).describe(
    'Tasks that are accepted and not yet delivered, of all vehicles; beyond it requests are refused, and a quarter is kept for who is plugged in. Of tasks that have not ended each part counts.',
  ),
  openTasksPerVehicleMax: count(DEFAULT_SETTINGS.openTasksPerVehicleMax, 1, OPEN_TASKS_MAX).describe(
    'The same of one vehicle, which has at most a third of them in any case, and a quarter while it is not plugged in (docs/hostile-vehicles.md).',
  ),
  deadlineDefault: duration(DEFAULT_SETTINGS.deadlineDefaultMs, 1_000).describe(
    'The deadline of a request that names none.',
  ),
  deadlineMax: duration(DEFAULT_SETTINGS.deadlineMaxMs, 1_000).describe(
    'The longest deadline that is accepted.',
  ),
  latencyClasses: latencyClassesSchema.prefault({}).describe('Which latency need has which priority.'),
  manyInstances: count(DEFAULT_SETTINGS.manyInstances, 2, INSTANCES_MAX).describe(
    'A request for as many parallel instances has the priority `soon`, for fewer but several `some`.',
  ),
  stayBar: stayBarSchema.prefault({}).describe('How sure it must be that a vehicle stays (docs/dwell.md).'),
  ageBound: duration(DEFAULT_SETTINGS.ageBoundMs, 0).describe('A request that has waited this long is due.'),
  dueEvery: count(DEFAULT_SETTINGS.dueEvery, 1, 1_000).describe(
    'A request that is due is passed over by fewer grants than this, for itself and for each that was due before it.',
  ),
  preemptAfter: duration(DEFAULT_SETTINGS.preemptAfterMs, 1_000).describe(
    'A run that has gone on for less makes no room for the priority `latency`.',
  ),
  transferMibPerS: z
    .number()
    .positive()
    .max(100_000)
    .default((DEFAULT_SETTINGS.transferBytesPerMs * 1000) / MIB)
    .describe('How fast an image that a vehicle does not hold yet gets there, in MiB/s.'),
  checkpoint: checkpointSchema
    .prefault({})
    .describe('Runs of programs that keep their state (docs/algorithms.md).'),
  blobWait: duration(DEFAULT_SETTINGS.blobWaitMs, 1_000, 86_400_000).describe(
    'How long an upload that a request or a result waits for may take.',
  ),
  lendingStates: z
    .array(z.enum(LENDING_STATES))
    .min(1)
    .default(['charging', 'suspendedEV'])
    .describe('States of a charging session in which its vehicle may lend (docs/firmware.md).'),
  identityAssurance: z
    .enum(ASSURANCES)
    .default(DEFAULT_SETTINGS.identityAssurance)
    .describe(
      'A vehicle lends where it is known at least so surely that it is the one that is plugged in (docs/binding.md).',
    ),
  plugCodes: z
    .boolean()
    .default(DEFAULT_SETTINGS.plugCodes)
    .describe(
      'Whether a code is shown for each vehicle that is plugged in and not known more surely (docs/binding.md).',
    ),
  copresence: z
    .boolean()
    .default(DEFAULT_SETTINGS.copresence)
    .describe(
      'Whether a vehicle may prove that it is plugged in by feeling the power of its connector vary; needs `power.caps` (docs/binding.md).',
    ),
  operatorSharePercent: percent(DEFAULT_SETTINGS.operatorShareMillis, 0, 100).describe(
    'The operator’s share of what a requester is charged.',
  ),
  retention: duration(DEFAULT_SETTINGS.retentionMs, 60_000, 365 * 86_400_000).describe(
    'How long ended tasks are kept for their requesters and for questions.',
  ),
  runTimeFactor: z
    .number()
    .min(1)
    .max(10_000)
    .default(DEFAULT_SETTINGS.runTimeFactor)
    .describe('A run is stopped after this many times its estimated work …'),
  runTimeFloor: duration(DEFAULT_SETTINGS.runTimeFloorMs, 1_000, 86_400_000).describe(
    '… and never sooner than this.',
  ),
  usageHalfLife: duration(DEFAULT_SETTINGS.usageHalfLifeMs, 60_000, 30 * 86_400_000).describe(
    'What a payer had counts half after this long, where those who pay share fairly.',
  ),
  trust: trustSchema.prefault({}).describe('Whose results are believed without a second one.'),
  health: healthSchema.prefault({}).describe('Vehicles that are always slow or fail where others succeed.'),
  largestDonor: largestDonorSchema
    .prefault({})
    .describe('The most that one vehicle could ever lend here: a demand above it is refused at once.'),
  referenceMachine: referenceSchema
    .prefault({})
    .describe('What an algorithm’s class is relative to (docs/pools.md).'),
});
