/** Keeps what strangers cause from filling the log: a few lines a while, then how many were left out. */

const LINES_AT_ONCE = 20;
const WHILE_MS = 10_000;

export class RareLine {
  #sinceMs = -Infinity;
  #lines = 0;
  #leftOut = 0;

  /** Calls `write` where a line may still be written; `leftOut` is how many were not since the last one. */
  tell(nowMs: number, write: (leftOut: number) => void): void {
    if (nowMs - this.#sinceMs >= WHILE_MS) [this.#sinceMs, this.#lines] = [nowMs, 0];
    if (this.#lines >= LINES_AT_ONCE) {
      this.#leftOut += 1;
      return;
    }
    this.#lines += 1;
    const leftOut = this.#leftOut;
    this.#leftOut = 0;
    write(leftOut);
  }
}
