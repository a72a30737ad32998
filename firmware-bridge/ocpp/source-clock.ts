/** What a pile's clock says of its messages: which of its times can be meant, and how far they lie behind ours. */

/** Before OCPP 1.6 was there; a pile that has not been told the time begins at 1970 or 2000. */
const EARLIEST_WALL_MS = Date.UTC(2015, 0, 1);
const AHEAD_MS_MAX = 24 * 3600 * 1000;
const LAGS_MAX = 8;

export class SourceClock {
  #lagsMs: readonly number[] = [];

  /** The time as it may go on; absent where it cannot be meant. */
  read(sourceWallMs: number | undefined, receivedWallMs: number): number | undefined {
    if (sourceWallMs === undefined || sourceWallMs < EARLIEST_WALL_MS) return undefined;
    if (sourceWallMs > receivedWallMs + AHEAD_MS_MAX) return undefined;
    this.#lagsMs = [...this.#lagsMs, receivedWallMs - sourceWallMs].slice(-LAGS_MAX);
    return sourceWallMs;
  }

  /** What the pile's clock showed at `receivedWallMs`: a clock an hour off lags in every message, a queued message more than others. */
  at(receivedWallMs: number): number {
    return receivedWallMs - (this.#lagsMs.length === 0 ? 0 : Math.min(...this.#lagsMs));
  }
}
