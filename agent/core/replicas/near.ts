/** When two numbers are the same within a tolerance. Pure. */

/** What is no number is the same as what is no number; infinities only as themselves. */
export function isNear(x: number, y: number, tolerance: number): boolean {
  if (Object.is(x, y) || x === y) return true;
  if (!Number.isFinite(x) || !Number.isFinite(y)) return Number.isNaN(x) && Number.isNaN(y);
  return Math.abs(x - y) <= tolerance * Math.max(1, Math.abs(x), Math.abs(y));
}
