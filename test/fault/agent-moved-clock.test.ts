/**
 * The system clock of a pile is moved by a day, forwards and backwards, while the agent runs and while it is away. Nothing
 * expires by it, nothing is forgotten by it, and what is written down bears the time that the clock told.
 */
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test, type TestContext } from 'node:test';
import { execFileSync } from 'node:child_process';
import { copiesStdin } from '../fixtures/wasm/modules.ts';
import { movedClock, type MovedClock } from './moved-clock/moved-clock.ts';
import { RealPile } from './real-pile/real-pile.ts';
import type { Stored } from './real-pile/stored.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MOVES_MS = [DAY_MS, -DAY_MS] as const;
const DONORS = ['lender-1', 'lender-2', 'lender-3'];
/** How far what is written down may be from the clock. */
const SLACK_MS = 120_000;

interface ClockScene {
  readonly pile: RealPile;
  readonly clock: MovedClock;
}

function openClock(t: TestContext): MovedClock | undefined {
  const made = movedClock();
  if (!made.ok) {
    t.skip(made.why);
    return undefined;
  }
  return made.clock;
}

/** Undefined where no clock can be moved. The house is kept every second, and ends are kept for half a day. */
async function openScene(t: TestContext): Promise<ClockScene | undefined> {
  const clock = openClock(t);
  if (clock === undefined) return undefined;
  const pile = new RealPile({
    donors: [],
    runMs: 700,
    agentEnv: clock.env,
    agentConfig: {
      logLevel: 'debug',
      housekeeping: { cron: '* * * * * *' },
      policy: { lease: '1500ms', rest: '100ms', retention: '12h', deadlineDefault: '1h' },
    },
  });
  t.after(async () => {
    await pile.stop();
    clock.remove();
  });
  await pile.start();
  return { pile, clock };
}

function timesInLog({ stage }: RealPile, message: string): number {
  return readFileSync(stage.logPath('agent'), 'utf8').split(`"msg":"${message}"`).length - 1;
}

/** Twice: what was under way when the clock moved does not count. */
async function untilHouseIsKept(pile: RealPile): Promise<void> {
  const before = timesInLog(pile, 'regular work done');
  await pile.stage.until('the house to be kept', () =>
    Promise.resolve(timesInLog(pile, 'regular work done') >= before + 2),
  );
}

async function lend(pile: RealPile): Promise<void> {
  for (const [index, vehicleId] of DONORS.entries()) await pile.lend(vehicleId, index + 1);
}

/** Every task ended at the first try of each part, and nothing that was written down is from a time that no clock told. */
function assertUndisturbed({ tasks }: Stored): void {
  const nowMs = Date.now();
  const isTold = (wallMs: number): boolean =>
    [0, ...MOVES_MS].some((offsetMs) => Math.abs(wallMs - nowMs - offsetMs) < SLACK_MS);
  for (const { attempts, bookings, task } of tasks) {
    assert.deepEqual(new Set(attempts.map(({ outcome }) => outcome)), new Set(['completed']), task.taskId);
    const walls = [
      task.acceptedWallMs,
      ...attempts.flatMap(({ startedWallMs, endedWallMs }) => [startedWallMs, endedWallMs]),
      ...bookings.map(({ wallMs }) => wallMs),
    ];
    for (const wallMs of walls)
      assert.ok(isTold(wallMs), `${task.taskId}: ${new Date(wallMs).toISOString()}`);
  }
}

test('a process that is started with a clock of its own is told another time, and the steady clock goes on', (t) => {
  const clock = openClock(t);
  if (clock === undefined) return;
  t.after(() => clock.remove());
  clock.moveToMs(-DAY_MS);
  const says = 'console.log(Date.now(), performance.now())';
  const output = execFileSync(process.execPath, ['-e', says], { env: { ...process.env, ...clock.env } });
  const [wallMs = 0, monoMs = 0] = output.toString().split(' ').map(Number);
  assert.ok(Math.abs(wallMs + DAY_MS - Date.now()) < SLACK_MS);
  assert.ok(monoMs > 0 && monoMs < SLACK_MS);
});

test('a clock that is moved by a day while the agent runs ends no deadline, no lease and no retention', async (t) => {
  const scene = await openScene(t);
  if (scene === undefined) return;
  const { pile, clock } = scene;
  // These wait for a donor, for an hour at most.
  pile.underWay.askWave('before it moves');
  const image = await sendImage(pile);
  for (const offsetMs of MOVES_MS) {
    clock.moveToMs(offsetMs);
    await untilHouseIsKept(pile);
  }
  clock.moveToMs(0);
  await lend(pile);
  await pile.underWay.allEnded();
  for (const offsetMs of [...MOVES_MS, 0]) {
    // Longer than half a lease: what runs must be renewed while the clock moves.
    pile.underWay.askWave(`before ${offsetMs}`);
    await pile.stage.until('runs to be under way', async () => {
      const tasks = (await pile.stage.ask('tasks', { limit: 100 })) as { state: string }[];
      return tasks.some(({ state }) => state === 'running');
    });
    clock.moveToMs(offsetMs);
    await pile.underWay.allEnded();
    await untilHouseIsKept(pile);
  }
  // Bytes that no task needs yet are kept for a while too.
  await pile.stage.ask('addAlgorithm', image);
  assert.equal(timesInLog(pile, 'forgot old tasks'), 0);
  assertUndisturbed(await pile.assertAllDone());
});

/** As the operator's command does it; what is left is to add the algorithm. */
async function sendImage({ stage }: RealPile) {
  const bytes = Buffer.from([...copiesStdin(), ...Buffer.from('\0\x08\x04name\0\x02\x01x')]);
  const image = { digest: hash('sha256', bytes, 'hex'), sizeBytes: bytes.length };
  await stage.ask('imagePart', { ...image, offset: 0, dataBase64: bytes.toString('base64') });
  const demands = [{ cpuMillicores: 100, memoryMib: 16, threads: 1 }];
  return { id: 'sent-before', version: '1', type: 'x', runtime: 'wasm', image, demands, workCoreS: 1 };
}

test('a clock that was moved by a day while the agent was away ends nothing of what waits, runs or is kept', async (t) => {
  const scene = await openScene(t);
  if (scene === undefined) return;
  const { pile, clock } = scene;
  pile.underWay.askWave('while nobody lends');
  for (const offsetMs of [...MOVES_MS, 0]) {
    await pile.stage.killAgent();
    clock.moveToMs(offsetMs);
    await pile.stage.startAgent();
    await untilHouseIsKept(pile);
  }
  await lend(pile);
  await pile.underWay.allEnded();
  for (const offsetMs of [...MOVES_MS, 0]) {
    pile.underWay.askWave(`before ${offsetMs}`);
    await pile.stage.killAgent();
    await pile.assertNothingBroken();
    clock.moveToMs(offsetMs);
    await pile.stage.startAgent();
    await pile.underWay.allEnded();
    await untilHouseIsKept(pile);
  }
  assert.equal(timesInLog(pile, 'forgot old tasks'), 0);
  assertUndisturbed(await pile.assertAllDone());
});
