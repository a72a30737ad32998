/**
 * The configuration's one strict schema: every key, its default, its bounds and what it means. docs/configuration.md says the
 * same for people, and a test compares the two.
 */
import { validateDetailed } from 'node-cron';
import { z } from 'zod';
import { parseConnectorId, type SessionState } from '@plugpool/firmware-bridge';
import {
  CPU_MILLICORES_MAX,
  DEPLOYED_IMAGES_MAX,
  DURATION_MS_MAX,
  ID_PATTERN,
  MEMORY_MIB_MAX,
} from '@plugpool/proto';
import { mayListen } from '../adapters/vehicle-tokens.ts';
import { DEFAULT_SETTINGS } from '../core/settings.ts';
import { formatDuration, parseDurationMs } from './duration.ts';
import { vehiclesSchema, zonesSchema } from './site-schema.ts';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
const LENDING_STATES = [
  'charging',
  'suspendedEV',
  'suspendedEVSE',
  'finishing',
] as const satisfies readonly SessionState[];

function duration(defaultMs: number, minMs: number, maxMs = DURATION_MS_MAX) {
  return z
    .string('must be a duration such as 15s')
    .superRefine((text, context) => {
      const ms = parseDurationMs(text);
      if (ms === undefined)
        context.addIssue(
          `${JSON.stringify(text)} is no duration; write a number and ms, s, min, h or d: 15s`,
        );
      else if (ms < minMs || ms > maxMs)
        context.addIssue(
          `${text} is out of bounds; between ${formatDuration(minMs)} and ${formatDuration(maxMs)}`,
        );
    })
    .default(formatDuration(defaultMs));
}

function count(defaultCount: number, min: number, max: number) {
  return z.int().min(min).max(max).default(defaultCount);
}

const path = z.string().min(1).max(4096);

/** Checked by the very code that will read it later. */
function checkedBy(check: (text: string) => void) {
  return (text: string, context: z.RefinementCtx<string>): void => {
    try {
      check(text);
    } catch (error) {
      context.addIssue(error instanceof Error ? error.message : String(error));
    }
  };
}

const stationId = z
  .string()
  .superRefine(checkedBy((text) => parseConnectorId('1', text)))
  .default(DEFAULT_SETTINGS.stationId)
  .describe(
    'The name of this charging station; a connector that is called by its number alone is one of it.',
  );

const cron = z
  .string()
  .superRefine((text, context) => {
    const { valid, errors } = validateDetailed(text);
    if (!valid)
      context.addIssue(
        `${JSON.stringify(text)} is no cron expression (${errors.map((e) => e.message).join('; ') || 'unreadable'}); write five fields, as 17 * * * *`,
      );
  })
  .default('17 * * * *')
  .describe(
    'When old tasks and unneeded files are cleared away: a cron expression of five fields, local time.',
  );

const brokerSchema = z.strictObject({
  connectionsMax: count(1_000, 1, 100_000).describe('Connections of all vehicles together.'),
  connectionsPerVehicleMax: count(20, 1, 1_000).describe('Connections of one vehicle.'),
  messagesPerSecondMax: count(10_000, 1, 1_000_000).describe(
    'Messages a second of one connection; beyond it the connection is slowed down.',
  ),
});

const storageSchema = z.strictObject({
  blobsMib: count(4_096, 64, 1024 * 1024).describe(
    'Images, inputs and results on disk, together, in MiB; beyond it new ones are refused.',
  ),
});

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

function percent(defaultMillis: number, min: number, max: number) {
  return z
    .number()
    .min(min)
    .max(max)
    .multipleOf(0.1)
    .default(defaultMillis / 10);
}

const DAY_MS = 86_400_000;
const dwellSchema = z.strictObject({
  utcOffsetMinutes: z
    .number()
    .int()
    .min(-720)
    .max(840)
    .default(DEFAULT_SETTINGS.dwell.utcOffsetMs / 60_000)
    .describe('Local time where the pile stands, less UTC: by it hours of the day and weekends are told.'),
  halfLife: duration(DEFAULT_SETTINGS.dwell.halfLifeMs, DAY_MS, 3_650 * DAY_MS).describe(
    'A stay weighs half as much once stays are learned that ended so much later.',
  ),
});

const poolsSchema = z.strictObject({
  enabled: z
    .boolean()
    .default(DEFAULT_SETTINGS.subPools)
    .describe('Plan capacity into sub-pools; `false`: whoever is first in the order takes what is free.'),
  // What gave back is used by half, what drew by 80 %: neither may be beyond the other threshold, or they would alternate.
  lowPercent: percent(DEFAULT_SETTINGS.poolLowMillis, 0, 40).describe(
    'A sub-pool of which less is used for the whole window gives back to the reserve.',
  ),
  highPercent: percent(DEFAULT_SETTINGS.poolHighMillis, 85, 100).describe(
    'A sub-pool of which more is used for the whole window draws from the reserve.',
  ),
  window: duration(DEFAULT_SETTINGS.poolWindowMs, 1_000, 86_400_000).describe(
    'How long the use must stay low or high.',
  ),
  cooldown: duration(DEFAULT_SETTINGS.poolCooldownMs, 0, 86_400_000).describe(
    'How long a sub-pool that changed is left alone.',
  ),
  minimumPercent: percent(DEFAULT_SETTINGS.poolMinimumMillis, 0, 30).describe(
    'What a sub-pool keeps of the whole, whatever is used.',
  ),
  reservePercent: percent(DEFAULT_SETTINGS.poolReserveMillis, 0, 90).describe(
    'What a plan leaves to the reserve at least.',
  ),
  halfLife: duration(DEFAULT_SETTINGS.poolHalfLifeMs, 1_000).describe(
    'What was asked for this long ago counts half in the forecast.',
  ),
  imagesPerVehicle: count(DEFAULT_SETTINGS.deployImagesMax, 0, DEPLOYED_IMAGES_MAX).describe(
    'Images that a vehicle is told to fetch before they are needed.',
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

const policySchema = z.strictObject({
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
  deadlineDefault: duration(DEFAULT_SETTINGS.deadlineDefaultMs, 1_000).describe(
    'The deadline of a request that names none.',
  ),
  deadlineMax: duration(DEFAULT_SETTINGS.deadlineMaxMs, 1_000).describe(
    'The longest deadline that is accepted.',
  ),
  ageBound: duration(DEFAULT_SETTINGS.ageBoundMs, 0).describe(
    'A request that has waited this long goes before all fairness.',
  ),
  blobWait: duration(DEFAULT_SETTINGS.blobWaitMs, 1_000, 86_400_000).describe(
    'How long an upload that a request or a result waits for may take.',
  ),
  lendingStates: z
    .array(z.enum(LENDING_STATES))
    .min(1)
    .default(['charging', 'suspendedEV'])
    .describe('States of a charging session in which its vehicle may lend (docs/firmware.md).'),
  operatorSharePercent: z
    .number()
    .min(0)
    .max(100)
    .multipleOf(0.1)
    .default(DEFAULT_SETTINGS.operatorShareMillis / 10)
    .describe('The operator’s share of what a requester is charged.'),
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
  health: healthSchema.prefault({}).describe('Vehicles that are always slow or fail where others succeed.'),
  largestDonor: largestDonorSchema
    .prefault({})
    .describe('The most that one vehicle could ever lend here: a demand above it is refused at once.'),
  referenceMachine: referenceSchema
    .prefault({})
    .describe('What an algorithm’s class is relative to (docs/pools.md).'),
});

const manualSchema = z.strictObject({
  kind: z
    .literal('manual')
    .describe('The operator says what happens at each connector (`plugpool firmware …`).'),
});

const replaySchema = z.strictObject({
  kind: z.literal('replay').describe('Sessions that happened are lived again from a file.'),
  file: path.optional().describe('A sessions CSV (docs/firmware.md); absent: the small one that is shipped.'),
  speed: z
    .number()
    .positive()
    .max(1_000_000)
    .default(1)
    .describe('Seconds of the file a second of the clock.'),
  startAt: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe('Local time of the file at which the replay begins; absent: when its first vehicle plugs in.'),
  sites: z.array(z.string().min(1)).min(1).optional().describe('Only these sites of the file.'),
  connectors: z.array(z.string().min(1)).min(1).optional().describe('Only these connectors of the file.'),
  vehicles: z
    .record(z.string(), z.string().regex(ID_PATTERN, 'must be 1 to 64 letters, digits, _ and -'))
    .default({})
    .describe('Which vehicle stands where: a mapping of connectors to vehicle ids.'),
  chargingPowerW: z
    .number()
    .positive()
    .max(10_000_000)
    .optional()
    .describe('To estimate when charging ends, in W.'),
  meterEvery: duration(60_000, 1_000, 86_400_000)
    .optional()
    .describe('One meter reading each so much of the file’s time.'),
  limit: z.int().positive().optional().describe('At most so many sessions.'),
  loop: z.boolean().default(false).describe('Begin again after the last vehicle left.'),
  strict: z
    .boolean()
    .default(false)
    .describe('Refuse a file with a row that cannot be true, instead of skipping it.'),
});

/** What several keys must be together is looked at even where other keys are wrong: all problems are told at once. */
function always(): boolean {
  return true;
}

/** `config` may be half right. */
function listenProblem(config: unknown): string | undefined {
  const { listen, tokens } = (config ?? {}) as { listen?: unknown; tokens?: unknown };
  if (typeof listen !== 'string') return undefined;
  const verdict = mayListen(listen, tokens === 'tokens' ? 'tokens' : 'open');
  if (verdict.ok) return undefined;
  return tokens === 'tokens' || tokens === 'open' ? verdict.reason : undefined;
}

function deadlinesAgree(config: unknown): boolean {
  const { policy } = (config ?? {}) as { policy?: { deadlineDefault?: unknown; deadlineMax?: unknown } };
  const defaultMs = parseDurationMs(String(policy?.deadlineDefault));
  const maxMs = parseDurationMs(String(policy?.deadlineMax));
  return defaultMs === undefined || maxMs === undefined || defaultMs <= maxMs;
}

export const configSchema = z
  .strictObject({
    station: stationId,
    dataDir: path
      .optional()
      .describe(
        'Where the agent keeps its files; absent: `$XDG_STATE_HOME/plugpool`, or `~/.local/state/plugpool`.',
      ),
    listen: z
      .string()
      .default('mqtt://127.0.0.1:1883')
      .describe('Where vehicles connect: `mqtt://HOST:PORT`; port 0 takes any.'),
    tokens: z
      .enum(['open', 'tokens'])
      .default('open')
      .describe('`tokens`: every vehicle must present its token; `open`: only on this machine, without.'),
    logLevel: z.enum(LOG_LEVELS).default('info').describe('The least important lines that are logged.'),
    broker: brokerSchema.prefault({}).describe('What vehicles may do at most.'),
    storage: storageSchema.prefault({}).describe('What the disk may hold.'),
    policy: policySchema.prefault({}).describe('The numbers by which requests and vehicles are matched.'),
    pools: poolsSchema.prefault({}).describe('How capacity is divided among classes (docs/pools.md).'),
    dwell: dwellSchema.prefault({}).describe('How departures are learned (docs/dwell.md).'),
    vehicles: vehiclesSchema,
    zones: zonesSchema,
    firmware: z
      .array(z.discriminatedUnion('kind', [manualSchema, replaySchema]))
      .min(1)
      .max(16)
      .default([{ kind: 'manual' }])
      .refine(
        (list) => list.filter(({ kind }) => kind === 'manual').length <= 1,
        'has more than one manual firmware; keep one',
      )
      .describe('Who says what happens at the connectors: a list.'),
    housekeeping: z.strictObject({ cron }).prefault({}).describe('Regular work.'),
  })
  .refine((config) => listenProblem(config) === undefined, {
    when: always,
    path: ['listen'],
    error: ({ input }) => listenProblem(input),
  })
  .refine(deadlinesAgree, {
    when: always,
    path: ['policy', 'deadlineDefault'],
    error: 'is longer than policy.deadlineMax; lower it, or raise deadlineMax',
  });

/** As it stands in a file: whatever has a default may be left out. */
export type ConfigInput = z.input<typeof configSchema>;
/** Complete, in the same form. */
export type ConfigFile = z.output<typeof configSchema>;
