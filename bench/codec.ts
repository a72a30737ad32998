/** How long the codec takes for each small body that a task needs. */
import { decodeDownFrame, decodeUpFrame, encodeFrame } from '@plugpool/proto';
import type { Digest, DownBody, Envelope, FencingToken, InstanceId, TaskId, UpBody } from '@plugpool/proto';
import type { AlgorithmId, RequestId } from '@plugpool/proto';
import { numbersFrom } from './options.ts';

const ROUNDS = 100_000;
const WARM_UP_ROUNDS = 30_000;

const taskId = 'q7Zk2mB3pT9xRw0a' as TaskId;
const requestId = 'r-01HZX3M4T5' as RequestId;
const lease = { instanceId: 'q7Zk2mB3pT9xRw0a-0' as InstanceId, fencingToken: 123_456 as FencingToken };
const algorithmId = 'route-plan' as AlgorithmId;
const input = { where: 'inline', bytes: new Uint8Array(64).fill(7) } as const;
const used = { cpuMs: 12, wallMs: 14, memoryPeakMib: 9, gpuMs: 0 };
const image = { digest: 'ab'.repeat(32) as Digest, sizeBytes: 81_234 };

const UP: readonly UpBody[] = [
  { kind: 'request', requestId, selector: { by: 'algorithm', algorithmId }, args: ['--fast'], input },
  { kind: 'renewal', held: [{ lease, progressPermille: 310, cpuMs: 1200 }] },
  { kind: 'result', lease, used, outcome: { ok: true, output: input } },
  { kind: 'deliveryAck', taskId },
];

const DOWN: readonly DownBody[] = [
  { kind: 'accepted', requestId, taskId, deadlineMs: 86_400_000 },
  {
    kind: 'offer',
    lease,
    leaseMs: 15_000,
    taskId,
    attempt: 1,
    algorithmId,
    algorithmVersion: '1.0.0',
    runtime: 'wasm',
    image,
    args: ['--fast'],
    input,
    demand: { cpuMillicores: 1000, memoryMib: 256, threads: 1 },
    limits: { cpuMs: 60_000, wallMs: 120_000, memoryMib: 256, outputBytes: 1_048_576 },
    seed: new Uint8Array(16).fill(3),
  },
  { kind: 'renewed', held: [lease], leaseMs: 15_000 },
  { kind: 'resultAck', lease, accepted: true, reason: '' },
  {
    kind: 'delivery',
    requestId,
    taskId,
    state: 'completed',
    output: input,
    attempts: 1,
    donor: 'car-17',
    used,
    chargedMncs: 12_345,
    agreeing: 1,
    algorithmId,
    algorithmVersion: '1.0.0',
  },
];

interface Figure {
  readonly body: string;
  readonly bytes: number;
  readonly encodeUs: number;
  readonly decodeUs: number;
}

function measure(body: UpBody | DownBody, decode: (bytes: Uint8Array) => { ok: boolean }): Figure {
  const envelopes: readonly Envelope<UpBody | DownBody>[] = [{ correlationId: 4711, body }];
  const bytes = encodeFrame(envelopes);
  return {
    body: body.kind,
    bytes: bytes.length,
    encodeUs: microsecondsOf(() => encodeFrame(envelopes).length > 0),
    decodeUs: microsecondsOf(() => decode(bytes).ok),
  };
}

function microsecondsOf(run: () => boolean): number {
  for (let round = 0; round < WARM_UP_ROUNDS; round += 1) run();
  const beganNs = process.hrtime.bigint();
  for (let round = 0; round < ROUNDS; round += 1) {
    if (!run()) throw new Error('the codec refused what it wrote');
  }
  return Number(process.hrtime.bigint() - beganNs) / ROUNDS / 1000;
}

export async function run(args: readonly string[], json: boolean): Promise<void> {
  numbersFrom(args, {});
  const runs = [
    ...UP.map((body) => measure(body, decodeUpFrame)),
    ...DOWN.map((body) => measure(body, decodeDownFrame)),
  ];
  if (json) process.stdout.write(`${JSON.stringify({ runs })}\n`);
  else print(runs);
}

function print(runs: readonly Figure[]): void {
  for (const { body, bytes, encodeUs, decodeUs } of runs) {
    process.stdout.write(
      `${body.padEnd(12)} ${String(bytes).padStart(5)} bytes   encode ${encodeUs.toFixed(2)} µs   decode ${decodeUs.toFixed(2)} µs\n`,
    );
  }
}
