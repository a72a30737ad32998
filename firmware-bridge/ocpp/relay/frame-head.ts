/** Reads the beginning of an OCPP-J frame: what kind it is, its id, its action; the rest is nobody's business here. */
import { HEAD_CHARS_MAX } from './limits.ts';

export type FrameHead =
  | { readonly kind: 'call'; readonly id: string; readonly action: string }
  | { readonly kind: 'result'; readonly id: string }
  | { readonly kind: 'error'; readonly id: string; readonly errorCode: string }
  /** OCPP 2.1: a result that could not be used (type 5), and a message without an answer (type 6). Neither waits for a turn. */
  | { readonly kind: 'other'; readonly id: string };

const STRING = String.raw`"(?:[^"\\]|\\.)*"`;
const NUMBER = String.raw`(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?`;
/** `[type, id, word`: to who reads JSON 3.0 is the type 3; ids are strings by the standard, and numbers from some. */
const HEAD = new RegExp(String.raw`^\s*\[\s*(${NUMBER})\s*,\s*(${STRING}|-?\d{1,20})\s*(?:,\s*(${STRING}))?`);

/** Undefined where the text does not begin as a frame does: it is relayed all the same. */
export function headOf(text: string): FrameHead | undefined {
  const [, type, idText, wordText] = HEAD.exec(text.slice(0, HEAD_CHARS_MAX)) ?? [];
  const id = unquoted(idText);
  const word = unquoted(wordText);
  if (id === undefined) return undefined;
  switch (Number(type)) {
    case 2:
      return word === undefined ? undefined : { kind: 'call', id, action: word };
    case 3:
      return { kind: 'result', id };
    case 4:
      return { kind: 'error', id, errorCode: word ?? '' };
    case 5:
    case 6:
      return { kind: 'other', id };
    default:
      return undefined;
  }
}

function unquoted(text: string | undefined): string | undefined {
  if (text === undefined || !text.startsWith('"')) return text;
  try {
    return String(JSON.parse(text));
  } catch {
    // An escape that JSON does not know.
    return undefined;
  }
}
