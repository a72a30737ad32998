/** The ladder over whatever causes come and go, and the quiet time over whatever a driver does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { RevokeReason } from '@plugpool/proto';
import {
  GRACE_MAX_MS,
  RUNNING,
  climb,
  isStill,
  mayGoOn,
  nextClimbMonoMs,
  ownGraces,
  ownPressure,
  revocation,
  type Act,
  type Pressure,
  type Rung,
} from '../../vehicle-client/core/eviction.ts';
import { NO_LATCHES, type NotLendingCause, type PolicyDecision } from '../../vehicle-client/core/policy.ts';
import {
  CALM_MS,
  QUIET_MAX_MS,
  QUIET_MIN_MS,
  UNDISTURBED,
  keepQuiet,
  quietMsAfter,
  type QuietTime,
} from '../../vehicle-client/core/quiet-time.ts';

const CAUSES: readonly NotLendingCause[] = [
  'paused',
  'leaving',
  'ignition_on',
  'outside_hours',
  'too_hot',
  'battery_low',
  'not_charging',
  'ready_by',
  'settling',
];
const REASONS: readonly RevokeReason[] = ['unplugged', 'draining', 'preempted', 'policy_paused'];
const ORDER = ['running', 'finishing', 'suspended', 'checkpointing', 'stopping', 'killed'];

interface Moment {
  readonly waitMs: number;
  readonly own: NotLendingCause | undefined;
  readonly revoke: { readonly reason: RevokeReason; readonly graceMs: number } | undefined;
  readonly hasNews: boolean;
}

const moments: fc.Arbitrary<readonly Moment[]> = fc.array(
  fc.record({
    waitMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 40_000 })),
    own: fc.option(fc.constantFrom(...CAUSES), { nil: undefined }),
    revoke: fc.option(
      fc.record({
        reason: fc.constantFrom(...REASONS),
        graceMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2 * GRACE_MAX_MS })),
      }),
      { nil: undefined, freq: 8 },
    ),
    hasNews: fc.boolean(),
  }),
  { minLength: 1, maxLength: 30 },
);

interface Seen {
  readonly from: Rung;
  readonly at: Rung;
  readonly acts: readonly Act[];
  readonly pressure: Pressure | undefined;
  readonly nowMonoMs: number;
}

/** What a job lives through: asked at each moment and, as its keeper does, whenever a grace is over between two. */
function live(told: readonly Moment[], keepsState: boolean): Seen[] {
  const seen: Seen[] = [];
  let at: Rung = RUNNING;
  let nowMonoMs = 0;
  let own: { cause: NotLendingCause; pressure: Pressure } | undefined;
  let revoked: Pressure | undefined;
  const look = (hasNews: boolean): void => {
    const pressure = revoked ?? own?.pressure;
    const next = climb(at, { pressure, hasNews, nowMonoMs });
    seen.push({ from: at, at: next.at, acts: next.acts, pressure, nowMonoMs });
    at = next.at;
  };
  for (const moment of told) {
    const untilMonoMs = nowMonoMs + moment.waitMs;
    for (;;) {
      const dueMonoMs = nextClimbMonoMs(at);
      if (dueMonoMs === undefined || dueMonoMs > untilMonoMs) break;
      nowMonoMs = Math.max(nowMonoMs, dueMonoMs);
      look(moment.hasNews);
    }
    nowMonoMs = untilMonoMs;
    if (moment.own === undefined) own = undefined;
    else if (own?.cause !== moment.own)
      own = { cause: moment.own, pressure: ownPressure(moment.own, nowMonoMs) };
    if (moment.revoke !== undefined && revoked === undefined)
      revoked = revocation(moment.revoke, keepsState, nowMonoMs);
    look(moment.hasNews);
  }
  return seen;
}

test('a job climbs, and comes down only to run on, from where nothing is lost, and never once it was revoked', () => {
  fc.assert(
    fc.property(moments, fc.boolean(), (told, keepsState) => {
      for (const { from, at, pressure } of live(told, keepsState)) {
        if (ORDER.indexOf(at.rung) >= ORDER.indexOf(from.rung)) continue;
        assert.ok(mayGoOn(from), `down from ${from.rung}`);
        assert.notEqual(pressure?.isFinal, true);
        assert.ok(at.rung === 'running' || (at.rung === 'finishing' && from.rung === 'suspended') === false);
      }
    }),
  );
});

test('what is to be done says where the processor is: stopped exactly on the rungs that are still', () => {
  fc.assert(
    fc.property(moments, fc.boolean(), (told, keepsState) => {
      let isStopped = false;
      for (const { at, acts } of live(told, keepsState)) {
        for (const act of acts) {
          if (act === 'suspend') isStopped = true;
          if (act === 'resume') isStopped = false;
        }
        if (at.rung === 'running' || at.rung === 'finishing') assert.equal(isStopped, false);
        if (isStill(at)) assert.equal(isStopped, true);
      }
    }),
  );
});

test('the driver has the processor in the very step in which he comes back', () => {
  fc.assert(
    fc.property(moments, fc.boolean(), (told, keepsState) => {
      for (const { at, pressure } of live(told, keepsState)) {
        if (pressure === undefined || pressure.isFinal || pressure.graces.finishMs > 0) continue;
        assert.ok(at.rung !== 'running' && at.rung !== 'finishing', `${pressure.cause} and ${at.rung}`);
      }
    }),
  );
});

test('a job is gone when its first notice said, whatever was noticed later, unless the cause cleared', () => {
  fc.assert(
    fc.property(moments, fc.boolean(), (told, keepsState) => {
      let endMonoMs = Infinity;
      for (const { at, pressure, nowMonoMs } of live(told, keepsState)) {
        if (at.rung === 'running') endMonoMs = Infinity;
        else if (pressure !== undefined) endMonoMs = Math.min(endMonoMs, pressure.endMonoMs);
        if (nowMonoMs >= endMonoMs) assert.equal(at.rung, 'killed');
      }
    }),
  );
});

test('what was kept is shipped once before the end, and the end waits for it only as long as its grace', () => {
  const start = 1_000;
  const pressure = revocation({ reason: 'unplugged', graceMs: 10_000 }, true, start);
  const first = climb(RUNNING, { pressure, hasNews: true, nowMonoMs: start });
  assert.deepEqual(first.acts, ['suspend', 'ship']);
  const waiting = climb(first.at, { pressure, hasNews: true, nowMonoMs: start + 9_999 });
  assert.deepEqual(waiting.acts, []);
  assert.deepEqual(climb(waiting.at, { pressure, hasNews: false, nowMonoMs: start + 500 }).acts, ['stop']);
  assert.deepEqual(climb(waiting.at, { pressure, hasNews: true, nowMonoMs: start + 10_000 }).acts, ['kill']);
});

test('a run that keeps nothing computes through the grace of a revocation', () => {
  const pressure = revocation({ reason: 'unplugged', graceMs: 2_000 }, false, 0);
  const first = climb(RUNNING, { pressure, hasNews: false, nowMonoMs: 0 });
  assert.equal(first.at.rung, 'finishing');
  assert.deepEqual(first.acts, []);
  assert.equal(climb(first.at, { pressure, hasNews: false, nowMonoMs: 2_000 }).at.rung, 'killed');
});

test('an ignition that is on for a moment costs nothing but the moment', () => {
  const pressure = ownPressure('ignition_on', 0);
  const stopped = climb(RUNNING, { pressure, hasNews: true, nowMonoMs: 0 });
  assert.deepEqual(stopped.acts, ['suspend']);
  const before = climb(stopped.at, { pressure, hasNews: true, nowMonoMs: 29_999 });
  assert.deepEqual(before.acts, []);
  assert.deepEqual(climb(before.at, { pressure: undefined, hasNews: true, nowMonoMs: 29_999 }), {
    at: RUNNING,
    acts: ['resume'],
  });
  const over = climb(before.at, { pressure, hasNews: true, nowMonoMs: 30_000 });
  assert.deepEqual(over.acts, ['ship']);
  assert.deepEqual(climb(over.at, { pressure: undefined, hasNews: true, nowMonoMs: 30_001 }).acts, []);
});

test('every cause has graces, and none of them is without end', () => {
  for (const cause of CAUSES) {
    const { finishMs, suspendMs, checkpointMs, stopMs } = ownGraces(cause);
    assert.ok(finishMs + suspendMs + checkpointMs + stopMs <= GRACE_MAX_MS, cause);
    assert.ok(finishMs + suspendMs > 0, cause);
  }
});

const LENDS: PolicyDecision = {
  latches: NO_LATCHES,
  lending: true,
  lendable: { cpuMillicores: 1000, memoryMib: 1000, gpus: [] },
};
const ignition: PolicyDecision = {
  latches: NO_LATCHES,
  lending: false,
  cause: 'ignition_on',
  reason: 'the ignition is on',
};

test('a driver who switches on and off as he likes gets a donor that starts less and less often', () => {
  const toggles = fc.array(fc.integer({ min: 500, max: 60_000 }), { minLength: 2, maxLength: 60 });
  fc.assert(
    fc.property(toggles, (waitsMs) => {
      let quiet: QuietTime = UNDISTURBED;
      let nowMonoMs = 0;
      let isOn = false;
      let clearMonoMs = -Infinity;
      let wasLent = true;
      for (const waitMs of waitsMs) {
        for (let passedMs = 0; passedMs < waitMs; passedMs += 500) {
          const kept = keepQuiet(quiet, isOn ? ignition : LENDS, nowMonoMs);
          quiet = kept.quiet;
          const { lending } = kept.decision;
          if (lending) assert.equal(isOn, false);
          if (lending && !wasLent)
            assert.ok(nowMonoMs - clearMonoMs >= Math.min(quietMsAfter(quiet.stops), QUIET_MAX_MS));
          wasLent = lending;
          nowMonoMs += 500;
        }
        isOn = !isOn;
        if (!isOn) clearMonoMs = nowMonoMs;
      }
    }),
  );
});

test('the quiet time doubles with each stop, is bounded, and begins anew after a calm', () => {
  let quiet: QuietTime = UNDISTURBED;
  let nowMonoMs = 0;
  const stopAndClear = (): number => {
    quiet = keepQuiet(quiet, ignition, nowMonoMs).quiet;
    const clearMonoMs = (nowMonoMs += 1_000);
    for (;;) {
      const kept = keepQuiet(quiet, LENDS, nowMonoMs);
      quiet = kept.quiet;
      if (kept.decision.lending) return nowMonoMs - clearMonoMs;
      assert.equal(kept.decision.cause, 'settling');
      assert.match(kept.decision.reason, /the ignition was on a moment ago: it is lent again in \d+ s/);
      nowMonoMs += 500;
    }
  };
  const waits = Array.from({ length: 9 }, stopAndClear);
  assert.deepEqual(waits.slice(0, 4), [QUIET_MIN_MS, 2 * QUIET_MIN_MS, 4 * QUIET_MIN_MS, 8 * QUIET_MIN_MS]);
  assert.equal(waits.at(-1), QUIET_MAX_MS);
  nowMonoMs += CALM_MS;
  assert.equal(stopAndClear(), QUIET_MIN_MS);
});

test('who never disturbs it never waits, and what an owner sets is no disturbance', () => {
  const closed: PolicyDecision = { latches: NO_LATCHES, lending: false, cause: 'outside_hours', reason: '' };
  const { quiet } = keepQuiet(UNDISTURBED, closed, 0);
  assert.equal(keepQuiet(quiet, LENDS, 1).decision.lending, true);
});
