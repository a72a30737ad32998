/** Reads the text of one OCPP-J message (RPC framework of OCPP 1.6J section 4, OCPP 2.0.1 and 2.1 part 4 section 4). */

export type OcppFrame =
  | { readonly type: 'call'; readonly id: string; readonly action: string; readonly payload: unknown }
  | { readonly type: 'result'; readonly id: string; readonly payload: unknown }
  /** The code alone: what else is in it is text that nobody decides by. */
  | { readonly type: 'error'; readonly id: string; readonly code: string };

export type FrameFault = 'too_long' | 'no_json' | 'no_array' | 'wrong_arity' | 'wrong_type' | 'wrong_id';

export type FrameReading =
  { readonly ok: true; readonly frame: OcppFrame } | { readonly ok: false; readonly fault: FrameFault };

/** Whoever speaks of connectors needs a few kilobytes; what is longer (certificates, reports) is none of ours and is not read. */
export const FRAME_CHARS_MAX = 256 * 1024;
/** A line of this many characters is longer than any frame that is read, quoted as JSON text. */
export const LINE_CHARS_MAX = 2 * 1024 * 1024;
/** OCPP allows 36 characters; some piles need more. */
const ID_CHARS_MAX = 128;
const ACTION_CHARS_MAX = 64;

/** Message types of OCPP-J; 5 and 6 came with 2.1. */
export const CALL = 2;
export const CALL_RESULT = 3;
export const CALL_ERROR = 4;
export const CALL_RESULT_ERROR = 5;
export const SEND = 6;

export function readFrame(text: string): FrameReading {
  if (text.length > FRAME_CHARS_MAX) return fault('too_long');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return fault('no_json');
  }
  return readFrameValue(value);
}

/** The same for a message that was parsed already, as recordings hold it. */
export function readFrameValue(value: unknown): FrameReading {
  if (!Array.isArray(value)) return fault('no_array');
  const [type, id] = value as readonly unknown[];
  // Some piles number their messages with numbers instead of strings.
  const named = typeof id === 'number' ? String(id) : id;
  if (typeof named !== 'string' || named === '' || named.length > ID_CHARS_MAX) return fault('wrong_id');
  return readTyped(type, named, value as readonly unknown[]);
}

function readTyped(type: unknown, id: string, value: readonly unknown[]): FrameReading {
  switch (type) {
    case CALL:
    case SEND: {
      const action = value[2];
      if (value.length !== 4 || typeof action !== 'string' || action.length > ACTION_CHARS_MAX)
        return fault('wrong_arity');
      return { ok: true, frame: { type: 'call', id, action, payload: value[3] } };
    }
    case CALL_RESULT:
      if (value.length !== 3) return fault('wrong_arity');
      return { ok: true, frame: { type: 'result', id, payload: value[2] } };
    case CALL_ERROR:
    case CALL_RESULT_ERROR:
      // [4, id, code, description, details]; the last two are often left out.
      if (value.length < 3 || value.length > 5) return fault('wrong_arity');
      return { ok: true, frame: { type: 'error', id, code: String(value[2]).slice(0, ACTION_CHARS_MAX) } };
    default:
      return fault('wrong_type');
  }
}

/** The message as the array that it is on the wire; undefined where it is none. */
export function arrayIn(text: string): readonly unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function fault(why: FrameFault): FrameReading {
  return { ok: false, fault: why };
}
