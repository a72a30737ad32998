/** Where the bodies of a frame begin and end, so that each can be decoded, or refused, by itself. */
import { BODIES_PER_FRAME_MAX, MESSAGE_BYTES_MAX } from '../limits.ts';
import { BodyRefused } from './refusal.ts';
import { WireCheck } from './wire-check.ts';
import { LENGTH_DELIMITED, VARINT } from './wire-plan.ts';

const VERSION_FIELD = 1;
const BODIES_FIELD = 2;
const CORRELATION_ID_FIELD = 1;

export const VERSION_TAG = (VERSION_FIELD << 3) | VARINT;
export const BODY_TAG = (BODIES_FIELD << 3) | LENGTH_DELIMITED;
const CORRELATION_ID_TAG = (CORRELATION_ID_FIELD << 3) | VARINT;

export interface BodySpan {
  readonly start: number;
  readonly end: number;
}

export type FrameOutline =
  | { readonly ok: true; readonly bodies: readonly BodySpan[] }
  | { readonly ok: false; readonly code: 'malformed' | 'version_unsupported'; readonly detail: string };

export function readOutline(bytes: Buffer, version: number): FrameOutline {
  if (bytes.length > MESSAGE_BYTES_MAX) return malformed(`Frame: above ${MESSAGE_BYTES_MAX} bytes`);
  try {
    return readFields(bytes, version);
  } catch (error) {
    if (error instanceof BodyRefused) return malformed(error.message);
    throw error;
  }
}

function readFields(bytes: Buffer, version: number): FrameOutline {
  const walk = new WireCheck(bytes);
  const bodies: BodySpan[] = [];
  let isVersionSeen = false;
  while (walk.at < bytes.length) {
    const tag = walk.readTag(bytes.length);
    if (tag === VERSION_TAG) {
      const found = walk.readVarint(bytes.length, 'Frame.version');
      // Another version may have changed everything that follows: it is not read.
      if (found !== version) return unsupported(`it is ${found}`, version);
      isVersionSeen = true;
    } else if (tag === BODY_TAG) {
      const end = walk.readLength(bytes.length, 'Frame.bodies');
      bodies.push({ start: walk.at, end });
      if (bodies.length > BODIES_PER_FRAME_MAX) {
        return malformed(`Frame.bodies: more than ${BODIES_PER_FRAME_MAX} entries`);
      }
      walk.seek(end);
    } else {
      const field = tag >>> 3;
      if (field === VERSION_FIELD || field === BODIES_FIELD) return malformed(`Frame: wire type ${tag & 7}`);
      walk.skip(tag, bytes.length, 'Frame');
    }
  }
  if (!isVersionSeen) return unsupported('it is missing', version);
  return bodies.length === 0 ? malformed('Frame.bodies: none') : { ok: true, bodies };
}

function malformed(detail: string): FrameOutline {
  return { ok: false, code: 'malformed', detail };
}

function unsupported(what: string, version: number): FrameOutline {
  return {
    ok: false,
    code: 'version_unsupported',
    detail: `Frame.version: ${what}; ${version} is spoken here`,
  };
}

/** The correlation id of a body that was refused, or 0 where even that cannot be read. */
export function findCorrelationId(bytes: Buffer, start: number, end: number): number {
  const walk = new WireCheck(bytes);
  walk.seek(start);
  try {
    while (walk.at < end) {
      const tag = walk.readTag(end);
      if (tag === CORRELATION_ID_TAG) {
        const found = walk.readVarint(end, 'Body.correlation_id');
        return Number.isSafeInteger(found) ? found : 0;
      }
      walk.skip(tag, end, 'Body');
    }
  } catch (error) {
    if (!(error instanceof BodyRefused)) throw error;
  }
  return 0;
}
