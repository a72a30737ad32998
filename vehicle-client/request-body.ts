/** What a caller asks for, as the body of a request; what cannot be asked is refused before anything is sent. */
import { createHash, randomBytes } from 'node:crypto';
import type { AlgorithmId, Digest, Payload, RequestId, Selector, TaskId, TaskRequest } from '@plugpool/proto';
import {
  BLOB_BYTES_MAX,
  DURATION_MS_MAX,
  ID_PATTERN,
  INLINE_BYTES_MAX,
  decodeUpFrame,
  encodeFrame,
} from '@plugpool/proto';
import { usageError } from './errors.ts';
import { toWants, type WantOptions } from './wants.ts';

/** What to run, on what, and how it is to be served. */
export interface RequestOptions extends WantOptions {
  /** What the program must do; the pile chooses the program. One of `type` and `algorithm`. */
  readonly type?: string;
  /** Which program, by its id. */
  readonly algorithm?: string;
  /** Only with `algorithm`; absent: the newest that is active. */
  readonly version?: string;
  readonly args?: readonly string[];
  /** What the program reads from its standard input, at most 64 MiB; a string travels as UTF-8. */
  readonly input?: Uint8Array | string;
  /** Seconds from now; absent: the pile's default. */
  readonly deadlineS?: number;
  /** The same id with the same body is the same request, now and after a restart. Absent: a random one. */
  readonly requestId?: string;
}

/** The body, and the bytes of its input. Throws a `PlugpoolError`. */
export function toRequest(
  options: RequestOptions,
  nowWallMs: number,
): { readonly body: TaskRequest; readonly bytes: Uint8Array } {
  const bytes = toBytes(options.input);
  if (bytes.length > BLOB_BYTES_MAX) {
    throw usageError(
      'input_too_large',
      `the input has ${bytes.length} bytes, more than ${BLOB_BYTES_MAX}`,
      'split it',
    );
  }
  const { deadlineS } = options;
  if (deadlineS !== undefined && !(deadlineS > 0)) {
    throw usageError(
      'deadline_invalid',
      `a deadline of ${deadlineS} s is not in the future`,
      'give seconds above 0',
    );
  }
  if (deadlineS !== undefined && deadlineS * 1000 > DURATION_MS_MAX) {
    throw usageError(
      'deadline_invalid',
      `a deadline of ${deadlineS} s is too far away`,
      `give at most ${DURATION_MS_MAX / 1000} seconds; a pile may allow less`,
    );
  }
  const wants = toWants(options);
  const body: TaskRequest = {
    kind: 'request',
    requestId: (options.requestId ?? newRequestId(nowWallMs)) as RequestId,
    selector: toSelector(options),
    args: toArgs(options.args),
    input: toPayload(bytes),
    ...(deadlineS === undefined ? {} : { deadlineMs: Math.round(deadlineS * 1000) }),
    ...(wants === undefined ? {} : { wants }),
  };
  assertSendable(body);
  return { body, bytes };
}

/**
 * What the pile would refuse as malformed is refused here, by the rules of the wire. What does not fit one message would
 * otherwise be found out when the message is made, where nobody waits for an answer.
 */
function assertSendable(body: TaskRequest): void {
  try {
    const frame = decodeUpFrame(encodeFrame([{ correlationId: 0, body: { ...body, input: NO_INPUT } }]));
    const reason = frame.ok ? frame.rejected[0]?.reason : { ...frame, hint: '' };
    if (reason !== undefined) throw usageError(reason.code, reason.detail, reason.hint);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw usageError('malformed', error.message, 'ask with less: docs/protocol.md has the limits');
  }
}

/** Bounded already, and nothing to encode twice. */
const NO_INPUT: Payload = { where: 'inline', bytes: new Uint8Array() };

/** A program without types may give anything. */
function toBytes(input: unknown): Uint8Array {
  if (typeof input === 'string') return Buffer.from(input, 'utf8');
  if (input === undefined) return new Uint8Array();
  if (input instanceof Uint8Array) return input;
  throw usageError(
    'invalid_argument',
    'the input is neither a string nor bytes',
    'give a string or a Uint8Array; of a value, `JSON.stringify` makes a string',
  );
}

function toArgs(args: unknown): readonly string[] {
  if (args === undefined) return [];
  if (Array.isArray(args) && args.every((arg) => typeof arg === 'string')) return args;
  throw usageError(
    'invalid_argument',
    'the arguments are not a list of strings',
    'give `args` as an array of strings',
  );
}

/** The id of a task as a program names it. */
export function toTaskId(taskId: string): TaskId {
  if (ID_PATTERN.test(taskId)) return taskId as TaskId;
  throw usageError('invalid_argument', 'that is no task id', 'give the id that `request` or `tasks` told');
}

/** Begins with the time, so that a pile's index of request ids grows at its end: all random, each would write a page of its own. */
function newRequestId(nowWallMs: number): string {
  return `${Math.trunc(nowWallMs).toString(36)}-${randomBytes(9).toString('base64url')}`;
}

function toSelector({ type, algorithm, version }: RequestOptions): Selector {
  if ((type === undefined) === (algorithm === undefined)) {
    throw usageError(
      'selector_invalid',
      'a request names a type or an algorithm',
      'give exactly one of `type` and `algorithm`',
    );
  }
  if (type !== undefined) {
    if (version === undefined) return { by: 'type', type };
    throw usageError(
      'selector_invalid',
      'a version belongs to an algorithm, not to a type',
      'leave `version` out',
    );
  }
  const algorithmId = algorithm as AlgorithmId;
  return { by: 'algorithm', algorithmId, ...(version === undefined ? {} : { version }) };
}

function toPayload(bytes: Uint8Array): Payload {
  if (bytes.length <= INLINE_BYTES_MAX) return { where: 'inline', bytes };
  const digest = createHash('sha256').update(bytes).digest('hex') as Digest;
  return { where: 'blob', blob: { digest, sizeBytes: bytes.length } };
}
