/**
 * Bytes to bodies and back: the one place where what a stranger sent becomes domain values, or a refusal. With the types in
 * `codec/wire.ts` and what `codec/body-fields.ts` calls the only importer of the generated code.
 *
 * Reading a body takes three steps: `codec/wire-check.ts` walks its bytes against the schema and the bounds, the generated
 * code decodes them, and the functions of `codec/bodies.ts` make domain values of them. Bad input never throws: a body that
 * is wrong is refused alone, a frame whose own structure is wrong is refused whole.
 */
import protobuf from 'protobufjs/minimal.js';
import { readBodyFields, writeBodyFields } from './codec/body-fields.ts';
import { BOUNDS } from './codec/bounds.ts';
import { DOWN_READERS, UP_READERS, writeBody } from './codec/bodies.ts';
import { BODY_TAG, VERSION_TAG, findCorrelationId, readOutline } from './codec/frame-outline.ts';
import { BodyRefused } from './codec/refusal.ts';
import { readInteger, writeInteger } from './codec/values.ts';
import { WireCheck } from './codec/wire-check.ts';
import { planMessage } from './codec/wire-plan.ts';
import type { WireBody } from './codec/wire.ts';
import type { Reason } from './domain.ts';
import { ENUM_NUMBERS, FIELDS } from './generated/fields.ts';
import { BODIES_PER_FRAME_MAX, FRAME_BYTES_MAX } from './limits.ts';
import type { DownBody, Envelope, UpBody } from './messages.ts';

/** Major version of the schema; the topics carry it too. */
export const PROTOCOL_VERSION = 1;

/** A body that was refused; its correlation id is 0 where it could not be read, or where no answer was expected. */
export interface RejectedBody {
  readonly correlationId: number;
  readonly reason: Reason;
}

export type DecodedFrame<Body> =
  | {
      readonly ok: true;
      readonly envelopes: readonly Envelope<Body>[];
      readonly rejected: readonly RejectedBody[];
    }
  | { readonly ok: false; readonly code: 'malformed' | 'version_unsupported'; readonly detail: string };

// ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** One buffer for all that is written, which grows to the largest message and is copied from. */
let writer = protobuf.Writer.create();

/**
 * The message that carries all these bodies. Throws where they do not fit one message, or hold a number that cannot be
 * sent: both are faults of the caller. The bytes are a view into Node's pool of small buffers: send them, do not keep them.
 */
export function encodeFrame(envelopes: readonly Envelope<UpBody | DownBody>[]): Buffer {
  const frames = encodeFrames(envelopes);
  const [frame] = frames;
  if (frame === undefined || frames.length > 1) {
    throw new RangeError(`${envelopes.length} bodies make ${frames.length} messages, not one`);
  }
  return frame;
}

/** The messages that carry all these bodies in their order: as few as the bounds of a message allow. */
export function encodeFrames(envelopes: readonly Envelope<UpBody | DownBody>[]): Buffer[] {
  try {
    return appendAll(envelopes);
  } catch (error) {
    // It may have stopped in the middle of a nested message: what the writer holds is of no use any more.
    writer = protobuf.Writer.create();
    throw error;
  }
}

function appendAll(envelopes: readonly Envelope<UpBody | DownBody>[]): Buffer[] {
  const frames: Buffer[] = [];
  let count = 0;
  startFrame();
  for (const envelope of envelopes) {
    const before = writer.pos;
    appendBody(envelope);
    if (count > 0 && (writer.pos > FRAME_BYTES_MAX || count === BODIES_PER_FRAME_MAX)) {
      frames.push(copyWritten(before));
      count = 0;
      startFrame();
      appendBody(envelope);
    }
    if (writer.pos > FRAME_BYTES_MAX) {
      throw new RangeError(`${envelope.body.kind}: ${writer.pos} bytes are above one message`);
    }
    count += 1;
  }
  if (count > 0) frames.push(copyWritten(writer.pos));
  return frames;
}

function startFrame(): void {
  writer.reset().uint32(VERSION_TAG).uint32(PROTOCOL_VERSION);
}

function appendBody({ correlationId, body }: Envelope<UpBody | DownBody>): void {
  const wire = writeBody(writeInteger(correlationId, 'Body.correlation_id'), body);
  writeBodyFields(writer, BODY_TAG, body.kind, wire);
}

function copyWritten(end: number): Buffer {
  return Buffer.from(writer.finish(true).subarray(0, end));
}

// ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const SCHEMA = { fields: FIELDS, enumNumbers: ENUM_NUMBERS, bounds: BOUNDS };
const BODY_PLAN = planMessage(SCHEMA, 'Body');

type Readers<Body> = Readonly<Record<string, ((wire: WireBody) => Body) | undefined>>;

/** What a vehicle sent. */
export function decodeUpFrame(bytes: Uint8Array): DecodedFrame<UpBody> {
  return decodeFrame<UpBody>(bytes, UP_READERS);
}

/** What a pile sent. */
export function decodeDownFrame(bytes: Uint8Array): DecodedFrame<DownBody> {
  return decodeFrame<DownBody>(bytes, DOWN_READERS);
}

function decodeFrame<Body>(bytes: Uint8Array, readers: Readers<Body>): DecodedFrame<Body> {
  const buffer = asBuffer(bytes);
  const outline = readOutline(buffer, PROTOCOL_VERSION);
  if (!outline.ok) return outline;
  const envelopes: Envelope<Body>[] = [];
  const rejected: RejectedBody[] = [];
  const reader = protobuf.Reader.create(buffer);
  const check = new WireCheck(buffer);
  for (const { start, end } of outline.bodies) {
    try {
      check.check(BODY_PLAN, start, end);
      reader.pos = start;
      reader.len = end;
      const wire = readBodyFields(reader);
      if (wire.kind === undefined) throw missingKind(check.metUnknown);
      envelopes.push(readBody(wire, wire.kind, readers));
    } catch (error) {
      rejected.push({ correlationId: findCorrelationId(buffer, start, end), reason: reasonOf(error) });
    }
  }
  return { ok: true, envelopes, rejected };
}

/** The generated code reads text from a `Buffer` with what Node has built in, and from anything else byte by byte. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function readBody<Body>(wire: WireBody, kind: string, readers: Readers<Body>): Envelope<Body> {
  const read = readers[kind];
  if (read === undefined) throw new BodyRefused(`Body.kind: ${kind} is said by the other side only`);
  return { correlationId: readInteger(wire.correlationId), body: read(wire) };
}

/** A field that is not known here is what a kind of a newer version looks like. */
function missingKind(metUnknown: boolean): BodyRefused {
  return metUnknown
    ? new BodyRefused('Body.kind: not known here', 'not_supported')
    : new BodyRefused('Body.kind: missing');
}

function reasonOf(error: unknown): Reason {
  if (error instanceof BodyRefused) return error.reason;
  // Nothing that passed the wire check is known to end here; if it does, it was no good body.
  return new BodyRefused('Body: cannot be decoded').reason;
}
