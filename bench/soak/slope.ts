/** The straight line through samples that lies nearest to them: least squares. */

export interface Sample {
  readonly atMs: number;
  readonly value: number;
}

/** How much the value grows in a millisecond. */
export function slopeOf(samples: readonly Sample[]): number {
  const meanMs = mean(samples.map(({ atMs }) => atMs));
  const meanValue = mean(samples.map(({ value }) => value));
  let [together, alone] = [0, 0];
  for (const { atMs, value } of samples) {
    together += (atMs - meanMs) * (value - meanValue);
    alone += (atMs - meanMs) ** 2;
  }
  return together / alone;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
