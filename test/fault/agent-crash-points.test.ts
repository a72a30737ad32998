/**
 * The agent as it runs on a pile, killed at every named point between receiving, committing and publishing, with real vehicles
 * around it. After each: the file is sound, the ledger adds up, nothing that anybody was told is missing, nothing is booked twice;
 * and it starts again and everything that was asked for ends with the right bytes.
 */
import { after, before, test } from 'node:test';
import { CRASH_POINTS, type CrashPoint } from './crash/crash-points.ts';
import { CrashScene } from './crash/crash-scene.ts';

/** Beside the first: passages that meet another message, or a batch in the middle of others. */
const LATER_PASSAGES: readonly (readonly [CrashPoint, number])[] = [
  ['request heard', 7],
  ['upload verified', 2],
  ['result heard', 4],
  ['booking synced', 3],
  ['one sent', 3],
];

const PASSAGES: readonly (readonly [CrashPoint, number])[] = [
  ...(Object.keys(CRASH_POINTS) as CrashPoint[]).map((point) => [point, 1] as const),
  ...LATER_PASSAGES,
];

const scene = new CrashScene();
const { pile } = scene;
before(() => pile.start());
after(() => scene.stop());

for (const [point, passage] of PASSAGES)
  test(`killed at "${point}"${passage === 1 ? '' : `, passage ${passage}`}: ${CRASH_POINTS[point]}`, async () => {
    await bringTo(point, passage);
    await pile.assertNothingBroken();
    await pile.stage.startAgent();
    await pile.underWay.allEnded();
  });

test('after all of that every request has one task, one result, one delivery, and each part one booking', () =>
  pile.assertAllDone());

/** Has tasks under way when the agent comes past that point, and resolves when it is gone. */
async function bringTo(point: CrashPoint, passage: number): Promise<void> {
  if (point === 'store opened' || point === 'about to listen') return diesWhileItStarts(point);
  scene.arm({ point, passage });
  pile.underWay.askWave(`${point} ${passage}`);
  if (point === 'token bound') pile.connect('newcomer').catch(() => undefined);
  if (point === 'about to close') pile.stage.tellAgentToStop();
  await scene.crashedAt(point);
}

/** Two deaths: with tasks under way, and again before it could listen. */
async function diesWhileItStarts(point: CrashPoint): Promise<void> {
  pile.underWay.askWave(point);
  await pile.stage.killAgent();
  scene.arm({ point, passage: 1 });
  await pile.stage.startAgent().catch(() => undefined);
  await scene.crashedAt(point);
}
