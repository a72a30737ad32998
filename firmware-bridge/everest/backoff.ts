/** How long to wait before the next try to reach EVerest's broker: full jitter under a ceiling that doubles. */

const FIRST_MS = 200;
const CEILING_MS = 10_000;

/** Delays without end; `random` gives 0 ≤ x < 1. */
export function* retryDelaysMs(random: () => number): Generator<number, never> {
  for (let ceilingMs = FIRST_MS; ; ceilingMs = Math.min(CEILING_MS, ceilingMs * 2))
    yield FIRST_MS / 2 + Math.floor(random() * ceilingMs);
}
