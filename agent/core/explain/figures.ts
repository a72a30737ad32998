/** Numbers as a person reads them in an explanation. */

export function thousands(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 core`, `2.5 cores`. */
export function counted(count: number, noun: string): string {
  return `${Number(count.toFixed(2))} ${noun}${count === 1 ? '' : 's'}`;
}

/** What is needed is rounded up, what is there with `Math.floor`. Seconds up to ten minutes, since two of them are compared. */
export function lengthInWords(ms: number, round = Math.ceil): string {
  if (ms < 10_000) return `${(round(ms / 100) / 10).toFixed(1)} s`;
  if (ms <= 600_000) return `${round(ms / 1000)} s`;
  const minutes = round(ms / 60_000);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Rounded down, so that what is below a bar is not shown as equal to it. */
export function probability(millis: number): string {
  return (Math.floor(millis / 10) / 100).toFixed(2);
}

export function barInWords(millis: number): string {
  return (millis / 1000).toFixed(millis % 10 === 0 ? 2 : 3);
}

/** What is needed is rounded up, what is there with `Math.floor`. */
export function watts(mw: number, round = Math.ceil): string {
  return `${thousands(round(mw / 1000))} W`;
}
