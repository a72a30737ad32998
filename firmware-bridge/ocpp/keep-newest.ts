/** Makes room for one more in a bounded map or set: whoever was put in first goes. */
export function keepNewest(kept: Map<string, unknown> | Set<string>, max: number): void {
  for (const oldest of kept.keys()) {
    if (kept.size < max) return;
    kept.delete(oldest);
  }
}
