/**
 * Vehicles that are killed at every named point of lending and of asking, and come back: what was computed counts once or is
 * computed again, what was asked becomes one task, and the application has each result under the name that it gave the request.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { ChildProcess } from 'node:child_process';
import { CrashPlan } from './crash/crash-plan.ts';
import {
  DONOR_POINTS,
  REQUESTER_POINTS,
  type CrashPoint,
  type DonorPoint,
  type RequesterPoint,
} from './crash/crash-points.ts';
import { readRecorded } from './real-pile/history-file.ts';
import { RealPile } from './real-pile/real-pile.ts';
import { backwards } from './real-pile/slow-runtime.ts';

const PROGRAMS = path.join(import.meta.dirname, 'real-pile');

/** Resolves with what ended it; at once where it is gone. */
async function endOf(child: ChildProcess): Promise<NodeJS.Signals | undefined> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return child.signalCode ?? undefined;
}

function crashedAt(plan: CrashPlan, point: CrashPoint, child: ChildProcess, log: string): Promise<void> {
  return plan.crashedAt(point, endOf(child), () => readFileSync(log, 'utf8').slice(-2000));
}

describe('a donor that is killed', () => {
  const plan = new CrashPlan();
  // Long enough that a result may wait in the outbox for a pile that says nothing.
  const pile = new RealPile({ donors: [], agentConfig: { policy: { lease: '10s', rest: '100ms' } } });
  let donor: ChildProcess;
  const RUN_MS = 200;

  function startLender(): void {
    const args = [pile.stage.url, pile.stage.dir, 'lender', String(RUN_MS), String(pile.stage.agentPid)];
    const program = path.join(PROGRAMS, 'lender.ts');
    donor = pile.stage.startProgram('lender', program, args, { env: plan.env });
  }

  before(async () => {
    await pile.start();
    await pile.plugIn('lender', 1);
    startLender();
  });
  after(async () => {
    await pile.stop();
    plan.remove();
  });

  for (const point of Object.keys(DONOR_POINTS) as DonorPoint[])
    test(`killed at ${point}: ${DONOR_POINTS[point]}`, async () => {
      plan.arm({ point, passage: 1 });
      pile.underWay.askWave(point);
      if (point === 'result kept' || point === 'result forgotten') await whileThePileIsSilent();
      await crashedAt(plan, point, donor, pile.stage.logPath('lender'));
      startLender();
      await pile.underWay.allEnded();
    });

  test('what it handed in is credited, each part once, and nothing else is', async () => {
    pile.history.push(...readRecorded(path.join(pile.stage.dir, 'lender.history')));
    pile.history.sort((left, right) => left.atMs - right.atMs);
    await pile.assertAllDone();
  });

  /** The donor stops it, so that its result comes into the outbox; then it goes on. */
  async function whileThePileIsSilent(): Promise<void> {
    try {
      await pile.stage.until('a result to be in the outbox', () =>
        Promise.resolve(plan.hasPassed('result kept')),
      );
    } finally {
      process.kill(pile.stage.agentPid, 'SIGCONT');
    }
  }
});

describe('a requester that is killed', () => {
  const plan = new CrashPlan();
  const pile = new RealPile({ agentConfig: { policy: { lease: '2s', rest: '100ms' } } });
  const dir = path.join(pile.stage.dir, 'application');
  const points = Object.keys(REQUESTER_POINTS) as RequesterPoint[];

  const namesOf = (point: RequesterPoint): string[] =>
    [1, 2, 3].map((n) => `${point.replaceAll(' ', '-')}-${n}`);

  function startAsker(point: RequesterPoint): ChildProcess {
    const args = [pile.stage.url, dir, 'caller', ...namesOf(point)];
    return pile.stage.startProgram('caller', path.join(PROGRAMS, 'asker.ts'), args, { env: plan.env });
  }

  before(async () => {
    mkdirSync(dir);
    await pile.start();
  });
  after(async () => {
    await pile.stop();
    plan.remove();
  });

  for (const point of points)
    test(`killed at ${point}: ${REQUESTER_POINTS[point]}`, async () => {
      plan.arm({ point, passage: 2 });
      await crashedAt(plan, point, startAsker(point), pile.stage.logPath('caller'));
      const again = startAsker(point);
      assert.equal(await endOf(again), undefined);
      assert.equal(again.exitCode, 0, readFileSync(pile.stage.logPath('caller'), 'utf8').slice(-2000));
      for (const name of namesOf(point))
        assert.deepEqual(readFileSync(path.join(dir, `${name}.result`)), backwards(Buffer.from(name)));
      assert.ok(handedOver(point).every((times) => times === 1 || times === 2));
    });

  test('each of its requests became one task, ran once and was charged once', async () => {
    pile.history.push(...readRecorded(path.join(dir, 'caller.history')));
    pile.history.sort((left, right) => left.atMs - right.atMs);
    await pile.assertAllDone(points.length * 3);
  });

  /** How often the application was given each result: again where it fell before it could say that it has it. */
  function handedOver(point: RequesterPoint): number[] {
    const lines = readFileSync(path.join(dir, 'caller.handed-over'), 'utf8').split('\n');
    return namesOf(point).map((name) => lines.filter((line) => line === name).length);
  }
});
