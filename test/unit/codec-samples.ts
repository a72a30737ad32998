/** A request, an offer, and frames of one body: what the tests of the codec bend. */
import { encodeFrame } from '@plugpool/proto';
import type {
  AlgorithmId,
  Digest,
  DownBody,
  FencingToken,
  InstanceId,
  Offer,
  RequestId,
  TaskId,
  TaskRequest,
  UpBody,
} from '@plugpool/proto';

export const lease = { instanceId: 'i-1' as InstanceId, fencingToken: 5 as FencingToken };
export const image = { digest: 'ab'.repeat(32) as Digest, sizeBytes: 10 };
export const used = { cpuMs: 1, wallMs: 2, memoryPeakMib: 3, gpuMs: 0 };

export const request: TaskRequest = {
  kind: 'request',
  requestId: 'r-1' as RequestId,
  selector: { by: 'algorithm', algorithmId: 'route-plan' as AlgorithmId },
  args: [],
  input: { where: 'inline', bytes: Uint8Array.of(1, 2, 3) },
};

export const offer: Offer = {
  kind: 'offer',
  lease,
  leaseMs: 15_000,
  taskId: 't-1' as TaskId,
  attempt: 1,
  algorithmId: 'route-plan' as AlgorithmId,
  algorithmVersion: '1.0.0',
  runtime: 'wasm',
  image,
  args: ['a'],
  input: { where: 'blob', blob: image },
  demand: { cpuMillicores: 1000, memoryMib: 64, threads: 1 },
  limits: { cpuMs: 1, wallMs: 2, memoryMib: 3, outputBytes: 4 },
  seed: new Uint8Array(16),
};

export const upFrame = (body: UpBody) => encodeFrame([{ correlationId: 1, body }]);
export const downFrame = (body: DownBody) => encodeFrame([{ correlationId: 1, body }]);
