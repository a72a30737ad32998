/** Whether two JSON texts say the same, with their numbers within a tolerance. Pure. */
import { isNear } from './near.ts';
import { isSameBytes } from './same-bytes.ts';

const DEPTH_MAX = 64;

/** What is no JSON is the same only as the same bytes. */
export function isSameJson([a, b]: readonly [Uint8Array, Uint8Array], tolerance: number): boolean {
  if (isSameBytes(a, b)) return true;
  const [left, right] = [parse(a), parse(b)];
  if (left === undefined || right === undefined) return false;
  return isSame(left.value, right.value, tolerance, DEPTH_MAX);
}

function parse(bytes: Uint8Array): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown };
  } catch {
    return undefined;
  }
}

/** What nests deeper is not looked into: it differs. */
function isSame(a: unknown, b: unknown, tolerance: number, depth: number): boolean {
  if (typeof a === 'number' && typeof b === 'number') return isNear(a, b, tolerance);
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  if (depth === 0 || Array.isArray(a) !== Array.isArray(b)) return false;
  const [keys, others] = [Object.keys(a), Object.keys(b)];
  return (
    keys.length === others.length &&
    keys.every(
      (key) => Object.hasOwn(b, key) && isSame(valueOf(a, key), valueOf(b, key), tolerance, depth - 1),
    )
  );
}

function valueOf(object: object, key: string): unknown {
  return (object as Readonly<Record<string, unknown>>)[key];
}
