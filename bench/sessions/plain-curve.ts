/** The plain survival curve: of the stays that lasted so long, the share that lasted so much longer (all ends are known). */

const MINUTE_MS = 60_000;
const MINUTES_MAX = 14 * 24 * 60 + 1;

export class PlainCurve {
  /** How many stays lasted so many whole minutes, as a tree of sums: learning and asking both cost a logarithm. */
  readonly #sums = new Uint32Array(MINUTES_MAX + 1);
  #stays = 0;

  learn(lastedMs: number): void {
    this.#stays += 1;
    for (let at = minuteOf(lastedMs) + 1; at <= MINUTES_MAX; at += at & -at)
      this.#sums[at] = (this.#sums[at] ?? 0) + 1;
  }

  /** 0 where no stay lasted so long. */
  survives(elapsedMs: number, leadMs: number): number {
    const atRisk = this.#atLeast(elapsedMs);
    return atRisk === 0 ? 0 : this.#atLeast(elapsedMs + leadMs) / atRisk;
  }

  #atLeast(ms: number): number {
    let below = 0;
    for (let at = minuteOf(ms); at > 0; at -= at & -at) below += this.#sums[at] ?? 0;
    return this.#stays - below;
  }
}

function minuteOf(ms: number): number {
  return Math.min(MINUTES_MAX - 1, Math.ceil(ms / MINUTE_MS));
}
