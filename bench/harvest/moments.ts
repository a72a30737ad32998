/** What is due in the simulated clock, earliest first (a binary heap); in the same moment by rank, then in the order of adding. */

interface Moment<What> {
  readonly atMs: number;
  readonly rank: number;
  readonly what: What;
}

interface Entry<What> extends Moment<What> {
  readonly order: number;
}

export class Moments<What> {
  readonly #heap: Entry<What>[] = [];
  #added = 0;

  get nextMs(): number {
    return this.#heap[0]?.atMs ?? Infinity;
  }

  add(atMs: number, rank: number, what: What): void {
    const heap = this.#heap;
    let index = heap.push({ atMs, rank, what, order: this.#added++ }) - 1;
    for (
      let parent = (index - 1) >> 1;
      index > 0 && this.#isBefore(index, parent);
      parent = (index - 1) >> 1
    ) {
      this.#swap(index, parent);
      index = parent;
    }
  }

  take(): Moment<What> | undefined {
    const first = this.#heap[0];
    const last = this.#heap.pop();
    if (first === undefined || last === undefined || this.#heap.length === 0) return first;
    this.#heap[0] = last;
    this.#sink();
    return first;
  }

  #sink(): void {
    const { length } = this.#heap;
    for (let index = 0; ;) {
      const left = 2 * index + 1;
      if (left >= length) return;
      const child = left + 1 < length && this.#isBefore(left + 1, left) ? left + 1 : left;
      if (!this.#isBefore(child, index)) return;
      this.#swap(child, index);
      index = child;
    }
  }

  #isBefore(index: number, than: number): boolean {
    const a = this.#heap[index] as Entry<What>;
    const b = this.#heap[than] as Entry<What>;
    return (a.atMs - b.atMs || a.rank - b.rank || a.order - b.order) < 0;
  }

  #swap(a: number, b: number): void {
    const kept = this.#heap[a] as Entry<What>;
    this.#heap[a] = this.#heap[b] as Entry<What>;
    this.#heap[b] = kept;
  }
}
