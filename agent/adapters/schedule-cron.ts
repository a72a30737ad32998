/**
 * Work at set times: never twice at once, a failure is logged and the next time comes.
 *
 * node-cron says when the next time is; the waiting is done here. Its own goes on waiting for the time that it once reckoned: set
 * back by a day, a clock would keep it idle for that day, and one that is set forward by years, as on a pile that has no clock of
 * its own, would have it walk through every time between.
 */
import { createTask, type ScheduledTask } from 'node-cron';

/** However far the next time is, the clock is looked at so often: it may be set meanwhile. */
const LOOK_EVERY_MS = 60_000;

export interface CronLog {
  debug(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface CronScheduleOptions {
  readonly name: string;
  /** Five fields, local time; six with seconds before them. */
  readonly expression: string;
  readonly work: () => Promise<object>;
  readonly log: CronLog;
}

export interface CronSchedule {
  start(): void;
  /** Resolves when work that is under way has ended. */
  stop(): Promise<void>;
}

export function createCronSchedule(options: CronScheduleOptions): CronSchedule {
  return new NodeCronSchedule(options);
}

class NodeCronSchedule implements CronSchedule {
  readonly #options: CronScheduleOptions;
  readonly #times: ScheduledTask;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  constructor(options: CronScheduleOptions) {
    this.#options = options;
    // Never started: it is asked for times alone.
    this.#times = createTask(options.expression, () => undefined, { name: options.name });
  }

  start(): void {
    const [next] = this.#times.getNextRuns(1);
    // An expression that never matches again, as the 30th of February.
    if (next !== undefined) this.#wait(next.getTime());
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#running;
  }

  #wait(dueWallMs: number): void {
    const delayMs = Math.min(Math.max(0, dueWallMs - Date.now()), LOOK_EVERY_MS);
    this.#timer = setTimeout(() => this.#look(dueWallMs), delayMs);
  }

  /** Times that the clock leapt over are made up for by this one. */
  #look(dueWallMs: number): void {
    if (Date.now() >= dueWallMs) void this.#run();
    this.start();
  }

  async #run(): Promise<void> {
    if (this.#running !== undefined) {
      this.#options.log.warn({ name: this.#options.name }, 'still under way, this time is left out');
      return;
    }
    this.#running = this.#work();
    await this.#running;
    this.#running = undefined;
  }

  async #work(): Promise<void> {
    const { name, log, work } = this.#options;
    try {
      log.debug({ name, ...(await work()) }, 'regular work done');
    } catch (error) {
      log.error({ name, err: error }, 'regular work failed');
    }
  }
}
