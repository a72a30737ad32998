/** What is told of the agent itself: its state, its copies, its configuration. */
import { z } from 'zod';
import { count, draining, id, wallMs } from './words.ts';

const capacitySum = z.strictObject({ cpuMillicores: z.int(), memoryMib: z.int(), gpuMillis: z.int() });

const findings = z.array(z.string());

const copied = z.strictObject({ file: id, sizeBytes: count, wallMs });

const copying = z.strictObject({ file: id, pagesDone: count, pagesTotal: count });

const store = z.strictObject({
  log: z.strictObject({
    bytes: count.nullable(),
    busyInARow: count,
    busyTotal: count,
    foldedWallMs: wallMs.nullable(),
  }),
  check: z.strictObject({
    state: z.enum(['never', 'ok', 'failed', 'suspect']),
    wallMs: wallMs.nullable(),
    findings,
    hint: z.string().nullable(),
    running: z.boolean(),
  }),
  backup: z.strictObject({ running: copying.nullable(), last: copied.nullable() }),
});

const disk = z.strictObject({
  maxBytes: count,
  usedBytes: count,
  spareBytes: count.nullable(),
  freeBytes: count.nullable(),
  keepBytes: count.nullable(),
  short: z.array(z.strictObject({ what: z.enum(['payloads', 'disk']), hint: id })),
});

const status = z.strictObject({
  ok: z.literal(true),
  version: id,
  dataDir: id,
  listen: z.string().startsWith('mqtt://'),
  uptimeMs: count,
  stationId: id,
  clientsConnected: count,
  donorsEligible: count,
  capacity: z.strictObject({ lendable: capacitySum, free: capacitySum }),
  tasks: z.strictObject({ queued: count, running: count, undelivered: count }),
  connectors: count,
  algorithms: count,
  store,
  disk,
  draining,
  power: z.strictObject({ limitMw: count, drawnMw: count, unknown: count, over: z.boolean() }).nullable(),
  counters: z.strictObject({
    accepted: count,
    refused: count,
    granted: count,
    completed: count,
    failed: count,
    expired: count,
    cancelled: count,
    dead: count,
    departures: count,
    checkpoints: count,
    savedMncs: count,
    staleMessages: count,
  }),
});

export const AGENT_JSON = {
  'any error': z.strictObject({
    ok: z.literal(false),
    error: z.strictObject({ code: id, message: id, hint: id }),
  }),
  status,
  backup: z.strictObject({ ok: z.literal(true), file: id, sizeBytes: count }),
  restore: z.strictObject({
    ok: z.literal(true),
    dataDir: id,
    replaced: id.nullable(),
    generation: count,
    openTasks: count,
    closedTasks: count,
    algorithms: count,
    missingBlobs: z.array(z.string().regex(/^[0-9a-f]{64}$/)),
    tasksWithoutInput: z.array(id),
    algorithmsWithoutImage: z.array(id),
  }),
  'config check': z.union([
    z.strictObject({
      ok: z.literal(true),
      problems: z.array(z.never()),
      outdated: z.array(z.strictObject({ where: id, what: id })),
      unreached: z.array(z.strictObject({ where: id, what: id })),
      config: z.looseObject({ station: id }),
    }),
    z.strictObject({
      ok: z.literal(false),
      problems: z.array(z.strictObject({ where: z.string(), what: id })).min(1),
    }),
  ]),
};
