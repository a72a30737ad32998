/** Whose results were said to be safe here: a pile that forgot it, because it fell before it wrote it, is told again. */
import type { TaskId } from '@plugpool/proto';

/** Acknowledged results that are remembered. */
const ACKNOWLEDGED_MAX = 4096;

export class AcknowledgedTasks {
  /** The latest last. */
  readonly #taskIds = new Set<TaskId>();

  has(taskId: TaskId): boolean {
    return this.#taskIds.has(taskId);
  }

  add(taskId: TaskId): void {
    this.#taskIds.delete(taskId);
    this.#taskIds.add(taskId);
    for (const oldest of this.#taskIds) {
      if (this.#taskIds.size <= ACKNOWLEDGED_MAX) break;
      this.#taskIds.delete(oldest);
    }
  }
}
