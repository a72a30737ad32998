/** The byte examples of docs/protocol.md: what they say, and the bytes with each field named. */
import { encodeFrame } from '@plugpool/proto';
import type {
  AlgorithmId,
  Digest,
  DownBody,
  Envelope,
  Epoch,
  FencingToken,
  InstanceId,
  RequestId,
  TaskId,
  UpBody,
} from '@plugpool/proto';
import { FIELDS } from '../../proto/generated/fields.ts';

export interface Example {
  /** Its heading; absent: the kind of its body. */
  readonly title?: string;
  readonly way: 'up' | 'down';
  readonly envelope: Envelope<UpBody | DownBody>;
}

const lease = { instanceId: 't1-1-0' as InstanceId, fencingToken: 4_294_967_297 as FencingToken };
const taskId = 't1-1' as TaskId;
const requestId = 'trip-42' as RequestId;
const algorithmId = 'route-plan' as AlgorithmId;
const image = { digest: '9f'.repeat(32) as Digest, sizeBytes: 70_000 };
const inputOf = (text: string) => ({ where: 'inline', bytes: new Uint8Array(Buffer.from(text)) }) as const;

export const EXAMPLES: readonly Example[] = [
  {
    way: 'up',
    envelope: {
      correlationId: 1,
      body: {
        kind: 'hello',
        clientVersion: '0.1.0',
        hardware: {
          cpuModel: 'Cortex-A78AE',
          cores: 8,
          clockMhz: 2200,
          memoryMib: 16_384,
          gpus: [],
          speedMillis: 850,
          platform: 'linux-arm64',
        },
        held: [lease],
        runtimes: ['wasm', 'onnx'],
      },
    },
  },
  {
    way: 'down',
    envelope: {
      correlationId: 1,
      body: {
        kind: 'welcome',
        epoch: 4_294_967_298 as Epoch,
        leaseMs: 15_000,
        messageBytesMax: 262_144,
        inlineBytesMax: 65_536,
        blobBytesMax: 67_108_864,
        chunkBytesMax: 65_536,
        keep: [lease],
        drop: [],
        checkpoints: false,
        stationId: 'north',
      },
    },
  },
  {
    way: 'up',
    envelope: {
      correlationId: 2,
      body: {
        kind: 'request',
        requestId,
        selector: { by: 'type', type: 'route' },
        args: ['--fast'],
        input: inputOf('52.5,13.4 48.1,11.6'),
        deadlineMs: 60_000,
      },
    },
  },
  {
    title: 'request that wants more',
    way: 'up',
    envelope: {
      correlationId: 5,
      body: {
        kind: 'request',
        requestId: 'trip-43' as RequestId,
        selector: { by: 'type', type: 'route' },
        args: [],
        input: inputOf('52.5,13.4'),
        wants: {
          place: { by: 'point', latitudeE7: -338_688_000, longitudeE7: 1_512_093_000 },
          latencyMs: 2000,
          instances: 4,
          allAtOnce: true,
          demand: { cpuMillicores: 2000 },
          budgetMncs: 90_000,
          payer: 'Taxi 24',
          trust: { whom: 'makes', makes: ['Acme'] },
          constraint: 'donor.cores >= 4',
        },
      },
    },
  },
  {
    way: 'down',
    envelope: { correlationId: 2, body: { kind: 'accepted', requestId, taskId, deadlineMs: 60_000 } },
  },
  {
    way: 'down',
    envelope: {
      correlationId: 0,
      body: {
        kind: 'offer',
        lease,
        leaseMs: 15_000,
        taskId,
        attempt: 1,
        algorithmId,
        algorithmVersion: '1.2.0',
        runtime: 'wasm',
        image,
        args: ['--fast'],
        input: inputOf('52.5,13.4 48.1,11.6'),
        demand: { cpuMillicores: 1000, memoryMib: 128, threads: 1 },
        limits: { cpuMs: 60_000, wallMs: 60_000, memoryMib: 128, outputBytes: 67_108_864 },
        seed: new Uint8Array(16).fill(0xa5),
      },
    },
  },
  {
    way: 'down',
    envelope: {
      correlationId: 0,
      body: { kind: 'deploy', images: [{ algorithmId, version: '1.2.0', runtime: 'wasm', image }] },
    },
  },
  {
    way: 'up',
    envelope: {
      correlationId: 3,
      body: { kind: 'renewal', held: [{ lease, progressPermille: 250, cpuMs: 1200 }] },
    },
  },
  { way: 'down', envelope: { correlationId: 3, body: { kind: 'renewed', held: [lease], leaseMs: 15_000 } } },
  {
    way: 'up',
    envelope: {
      correlationId: 4,
      body: {
        kind: 'result',
        lease,
        used: { cpuMs: 4100, wallMs: 4300, memoryPeakMib: 61, gpuMs: 0 },
        outcome: { ok: true, output: inputOf('584 km') },
      },
    },
  },
  {
    title: 'status report with an explanation',
    way: 'down',
    envelope: {
      correlationId: 6,
      body: {
        kind: 'statusReport',
        tasks: [
          {
            taskId,
            requestId,
            algorithmId,
            state: 'queued',
            attempts: 0,
            progressPermille: 0,
            delivered: false,
            reason: '',
            explanation: {
              summary: 'no donor is free',
              place: 3,
              startInMs: 40_000,
              wouldRun: ['one more donor'],
              obstacles: [{ test: 'cpu', donors: 2 }],
            },
          },
        ],
        truncated: false,
      },
    },
  },
];

/** How the page calls an example. */
export function titleOf({ title, envelope }: Example): string {
  return title ?? envelope.body.kind;
}

interface Row {
  readonly id: number;
  readonly type: string;
  readonly of?: string;
}

const BYTES_PER_LINE = 16;

/** The bytes of an example, a field a line, each with its name and value behind `#`. */
export function annotate({ envelope }: Example): string {
  const bytes = encodeFrame([envelope]);
  return [...linesOf('Frame', bytes, '')].join('\n');
}

function* linesOf(message: string, bytes: Buffer, indent: string): Generator<string> {
  const rows: Readonly<Record<string, Row>> = FIELDS[message as keyof typeof FIELDS];
  for (let at = 0; at < bytes.length;) {
    const start = at;
    const tag = readVarint(bytes, at);
    const field = Object.entries(rows).find(([, row]) => row.id === Math.floor(tag.value / 8));
    if (field === undefined) throw new Error(`${message} has no field ${tag.value / 8}`);
    const [name, row] = field;
    const number = readVarint(bytes, tag.end);
    if (tag.value % 8 === 0) {
      at = number.end;
      yield lineOf(
        bytes.subarray(start, at),
        indent,
        `${name}: ${row.type === 'sint32' ? signedOf(number.value) : number.value}`,
      );
      continue;
    }
    at = number.end + number.value;
    const content = bytes.subarray(number.end, at);
    if (row.type === 'message') {
      yield lineOf(bytes.subarray(start, number.end), indent, `${name}, ${content.length} bytes`);
      yield* linesOf(row.of ?? '', content, `${indent}  `);
    } else {
      yield lineOf(bytes.subarray(start, number.end), indent, `${name}, ${describe(row.type, content)}`);
      yield* rawLines(content, `${indent}  `);
    }
  }
}

/** From zigzag: 0, −1, 1, −2 … */
function signedOf(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

function lineOf(bytes: Buffer, indent: string, comment: string): string {
  return `${`${indent}${hexOf(bytes)}`.padEnd(24)} # ${comment}`;
}

function* rawLines(bytes: Buffer, indent: string): Generator<string> {
  for (let at = 0; at < bytes.length; at += BYTES_PER_LINE) {
    yield `${indent}${hexOf(bytes.subarray(at, at + BYTES_PER_LINE))}`;
  }
}

function describe(type: string, content: Buffer): string {
  if (type === 'enum') return `packed: ${[...content].join(', ')}`;
  return type === 'string' ? JSON.stringify(content.toString()) : `${content.length} bytes`;
}

function hexOf(bytes: Buffer): string {
  return bytes.toString('hex').replaceAll(/..(?=.)/g, '$& ');
}

function readVarint(bytes: Buffer, from: number): { readonly value: number; readonly end: number } {
  let value = 0;
  for (let at = from; ; at += 1) {
    const byte = bytes.readUInt8(at);
    value += (byte & 0x7f) * 128 ** (at - from);
    if (byte < 0x80) return { value, end: at + 1 };
  }
}
