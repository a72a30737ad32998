/** The tasks that have not ended, the earliest deadline first. Each has exactly one, so none needs a name. */
import type { Task } from '../state.ts';

/** A binary heap; a task that has ended stays in it until it comes to the top, or until half of them have. */
export class Deadlines {
  #heap: Task[] = [];
  #ended = 0;

  get size(): number {
    return this.#heap.length - this.#ended;
  }

  add(task: Task): void {
    this.#heap.push(task);
    this.#rise(this.#heap.length - 1);
  }

  /** The task has ended. */
  drop(): void {
    this.#ended += 1;
    if (this.#heap.length > 64 && this.#ended * 2 > this.#heap.length) this.#rebuild();
  }

  nextMs(): number | undefined {
    return this.#first()?.deadlineMonoMs;
  }

  /** One whose deadline has passed; the caller ends it. */
  passed(nowMs: number): Task | undefined {
    const first = this.#first();
    return first === undefined || first.deadlineMonoMs > nowMs ? undefined : first;
  }

  has(task: Task): boolean {
    return task.end === undefined && this.#heap.includes(task);
  }

  #first(): Task | undefined {
    for (;;) {
      const first = this.#heap[0];
      if (first?.end === undefined) return first;
      this.#ended -= 1;
      this.#takeFirst();
    }
  }

  #rebuild(): void {
    this.#heap = this.#heap.filter(({ end }) => end === undefined);
    this.#ended = 0;
    // A sorted array is a heap.
    this.#heap.sort((a, b) => (isBefore(a, b) ? -1 : 1));
  }

  #rise(from: number): void {
    const heap = this.#heap;
    const task = heap[from] as Task;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(task, heap[parent] as Task)) break;
      heap[at] = heap[parent] as Task;
      at = parent;
    }
    heap[at] = task;
  }

  #takeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop() as Task;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Task, heap[child] as Task)) child += 1;
      if (!isBefore(heap[child] as Task, last)) break;
      heap[at] = heap[child] as Task;
      at = child;
    }
    heap[at] = last;
  }
}

/** Ids break ties, so that one seed always gives one order. */
function isBefore(a: Task, b: Task): boolean {
  if (a.deadlineMonoMs !== b.deadlineMonoMs) return a.deadlineMonoMs < b.deadlineMonoMs;
  return a.record.taskId < b.record.taskId;
}
