/** A co-presence proof by itself: who feels the pattern passes, who guesses does not, and where nothing can be felt nothing is said. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { VehicleId } from '@plugpool/proto';
import {
  beginTrial,
  falseAcceptance,
  note,
  SLOT_MS,
  SLOTS,
  TRIAL_MS,
  verdictOf,
  type PresenceTrial,
  type PresenceVerdict,
} from '../../agent/core/binding/presence-trial.ts';
import { PRESENCE_TRIES_PER_STAY_MAX } from '../../agent/core/limits.ts';
import { nextUint32, seededRandom, type Random } from '../../agent/core/random.ts';

const KEY = [1, 2, 3, 4, 5, 6, 7, 8];
const CAR = 'car' as VehicleId;
const FULL_W = 11_000;
const CAP_W = 6_600;

const uniform = (random: Random): number => nextUint32(random) / 2 ** 32;

/** What flows at the cable then, in W: the car follows the cap after `lagMs`, within ± `noise`, and may taper. */
interface Cable {
  readonly lagMs?: number;
  readonly noise?: number;
  readonly fullW?: (elapsedMs: number) => number;
}

function flowing(trial: PresenceTrial, elapsedMs: number, { lagMs = 5_000, fullW }: Cable): number {
  const slot = Math.floor((elapsedMs - lagMs) / SLOT_MS);
  const drawn = fullW?.(elapsedMs) ?? FULL_W;
  return trial.pattern[slot] === true ? Math.min(CAP_W, drawn) : drawn;
}

type Reporter = (trial: PresenceTrial, elapsedMs: number, random: Random) => number;

/** Reports every 2 s; the firmware's meter is read every `meterEveryMs`, if at all. */
function run(
  nth: number,
  report: Reporter,
  { cable = {}, meterEveryMs = 10_000 }: { cable?: Cable; meterEveryMs?: number } = {},
): PresenceVerdict {
  const random = seededRandom(nth);
  const trial = beginTrial(KEY, nth, CAP_W * 1000, [CAR], { monoMs: 0, wallMs: 0 });
  for (let monoMs = 0; monoMs < TRIAL_MS; monoMs += 1_000) {
    const now = { monoMs, wallMs: monoMs };
    if (monoMs % 2_000 === 0)
      note(trial, trial.readings.get(CAR)!, report(trial, monoMs, random) * 1000, now);
    if (monoMs % meterEveryMs === meterEveryMs - 1_000)
      note(trial, trial.meter, flowing(trial, monoMs, cable) * 1000, now);
  }
  return verdictOf(trial, CAR);
}

function passed(runs: number, report: Reporter): number {
  let count = 0;
  for (let nth = 1; nth <= runs; nth += 1) if (run(nth, report) === 'present') count += 1;
  return count;
}

/** The plugged car measures behind its charger: less than the meter, late, and not quite steadily. */
const honest =
  (cable: Cable): Reporter =>
  (trial, elapsedMs, random) =>
    0.88 * flowing(trial, elapsedMs, cable) * (1 + (cable.noise ?? 0.03) * (2 * uniform(random) - 1));

test('who guesses passes a stay with less than 10⁻³, all tries of all vehicles together, by computation', () => {
  assert.equal(falseAcceptance(), 21 / 2 ** 20);
  assert.ok(falseAcceptance() * PRESENCE_TRIES_PER_STAY_MAX < 1e-3);
});

test('bits are fair, and each proof has a pattern of its own that the key alone knows', () => {
  const now = { monoMs: 0, wallMs: 0 };
  const patterns = Array.from({ length: 2_000 }, (_, nth) => beginTrial(KEY, nth, 1, [], now).pattern);
  const low = patterns.flat().filter((isLow) => isLow).length / (2_000 * SLOTS);
  assert.ok(Math.abs(low - 0.5) < 0.01, `${low} of the slots are low`);
  assert.ok(new Set(patterns.map(String)).size > 1_990);
  assert.notDeepEqual(beginTrial([...KEY].reverse(), 7, 1, [], now).pattern, patterns[7]);
});

test('the plugged car passes: with noise, losses and a lag, and however seldom the meter is read', () => {
  for (const cable of [{}, { lagMs: 10_000 }, { noise: 0.08 }, { lagMs: 0, noise: 0 }])
    for (const meterEveryMs of [2_000, 10_000, 60_000, Infinity])
      for (let nth = 1; nth <= 20; nth += 1)
        assert.equal(run(nth, honest(cable), { cable, meterEveryMs }), 'present', JSON.stringify(cable));
});

const LIARS: Readonly<Record<string, Reporter>> = {
  'a coin a slot': (trial, elapsedMs) =>
    uniform(seededRandom(99 * trial.pattern.length + Math.floor(elapsedMs / SLOT_MS) * 7919)) < 0.5
      ? FULL_W
      : CAP_W,
  'a coin a report': (_, __, random) => (uniform(random) < 0.5 ? FULL_W : CAP_W),
  'always the same': () => FULL_W,
  'up and down in turn': (_, elapsedMs) => (Math.floor(elapsedMs / SLOT_MS) % 2 === 0 ? FULL_W : CAP_W),
  'a slow wave': (_, elapsedMs) => FULL_W * (0.75 + 0.25 * Math.sin(elapsedMs / 60_000)),
  'the pattern a slot late': (trial, elapsedMs) => flowing(trial, elapsedMs - SLOT_MS, { lagMs: 0 }),
  'the pattern three slots late': (trial, elapsedMs) => flowing(trial, elapsedMs - 3 * SLOT_MS, { lagMs: 0 }),
  'the pattern upside down': (trial, elapsedMs) => FULL_W + CAP_W - flowing(trial, elapsedMs, {}),
  'nothing at all': () => 0,
};

for (const [name, report] of Object.entries(LIARS))
  test(`who reports ${name} passes in less than one of a thousand`, () => {
    const runs = 1_500;
    assert.ok(passed(runs, report) <= 1, name);
  });

test('fair guesses pass as often as was computed: two of a hundred thousand', () => {
  const runs = 50_000;
  const random = seededRandom(5);
  let count = 0;
  for (let nth = 1; nth <= runs; nth += 1) {
    const { pattern } = beginTrial(KEY, nth, 1, [], { monoMs: 0, wallMs: 0 });
    const guess = nextUint32(random);
    const wrong = pattern.filter((isLow, slot) => isLow !== (((guess >>> slot) & 1) === 1)).length;
    if (wrong <= 1) count += 1;
  }
  const expected = runs * falseAcceptance();
  assert.ok(count <= expected + 8, `${count} of ${runs} passed, ${expected} were expected`);
});

test('a full car, a tapering one and one on a station that ignores caps prove nothing, and fail nothing', () => {
  const cables: Cable[] = [
    { fullW: () => 1_400 },
    { fullW: (elapsedMs) => CAP_W * (1 - elapsedMs / (2 * TRIAL_MS)) },
    { lagMs: Infinity },
  ];
  for (const cable of cables)
    for (const meterEveryMs of [10_000, 60_000])
      for (let nth = 1; nth <= 20; nth += 1) {
        const verdict = run(nth, honest({ ...cable, noise: 0.01 }), { cable, meterEveryMs });
        assert.equal(verdict, 'nothing');
      }
});

test('who says nothing in some slot, or is no candidate, proves nothing', () => {
  const silent: Reporter = (trial, elapsedMs) => flowing(trial, elapsedMs, {});
  const trial = beginTrial(KEY, 1, 1, [CAR], { monoMs: 0, wallMs: 0 });
  for (let monoMs = SLOT_MS; monoMs < TRIAL_MS; monoMs += 2_000)
    note(trial, trial.readings.get(CAR)!, silent(trial, monoMs, seededRandom(1)), { monoMs, wallMs: monoMs });
  assert.equal(verdictOf(trial, CAR), 'nothing');
  assert.equal(verdictOf(trial, 'other' as VehicleId), 'nothing');
});

test('where the meter saw the pattern and the vehicle did not, it is not there', () => {
  assert.equal(run(3, LIARS['a coin a slot']!), 'absent');
  assert.equal(run(3, LIARS['always the same']!), 'nothing');
});

test('a flood of reports is bounded a slot', () => {
  const trial = beginTrial(KEY, 1, 1, [CAR], { monoMs: 0, wallMs: 0 });
  const readings = trial.readings.get(CAR)!;
  for (let i = 0; i < 10_000; i += 1) note(trial, readings, 1, { monoMs: SLOT_MS - 1, wallMs: 0 });
  assert.equal(readings[0]?.length, 16);
  note(trial, readings, 1, { monoMs: TRIAL_MS + 1, wallMs: 0 });
});
