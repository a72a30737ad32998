/** What the operator's verbs may be asked with. */
import { isAbsolute } from 'node:path';
import { z } from 'zod';
import {
  ARGS_MAX,
  BLOB_BYTES_MAX,
  CPU_MILLICORES_MAX,
  DURATION_MS_MAX,
  ID_PATTERN,
  MEMORY_MIB_MAX,
  NAME_PATTERN,
  parseDigest,
  VERSION_PATTERN,
} from '@plugpool/proto';
import { IMAGE_PART_BYTES_MAX } from './adapters/control-socket/protocol.ts';
import { ALGORITHM_CLASSES } from './core/algorithms/feature.ts';
import { KNOWN_ANSWER_BYTES_MAX } from './core/limits.ts';

export const nothing = z.strictObject({});
export const taskId = z.string().regex(ID_PATTERN, 'is no task id');
export const algorithmId = z
  .string()
  .regex(NAME_PATTERN, 'must be lower-case letters, digits, . _ - (64 at most)');
export const version = z.string().regex(VERSION_PATTERN, 'must be up to 32 letters, digits, . + _ -');
const digest = z.string().refine((text) => parseDigest(text) !== undefined, 'is no sha256');
export const vehicleId = z.string().regex(ID_PATTERN, 'must be 1 to 64 letters, digits, _ and -');
const imageBytes = z.int().min(1, 'is empty').max(BLOB_BYTES_MAX, `is above ${BLOB_BYTES_MAX} bytes`);

export const absolutePath = z
  .string()
  .max(4096)
  .refine((path) => isAbsolute(path) && !path.includes('\0'), 'is no absolute path');

const demandArgs = z.strictObject({
  cpuMillicores: z.int().min(1).max(CPU_MILLICORES_MAX),
  memoryMib: z.int().min(1).max(MEMORY_MIB_MAX),
  threads: z.int().min(1).max(1024),
  gpu: z
    .strictObject({
      shareMillis: z.int().min(1).max(1000),
      vramMib: z.int().min(0).max(MEMORY_MIB_MAX),
      model: z.string().min(1).max(256).optional(),
    })
    .optional(),
});

export const algorithmArgs = z.strictObject({
  id: algorithmId,
  version,
  type: algorithmId,
  runtime: z.enum(['wasm', 'onnx', 'echo']),
  image: z.strictObject({ digest, sizeBytes: imageBytes }),
  demands: z.array(demandArgs).min(1).max(ARGS_MAX),
  workCoreS: z.number().positive().max(DURATION_MS_MAX),
  checkpoints: z.boolean().optional(),
  compare: z
    .discriminatedUnion('by', [
      z.strictObject({ by: z.literal('bytes') }),
      z.strictObject({
        by: z.literal('numbers'),
        format: z.enum(['float32', 'float64', 'json']),
        tolerance: z.number().min(0).max(1),
      }),
    ])
    .optional(),
});

export const imagePartArgs = z.strictObject({
  digest,
  sizeBytes: imageBytes,
  offset: z.int().min(0).max(BLOB_BYTES_MAX),
  dataBase64: z.base64().max(Math.ceil(IMAGE_PART_BYTES_MAX / 3) * 4),
});

const checkBytes = z
  .base64()
  .max(Math.ceil(KNOWN_ANSWER_BYTES_MAX / 3) * 4, `is above ${KNOWN_ANSWER_BYTES_MAX} bytes`);
export const checkArgs = z.strictObject({
  id: algorithmId,
  version: version.optional(),
  args: z.array(z.string().max(4096)).max(ARGS_MAX),
  inputBase64: checkBytes,
  outputBase64: checkBytes,
});

export const stepArgs = z.strictObject({
  step: z.enum(['plug', 'charge', 'suspend', 'finish', 'unplug']),
  connector: z.string().min(1).max(160),
  vehicleId: vehicleId.optional(),
  socPermille: z.int().min(0).max(1000).optional(),
  by: z.enum(['EV', 'EVSE']).optional(),
  departureInMs: z.int().positive().max(DURATION_MS_MAX).optional(),
});

const shareMillis = z.int().min(0).max(1000).optional();
export const poolArgs = z.strictObject({
  algorithmClass: z.enum(ALGORITHM_CLASSES),
  shareMillis: z.strictObject({
    cpuMillicores: shareMillis,
    memoryMib: shareMillis,
    gpuMillis: shareMillis,
    vramMib: shareMillis,
  }),
});

export const connectorArgs = z.strictObject({ connector: z.string().min(1).max(160) });
export const capArgs = connectorArgs.extend({
  powerMw: z.int().min(1).max(1e13),
  // What is too long, the core says, with what to do.
  forMs: z.int().min(1_000, 'is less than a second'),
});

/** Some of what lies between two times, after the last that was seen. */
export const pageArgs = z.strictObject({ after: z.int().min(0), fromWallMs: z.int(), toWallMs: z.int() });
