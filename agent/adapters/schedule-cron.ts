/** Work at set times, on node-cron: never twice at once, a failure is logged and the next time comes. */
import { schedule, type ScheduledTask } from 'node-cron';

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
  #task: ScheduledTask | undefined;
  #running: Promise<void> | undefined;

  constructor(options: CronScheduleOptions) {
    this.#options = options;
  }

  start(): void {
    const { expression, name } = this.#options;
    // It sleeps across a suspended machine; the missed time is made up for by the next.
    this.#task = schedule(expression, () => this.#run(), { name, suppressMissedWarning: true });
  }

  async stop(): Promise<void> {
    await this.#task?.destroy();
    this.#task = undefined;
    await this.#running;
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
