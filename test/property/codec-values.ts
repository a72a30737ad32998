/** Arbitrary values that bodies of both ways are made of, within the bounds of the protocol, and frames of bodies. */
import fc from 'fast-check';
import type { Arbitrary } from 'fast-check';
import type {
  AlgorithmId,
  BlobRef,
  Digest,
  Envelope,
  FencingToken,
  InstanceId,
  LeaseId,
  Payload,
  RequestId,
  RuntimeKind,
  TaskId,
  Used,
} from '@plugpool/proto';
import {
  BLOB_BYTES_MAX,
  CHUNK_BYTES_MAX,
  CONNECTOR_PATTERN,
  CPU_MILLICORES_MAX,
  DURATION_MS_MAX,
  ENERGY_MWH_MAX,
  MEMORY_MIB_MAX,
} from '@plugpool/proto';

export const idText = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
export const taskId = idText as Arbitrary<TaskId>;
export const requestId = idText as Arbitrary<RequestId>;
export const name = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,63}$/);
export const algorithmId = name as Arbitrary<AlgorithmId>;
export const version = fc.stringMatching(/^[0-9A-Za-z][0-9A-Za-z.+_-]{0,31}$/);
export const code = fc.stringMatching(/^[a-z][a-z0-9_]{0,63}$/);

/** Well formed, as text on the wire is, and at most 4 bytes a character. */
export const text = fc.string({ unit: 'binary', maxLength: 256 });

export const safe = fc.maxSafeNat();
export const permille = fc.nat({ max: 1000 });
export const connector = fc.stringMatching(CONNECTOR_PATTERN);
export const durationMs = fc.nat({ max: DURATION_MS_MAX });
export const memoryMib = fc.nat({ max: MEMORY_MIB_MAX });
export const cpuMillicores = fc.nat({ max: CPU_MILLICORES_MAX });

export const digest = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => Buffer.from(bytes).toString('hex') as Digest);

export const bytes = fc.uint8Array({ maxLength: 300 });

export const lease: Arbitrary<LeaseId> = fc.record({
  instanceId: idText as Arbitrary<InstanceId>,
  fencingToken: safe as Arbitrary<FencingToken>,
});

export const leases = fc.array(lease, { maxLength: 5 });
export const blob: Arbitrary<BlobRef> = fc.record({ digest, sizeBytes: fc.nat({ max: BLOB_BYTES_MAX }) });

export const payload: Arbitrary<Payload> = fc.oneof(
  fc.record({ where: fc.constant('inline' as const), bytes }),
  fc.record({ where: fc.constant('blob' as const), blob }),
);

export const used: Arbitrary<Used> = fc.record(
  {
    cpuMs: durationMs,
    wallMs: durationMs,
    memoryPeakMib: memoryMib,
    gpuMs: durationMs,
    energyMwh: fc.nat({ max: ENERGY_MWH_MAX }),
  },
  { requiredKeys: ['cpuMs', 'wallMs', 'memoryPeakMib', 'gpuMs'] },
);

export const args = fc.array(
  fc.string({ maxLength: 40 }).filter((arg) => !arg.includes('\0')),
  { maxLength: 5 },
);

export const runtime: Arbitrary<RuntimeKind> = fc.constantFrom('wasm', 'onnx', 'echo');
export const positive = (max: number): Arbitrary<number> => fc.integer({ min: 1, max });

export const blobPull = fc
  .tuple(fc.nat({ max: BLOB_BYTES_MAX - 1 }), fc.integer({ min: 1, max: CHUNK_BYTES_MAX }), digest)
  .map(([offset, length, of]) => ({
    kind: 'blobPull' as const,
    digest: of,
    offset,
    length: Math.min(length, BLOB_BYTES_MAX - offset),
  }));

export const blobChunk = fc
  .tuple(bytes, fc.nat({ max: 1_000_000 }), fc.nat({ max: 1_000_000 }), digest)
  .map(([data, offset, rest, of]) => ({
    kind: 'blobChunk' as const,
    digest: of,
    offset,
    data,
    sizeBytes: offset + data.length + rest,
  }));

export const blobRefused = fc.record({
  kind: fc.constant('blobRefused' as const),
  digest,
  code,
  detail: text,
});
export const blobBody = fc.oneof(blobPull, blobChunk, blobRefused);

export function envelopes<Body>(
  body: Arbitrary<Body>,
  size: fc.ArrayConstraints = { minLength: 1, maxLength: 4 },
): Arbitrary<Envelope<Body>[]> {
  // fast-check's records have no prototype and would differ from what is decoded by that alone.
  return fc.array(fc.record({ correlationId: safe, body }), size).map((all) => structuredClone(all));
}
