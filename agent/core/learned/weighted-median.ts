/** The median of values of which some weigh more: as much lies below it as above. Pure. */

export type Weighted = readonly [value: number, weight: number];

/** Between two where exactly half lies below; undefined of nothing. */
export function weightedMedian(values: readonly Weighted[]): number | undefined {
  if (values.length < 2) return values[0]?.[0];
  const sorted = [...values].sort(([a], [b]) => a - b);
  const half = sorted.reduce((sum, [, weight]) => sum + weight, 0) / 2;
  let below = 0;
  for (const [i, [value, weight]] of sorted.entries()) {
    below += weight;
    if (below > half) return value;
    if (below === half) return (value + (sorted[i + 1]?.[0] ?? value)) / 2;
  }
  return sorted.at(-1)?.[0];
}
