/** What the agent does at set times: what is old is forgotten, the store is checked whole, what accrued is settled. */
import { createCronSchedule, type CronLog, type CronSchedule } from './adapters/schedule-cron.ts';
import type { Config } from './config/config.ts';
import type { OperatorAnswer } from './core/events.ts';
import type { LedgerCare } from './ledger-care.ts';
import type { StoreCare } from './store-care.ts';

export interface RegularWorkParts {
  readonly config: Pick<Config, 'housekeepingCron' | 'storeCheckCron' | 'settleCron'>;
  readonly agent: { keepHouse(): Promise<object> };
  readonly care: Pick<StoreCare, 'check' | 'view'>;
  readonly ledger: Pick<LedgerCare, 'settle'>;
  readonly log: CronLog;
}

export class RegularWork {
  readonly #schedules: readonly CronSchedule[];

  constructor({ config, agent, care, ledger, log }: RegularWorkParts) {
    const checkStore = async () => {
      await care.check();
      return care.view().check;
    };
    const settle = async () => settledBy(await ledger.settle());
    this.#schedules = [
      { name: 'housekeeping', expression: config.housekeepingCron, work: () => agent.keepHouse() },
      { name: 'store check', expression: config.storeCheckCron, work: checkStore },
      { name: 'settlement', expression: config.settleCron, work: settle },
    ].map((each) => createCronSchedule({ ...each, log }));
  }

  start(): void {
    for (const schedule of this.#schedules) schedule.start();
  }

  /** Resolves when work that is under way has ended. */
  async stop(): Promise<void> {
    for (const schedule of this.#schedules) await schedule.stop();
  }
}

/** A refusal is an error of regular work: it is logged, and the next time comes. */
function settledBy(answer: OperatorAnswer): object {
  if (answer.ok) return answer.value as object;
  throw new Error(answer.detail);
}
