/** The accounting of the harvest bench, on a scene that a reader can check by hand, and the bench as a whole on made-up files. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { documentOf, measureAll } from '../../bench/harvest/bench.ts';
import { curvePoints } from '../../bench/harvest/curve.ts';
import { curveSvg } from '../../bench/harvest/curve-svg.ts';
import { parseHarvestOptions } from '../../bench/harvest/options.ts';
import { LinePolicy } from '../../bench/harvest/baselines/line-policy.ts';
import { makeBaselines } from '../../bench/harvest/baselines/rules.ts';
import { figuresOf, jainOf } from '../../bench/harvest/tally.ts';
import type { HarvestTask, Stay, Vector } from '../../bench/harvest/work.ts';
import { runWorld } from '../../bench/harvest/world.ts';

const WHOLE: Vector = { cpuMillicores: 1000, memoryMib: 1000, gpuMillis: 1000 };
const S = 1000;

function stay(vehicle: string, fromS: number, untilS: number, more: Partial<Stay> = {}): Stay {
  const [pluggedMs, unpluggedMs] = [fromS * S, untilS * S];
  return {
    connector: `site/${vehicle}/1`,
    vehicle,
    pluggedMs,
    unpluggedMs,
    chargingEndMs: unpluggedMs,
    lendsUntilMs: unpluggedMs,
    graceful: true,
    statedDepartureMs: undefined,
    ...more,
  };
}

function task(
  id: string,
  submittedS: number,
  durationS: number,
  more: Partial<HarvestTask> = {},
): HarvestTask {
  const dominant = more.dominant ?? 0.5;
  return {
    id,
    submittedMs: submittedS * S,
    durationMs: durationS * S,
    estimateMs: durationS * S,
    deadlineMs: (submittedS + 10 * durationS) * S,
    demand: { cpuMillicores: 1000 * dominant, memoryMib: 1, gpuMillis: 0 },
    dominant,
    class: 'BE',
    payer: 0,
    checkpoints: false,
    ...more,
  };
}

function firstFit(): LinePolicy {
  return makeBaselines().find(({ name }) => name === 'first-fit') as LinePolicy;
}

function run(stays: readonly Stay[], tasks: readonly HarvestTask[], policy = firstFit()) {
  return runWorld({ stays, tasks, whole: WHOLE, told: false }, policy);
}

/**
 *   a |■■■■■■■■■■| 0…100 s          b      |■■■■■■■■■■■■■■■■| 150…400 s
 *     short ████ 0…60 (done)
 *     long   ████████ 10…100 (lost)         ██████████████ 150…350 (done)
 */
test('work that was lost with its donor is badput, and what is done anew counts once', () => {
  const tally = run([stay('a', 0, 100), stay('b', 150, 400)], [task('short', 0, 60), task('long', 10, 200)]);
  assert.equal(tally.offered, 0.5 * 260 * S);
  assert.equal(tally.goodput, 0.5 * 260 * S);
  assert.equal(tally.held - tally.goodput, 0.5 * 90 * S);
  assert.equal(tally.lostAttempts, 1);
  const figures = figuresOf(tally, tally);
  assert.equal(figures.ofOffered, 1);
  assert.equal(figures.netOfClairvoyant, (260 - 90) / 260);
  assert.equal(figures.badputShare, 90 / 350);
  assert.equal(figures.completedShare, 1);
  assert.deepEqual(tally.waitsMs, [0, 0]);
});

test('a task whose deadline allows no new start is missed, and what it held is badput', () => {
  const late = task('late', 10, 200, { deadlineMs: 300 * S });
  const tally = run([stay('a', 0, 100), stay('b', 150, 400)], [task('short', 0, 60), late]);
  assert.equal(tally.completed, 1);
  assert.equal(tally.goodput, 0.5 * 60 * S);
  assert.equal(tally.held, 0.5 * (60 + 90) * S);
  assert.equal(figuresOf(tally, tally).deadlineMissShare, 0.5);
});

test('a result in the last millisecond before deadline and departure counts', () => {
  const tally = run([stay('a', 0, 100)], [task('all', 0, 100, { deadlineMs: 100 * S })]);
  assert.equal(tally.completed, 1);
});

test('a task that is never started waits until it can no longer end in time', () => {
  const tally = run([stay('a', 500, 600)], [task('early', 0, 100, { deadlineMs: 250 * S })]);
  assert.equal(tally.held, 0);
  assert.deepEqual(tally.waitsMs, [150 * S + 1]);
});

test('a checkpoint on the stop request leaves nothing lost', () => {
  const long = task('long', 10, 200, { checkpoints: true });
  const tally = run([stay('a', 0, 100), stay('b', 150, 400)], [long]);
  assert.equal(tally.held, tally.goodput);
  assert.equal(tally.completed, 1);
});

test('a vehicle that is torn off keeps only the checkpoints that were written as it ran', () => {
  const policy = new LinePolicy('each minute', ({ waiting, donors }, start) => {
    for (const open of waiting) if (donors[0] !== undefined) start(open, donors[0]);
  });
  const long = task('long', 10, 1000, { checkpoints: true });
  // It writes one each 10 minutes; of the 890 s on `a`, 600 s are kept.
  const tally = run([stay('a', 0, 900, { graceful: false }), stay('b', 900, 3000)], [long], policy);
  assert.equal(tally.held - tally.goodput, 0.5 * 290 * S);
});

test('a task that takes longer than it was told to is stopped at its deadline', () => {
  const tally = run(
    [stay('a', 0, 1000)],
    [task('slow', 0, 200, { estimateMs: 50 * S, deadlineMs: 100 * S })],
  );
  assert.equal(tally.completed, 0);
  assert.equal(tally.held, 0.5 * 100 * S);
});

test('Jain’s index is 1 where all got the same share, and 1/n where one got everything', () => {
  assert.equal(jainOf([0.4, 0.4, 0.4, 0.4]), 1);
  assert.equal(jainOf([1, 0, 0, 0]), 0.25);
});

test('a policy that starts what does not fit is found out', () => {
  const greedy = new LinePolicy('greedy', ({ waiting, donors }, start) => {
    for (const open of waiting) if (donors[0] !== undefined) start(open, donors[0]);
  });
  assert.throws(
    () => run([stay('a', 0, 100)], [task('x', 0, 10), task('y', 0, 10, { dominant: 0.6 })], greedy),
    /does not fit/,
  );
});

test('the bench runs every policy on made-up sessions and tasks, and says for each how it did', async () => {
  const harvest = await measureAll(
    parseHarvestOptions(['--profile', 'apartments', '--limit-days', '0.5', '--estimate-error', '0.5']),
  );
  const { policies, tasks, sessions, load } = documentOf(harvest);
  assert.ok(tasks > 50 && sessions > 20 && Math.abs(load - 1) < 0.1);
  assert.deepEqual(
    policies.map(({ policy }) => policy),
    [
      'plugpool',
      'plugpool-no-sub-pools',
      'random',
      'first-fit',
      'best-fit',
      'last-fit',
      'even-split-fcfs',
      'priority-first-fit',
      'minute-cycles',
    ],
  );
  for (const { policy, ...figures } of policies)
    for (const [name, figure] of Object.entries(figures))
      assert.ok(Number.isFinite(figure), `${policy} ${name}`);
  const ours = policies[0];
  assert.ok(
    ours !== undefined && ours.ofOffered > 0.3 && ours.completedShare + ours.deadlineMissShare > 0.999,
  );
});

test('the curve has ours at every bar and each baseline once, and is drawn', () => {
  const tally = run([stay('a', 0, 100), stay('b', 150, 400)], [task('short', 0, 60), task('long', 10, 200)]);
  const measured = { policy: 'first-fit', tally, elapsedMs: 1 };
  const points = curvePoints({
    clairvoyant: measured,
    runs: [measured],
    curve: [{ bar: 0.6, run: measured }],
  });
  const expected = { goodput: 1, badput: 90 / 260, net: 170 / 260 };
  assert.deepEqual(points, [
    { policy: 'plugpool', bar: 0.6, ...expected },
    { policy: 'first-fit', ...expected },
  ]);
  assert.match(curveSvg(points), /<polyline.*>[\s\S]*>0.6<[\s\S]*>first-fit</);
});

test('an option that is no number, or out of its bounds, is refused with the bounds', () => {
  assert.throws(
    () => parseHarvestOptions(['--checkpoints', '2']),
    /--checkpoints must be a number from 0 to 1, not 2/,
  );
  assert.throws(() => parseHarvestOptions(['--lend', 'always']), /--lend is charging or plugged, not always/);
});
