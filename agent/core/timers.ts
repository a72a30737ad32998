/** What falls due when: a binary heap of named times, in which a name is set again or cleared at will. */

interface Entry<Name extends string> {
  readonly name: Name;
  readonly dueMs: number;
}

/**
 * Setting or clearing leaves the old entry in the heap and marks it void by `#due`; the heap is rebuilt when more than half
 * of it is void, so that a day's deadlines of tasks that took a millisecond do not pile up.
 */
export class Timers<Name extends string = string> {
  readonly #due = new Map<Name, number>();
  #heap: Entry<Name>[] = [];

  get size(): number {
    return this.#due.size;
  }

  set(name: Name, dueMs: number): void {
    this.#due.set(name, dueMs);
    this.#push({ name, dueMs });
    if (this.#heap.length > 64 && this.#heap.length > 2 * this.#due.size) this.#rebuild();
  }

  has(name: Name): boolean {
    return this.#due.has(name);
  }

  clear(name: Name): void {
    this.#due.delete(name);
  }

  /** When the next one falls due. */
  nextMs(): number | undefined {
    this.#dropVoid();
    return this.#heap[0]?.dueMs;
  }

  /** Removes and returns one that is due, the earliest first. */
  takeDue(nowMs: number): Name | undefined {
    this.#dropVoid();
    const first = this.#heap[0];
    if (first === undefined || first.dueMs > nowMs) return undefined;
    this.#due.delete(first.name);
    this.#pop();
    return first.name;
  }

  #dropVoid(): void {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || this.#due.get(first.name) === first.dueMs) return;
      this.#pop();
    }
  }

  #rebuild(): void {
    this.#heap = [...this.#due].map(([name, dueMs]) => ({ name, dueMs }));
    // A sorted array is a heap. Names break ties, so that one seed always gives one order.
    this.#heap.sort((a, b) => (isBefore(a, b) ? -1 : 1));
  }

  #push(entry: Entry<Name>): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(entry, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Entry<string>, b: Entry<string>): boolean {
  return a.dueMs !== b.dueMs ? a.dueMs < b.dueMs : a.name < b.name;
}
