/** Reads a line of the relay's tap: the relay is ours, but another version of it may run. */
import { fieldsOf } from './payload-fields.ts';
import type { TapLine } from './tap.ts';

const SUBPROTOCOLS: ReadonlySet<unknown> = new Set(['ocpp1.6', 'ocpp2.0.1', 'ocpp2.1']);

/** Absent where it is none that this version knows. */
export function parseTapLine(text: string): TapLine | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isTapLine(value) ? value : undefined;
}

function isTapLine(value: unknown): value is TapLine {
  const { t, pile, atWallMs, ...rest } = fieldsOf(value);
  const isOfPile = typeof pile === 'string' && typeof atWallMs === 'number';
  switch (t) {
    case 'hello':
      return typeof rest['version'] === 'number' && Array.isArray(rest['allow']);
    case 'pile':
      return (
        isOfPile &&
        SUBPROTOCOLS.has(rest['subprotocol']) &&
        (rest['link'] === 'up' || rest['link'] === 'down')
      );
    case 'frame':
      return isOfPile && typeof rest['text'] === 'string' && ['pile', 'csms'].includes(String(rest['from']));
    case 'answer':
      return typeof rest['call'] === 'string' && typeof fieldsOf(rest['outcome'])['ok'] === 'boolean';
    default:
      return t === 'recalledAll';
  }
}
