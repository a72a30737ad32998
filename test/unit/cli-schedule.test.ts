/** The agent's regular work: at its times, never twice at once, and a failure is not the end. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { createCronSchedule } from '../../agent/adapters/schedule-cron.ts';

/** Lets what is due run: node-cron goes through several promises for each time. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

function everyMinute(t: TestContext, work: () => Promise<object>) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: Date.UTC(2026, 0, 1, 0, 0, 30) });
  const said: string[] = [];
  const say = (_: object, message: string): void => void said.push(message);
  const log = { debug: say, warn: say, error: say };
  const schedule = createCronSchedule({ name: 'test', expression: '* * * * *', work, log });
  const minutePasses = async (): Promise<void> => {
    for (let second = 0; second < 60; second++) {
      t.mock.timers.tick(1000);
      await settle();
    }
  };
  return { schedule, said, minutePasses };
}

test('it works once a time, and not before the first', async (t) => {
  let count = 0;
  const { schedule, minutePasses } = everyMinute(t, async () => ({ count: ++count }));
  schedule.start();
  await settle();
  assert.equal(count, 0);
  await minutePasses();
  assert.equal(count, 1);
  await minutePasses();
  assert.equal(count, 2);
  await schedule.stop();
  await minutePasses();
  assert.equal(count, 2);
});

test('a time that comes while it is still at work is left out, and a stop waits for the work', async (t) => {
  let count = 0;
  const end = Promise.withResolvers<object>();
  const { schedule, said, minutePasses } = everyMinute(t, () => {
    count += 1;
    return end.promise;
  });
  schedule.start();
  await minutePasses();
  await minutePasses();
  assert.equal(count, 1);
  assert.deepEqual(said, ['still under way, this time is left out']);
  let isStopped = false;
  const stopped = schedule.stop().then(() => (isStopped = true));
  await settle();
  assert.equal(isStopped, false);
  end.resolve({});
  await stopped;
});

test('work that fails is logged, and done again at the next time', async (t) => {
  let count = 0;
  const { schedule, said, minutePasses } = everyMinute(t, async () => {
    count += 1;
    if (count === 1) throw new Error('the disk');
    return {};
  });
  schedule.start();
  await minutePasses();
  await minutePasses();
  assert.deepEqual(said, ['regular work failed', 'regular work done']);
  await schedule.stop();
});

/** A wall clock that can be set, beside timers that know nothing of it. */
function settableClock(t: TestContext, startMs: number) {
  const RealDate = Date;
  const clock = { wallMs: startMs };
  class SetDate extends RealDate {
    constructor(...given: readonly [number | string] | readonly []) {
      super(...((given.length === 0 ? [clock.wallMs] : given) as [number]));
    }

    static override now(): number {
      return clock.wallMs;
    }
  }
  globalThis.Date = SetDate as DateConstructor;
  t.after(() => (globalThis.Date = RealDate));
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const minutePasses = async (): Promise<void> => {
    for (let second = 0; second < 60; second++) {
      clock.wallMs += 1000;
      t.mock.timers.tick(1000);
      await settle();
    }
  };
  return { clock, minutePasses };
}

test('a clock that is set back by a day delays nothing, and one that is set forward by years has the work done once', async (t) => {
  const { clock, minutePasses } = settableClock(t, Date.UTC(2026, 0, 2, 0, 0, 30));
  let count = 0;
  const work = async () => ({ count: ++count });
  const say = (): void => undefined;
  const log = { debug: say, warn: say, error: say };
  const schedule = createCronSchedule({ name: 'test', expression: '* * * * *', work, log });
  const worksIn = async (minutes: number): Promise<number> => {
    const before = count;
    for (let minute = 0; minute < minutes; minute++) await minutePasses();
    return count - before;
  };
  schedule.start();
  assert.equal(await worksIn(2), 2);
  clock.wallMs = Date.UTC(2026, 0, 1, 0, 0, 30);
  // It is seen within a minute.
  assert.ok((await worksIn(4)) >= 3);
  clock.wallMs = Date.UTC(2046, 0, 1, 0, 0, 30);
  const worked = await worksIn(4);
  assert.ok(worked === 4 || worked === 5, `it worked ${worked} times in four minutes`);
  await schedule.stop();
});
