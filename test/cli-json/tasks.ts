/** What is told of tasks: where they stand, what became of them, why they wait. */
import { z } from 'zod';
import { booking } from './accounts.ts';
import { count, id, ineligible, millis, phase, poolName, taskState, wallMs } from './words.ts';

const taskFields = {
  taskId: id,
  requestId: id,
  requester: id,
  algorithm: id,
  state: taskState,
  donor: id.nullable(),
  attempts: count,
  progressPermille: count,
  acceptedWallMs: wallMs,
  endedWallMs: wallMs.nullable(),
  reason: z.string().nullable(),
  waitsFor: z.string().nullable(),
  delivered: z.boolean(),
  priority: z.int().min(0).max(3),
  parts: z.int().min(1),
  payer: id,
};

const attempt = z.strictObject({
  instanceId: id,
  attempt: count,
  fencingToken: z.int(),
  vehicleId: id,
  algorithmId: id,
  algorithmVersion: id,
  startedWallMs: wallMs,
  endedWallMs: wallMs,
  outcome: z.enum(['completed', 'failed', 'departed', 'crashed', 'declined', 'cancelled', 'expired']),
  reason: z.string(),
});

const task = z.strictObject({
  ok: z.literal(true),
  ...taskFields,
  retryOf: id.nullable(),
  deadlineWallMs: wallMs,
  args: z.array(z.string()),
  inputBytes: count,
  outputBytes: count.nullable(),
  algorithmVersion: id.nullable(),
  failure: z.strictObject({ code: id, detail: z.string(), stderrTail: z.string() }).nullable(),
  used: z
    .strictObject({
      cpuMs: z.number(),
      wallMs: z.number(),
      memoryPeakMib: z.number(),
      gpuMs: z.number(),
      energyMwh: z.number().nullable(),
    })
    .nullable(),
  chargedMncs: z.int(),
  quorum: count.nullable(),
  agreeing: count,
  checkpoint: z.strictObject({ sizeBytes: count, doneMncs: count }).nullable(),
  history: z.array(attempt),
  bookings: z.array(booking),
});

const need = z.union([z.number(), z.string()]);

/** Absent where it is the same for every way to run the task. */
const way = { way: id.optional() };

const obstacle = z.discriminatedUnion('test', [
  z.strictObject({ ...way, test: ineligible }),
  z.strictObject({ ...way, test: z.enum(['own_request', 'same_owner', 'not_trusted']) }),
  z.strictObject({ ...way, test: z.enum(['resting', 'donor_resting', 'kept_for_another']), forMs: count }),
  z.strictObject({
    ...way,
    test: z.enum(['constraint_not_met', 'owner_constraint_not_met']),
    constraint: z.string(),
  }),
  z.strictObject({ ...way, test: z.literal('algorithm_not_allowed'), algorithm: id }),
  z.strictObject({ ...way, test: z.literal('runtime_missing'), runtime: id }),
  z.strictObject({
    ...way,
    test: z.literal('leaving_too_soon'),
    needMs: count,
    millis,
    barMillis: millis,
  }),
  z.strictObject({ ...way, test: z.literal('too_little_progress'), needMs: count, expectMs: count }),
  z.strictObject({ ...way, test: z.literal('deadline_too_close'), needMs: count, haveMs: z.int() }),
  z.strictObject({
    ...way,
    test: z.enum(['waits_for_all', 'too_few_owners']),
    need: count,
    have: count,
  }),
  z.strictObject({ ...way, test: z.literal('station_power'), needMw: count, haveMw: count }),
  z.strictObject({ ...way, test: z.literal('station_power_unknown'), connectors: count }),
  z.strictObject({
    ...way,
    test: z.enum(['cpu', 'memory', 'gpu_share', 'vram', 'gpu_model']),
    need,
    have: need,
  }),
]);

const wait = z.strictObject({
  place: z.int().min(1),
  priority: z.int().min(0).max(3),
  priorityBecause: id,
  algorithmClass: poolName,
  subPool: z.enum(['room', 'full', 'off']),
  payer: id,
  payerBand: count,
  startInMs: count.nullable(),
  keptDonors: z.array(id),
  wouldRun: z.array(id).min(1),
  obstacles: z.array(z.strictObject({ test: id, donors: z.int().min(1) })),
  donorsKnown: count,
  donorsLookedAt: count,
});

const explain = z.strictObject({
  ok: z.literal(true),
  taskId: id,
  state: taskState,
  summary: id,
  waitedMs: z.number().min(0),
  waiting: count,
  lastReason: z.string(),
  quorum: z
    .strictObject({
      part: count,
      need: z.int().min(2),
      answered: count,
      running: count,
      ownersNeeded: z.int().min(2),
      ownersKnown: count,
      isAskedFor: z.boolean(),
    })
    .nullable(),
  wait: wait.nullable(),
  parts: z.array(
    z.strictObject({
      part: count,
      replica: count,
      state: z.enum(['waiting', 'running', 'done', 'between_tries', 'unconfirmed', 'dropped']),
      donor: id.nullable(),
      wouldFitOn: id.nullable(),
    }),
  ),
  donors: z.array(
    z.strictObject({ vehicleId: id, phase, obstacles: z.array(obstacle), because: z.array(z.string()) }),
  ),
});

export const TASKS_JSON = {
  tasks: z.strictObject({ ok: z.literal(true), tasks: z.array(z.strictObject(taskFields)) }),
  task,
  retry: z.strictObject({ ok: z.literal(true), taskId: id, retryOf: id, requester: id }),
  cancel: z.strictObject({ ok: z.literal(true), taskId: id, state: z.literal('cancelled') }),
  explain,
};
