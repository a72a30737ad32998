/** What is told of programs, and of the sub-pools that are kept for their classes. */
import { z } from 'zod';
import { count, id, poolName, wallMs } from './words.ts';

const algorithm = z.strictObject({
  id,
  version: id,
  type: id,
  runtime: z.enum(['wasm', 'onnx', 'echo']),
  image: z.strictObject({ digest: z.string().regex(/^[0-9a-f]{64}$/), sizeBytes: z.int().positive() }),
  demands: z
    .array(
      z.strictObject({
        cpuMillicores: z.int(),
        memoryMib: z.int(),
        threads: z.int(),
        gpu: z
          .strictObject({ shareMillis: z.int(), vramMib: z.int(), model: z.string().optional() })
          .optional(),
      }),
    )
    .min(1),
  workCoreS: z.number().positive(),
  checkpoints: z.literal(true).optional(),
  compare: z
    .union([
      z.strictObject({ by: z.literal('bytes') }),
      z.strictObject({
        by: z.literal('numbers'),
        format: z.enum(['float32', 'float64', 'json']),
        tolerance: z.number(),
      }),
    ])
    .optional(),
  state: z.enum(['active', 'retired']),
  addedWallMs: wallMs,
});

/** As the catalogue shows it, with what is known beside the record. */
const algorithmKnown = algorithm.extend({
  algorithmClass: z.enum(['cpu', 'gpu', 'memory']),
  feature: z.strictObject({ cpuPpm: count, gpuPpm: count, memoryPpm: count }),
  learnedRuns: count,
});

const vector = z.strictObject({ cpuMillicores: count, memoryMib: count, gpuMillis: count, vramMib: count });

const ppm = z.int().min(0).max(1_000_000);

const shares = z.strictObject({ cpuPpm: ppm, memoryPpm: ppm, gpuPpm: ppm, vramPpm: ppm });

const subPool = z.strictObject({
  subPool: poolName,
  algorithms: count,
  shares,
  size: vector,
  used: vector,
  usePermille: count.nullable(),
  borrowed: vector,
  lent: vector,
  expected: vector,
  level: z.enum(['low', 'even', 'high']),
  levelForMs: count,
  byHand: z.boolean(),
  wantsMore: z.boolean(),
});

const pools = z.strictObject({
  ok: z.literal(true),
  enabled: z.boolean(),
  whole: vector,
  reserve: z.strictObject({ shares, size: vector }),
  subPools: z.array(subPool),
  changes: z.array(
    z.strictObject({
      wallMs,
      subPool: poolName,
      cause: z.enum(
        'planned classes_changed by_hand low high served_first reserve_empty'.split(' ') as [
          string,
          ...string[],
        ],
      ),
      before: shares,
      after: shares,
    }),
  ),
});

const keys = z.array(z.string().regex(/^[^@]+@[^@]+$/)).min(1);

export const CATALOGUE_JSON = {
  'algorithms list': z.strictObject({ ok: z.literal(true), algorithms: z.array(algorithmKnown) }),
  'algorithms show': z.strictObject({ ok: z.literal(true), algorithms: z.array(algorithmKnown).min(1) }),
  'algorithms add': z.strictObject({ ok: z.literal(true), algorithm }),
  'algorithms retire': z.strictObject({ ok: z.literal(true), retired: keys }),
  'algorithms remove': z.strictObject({ ok: z.literal(true), removed: keys }),
  'algorithms check add': z.strictObject({ ok: z.literal(true), algorithm: id, checks: count }),
  pools,
  'pools set': z.strictObject({ ok: z.literal(true), subPool }),
  'pools plan': z.strictObject({ ok: z.literal(true), subPools: z.array(subPool) }),
};
