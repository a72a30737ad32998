/** One line on a terminal that shows how a task goes on, drawn over itself. */
import type { TaskEvent } from '../requested-task.ts';
import { describeDuration, describeReason } from './words.ts';

const BAR_CHARS = 20;
const DRAW_EVERY_MS = 200;

export class ProgressLine {
  readonly #stream: NodeJS.WritableStream;
  readonly #startedMonoMs = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #words = 'waiting for the pile';
  #progressPermille = 0;

  /** Silent where nobody looks on. */
  constructor(stream: NodeJS.WritableStream, isShown: boolean) {
    this.#stream = stream;
    if (isShown) this.#timer = setInterval(() => this.#draw(), DRAW_EVERY_MS);
  }

  show(event: TaskEvent): void {
    switch (event.kind) {
      case 'accepted':
        this.#words = 'accepted, waiting for a vehicle';
        break;
      case 'update': {
        const moved = event.attempt > 1 ? `, attempt ${event.attempt}` : '';
        const why = event.reason === '' ? '' : ` (${describeReason(event.reason)})`;
        this.#words =
          event.donor === '' ? `${event.state}${why}` : `${event.state} on ${event.donor}${moved}${why}`;
        this.#progressPermille = event.progressPermille;
        break;
      }
      case 'ended':
        this.#words = event.state;
    }
    if (this.#timer !== undefined) this.#draw();
  }

  end(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#stream.write('\r\u001b[K');
  }

  #draw(): void {
    const elapsed = describeDuration(performance.now() - this.#startedMonoMs);
    this.#stream.write(`\r\u001b[K${this.#bar()} ${elapsed}  ${this.#words}`);
  }

  /** Most programs tell no progress: then a mark goes to and fro to say that somebody is there. */
  #bar(): string {
    if (this.#progressPermille > 0) {
      const full = Math.round((this.#progressPermille / 1000) * BAR_CHARS);
      return `[${'#'.repeat(full)}${'-'.repeat(BAR_CHARS - full)}]`;
    }
    const step = Math.floor((performance.now() - this.#startedMonoMs) / DRAW_EVERY_MS) % (2 * BAR_CHARS - 2);
    const at = step < BAR_CHARS ? step : 2 * BAR_CHARS - 2 - step;
    return `[${'-'.repeat(at)}#${'-'.repeat(BAR_CHARS - 1 - at)}]`;
  }
}
