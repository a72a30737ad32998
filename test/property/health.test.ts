/** Donors that are ill for a class: found, rested, tried again with one task, and never blamed for what is not theirs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { VehicleId } from '@plugpool/proto';
import type { AlgorithmClass } from '../../agent/core/algorithms/feature.ts';
import { Health, type HealthOutcome, type HealthSettings } from '../../agent/core/learned/health.ts';
import { HEALTH_RECORDS_MAX } from '../../agent/core/limits.ts';
import { DEFAULT_SETTINGS } from '../../agent/core/settings.ts';

const CAR = 'car' as VehicleId;
const SETTINGS: HealthSettings = { ...DEFAULT_SETTINGS, healthRestMs: 1_000, healthRestMaxMs: 8_000 };
const FAILED: HealthOutcome = { kind: 'failed', othersSucceed: true };
const SUCCEEDED: HealthOutcome = { kind: 'succeeded', slowness: 1 };

const at = (monoMs: number): { monoMs: number; wallMs: number } => ({ monoMs, wallMs: monoMs });

function ill(of: AlgorithmClass = 'gpu'): Health {
  const health = new Health(SETTINGS);
  for (let i = 0; i < SETTINGS.healthFaultsMax; i++) health.learn(CAR, of, FAILED, at(0));
  return health;
}

test('a donor that fails where others succeed rests, for that class and no other', () => {
  const health = ill('gpu');
  assert.deepEqual(health.verdict(CAR, 'gpu', at(10)), { state: 'resting', untilMonoMs: 1_000 });
  assert.deepEqual(health.verdict(CAR, 'cpu', at(10)), { state: 'well' });
  assert.deepEqual(health.verdict('bus' as VehicleId, 'gpu', at(10)), { state: 'well' });
});

test('one failure less than the bound is no illness, and failures that others share say nothing', () => {
  const health = new Health(SETTINGS);
  for (let i = 1; i < SETTINGS.healthFaultsMax; i++) health.learn(CAR, 'cpu', FAILED, at(0));
  for (let i = 0; i < 50; i++) health.learn(CAR, 'cpu', { kind: 'failed', othersSucceed: false }, at(0));
  assert.deepEqual(health.verdict(CAR, 'cpu', at(0)), { state: 'well' });
});

test('failures that are half-lives apart never add up', () => {
  const health = new Health(SETTINGS);
  for (let i = 0; i < 50; i++) health.learn(CAR, 'cpu', FAILED, at(i * SETTINGS.healthHalfLifeMs));
  assert.deepEqual(health.verdict(CAR, 'cpu', at(50 * SETTINGS.healthHalfLifeMs)), { state: 'well' });
});

test('after the rest one single task is tried; a success restores', () => {
  const health = ill();
  assert.deepEqual(health.verdict(CAR, 'gpu', at(1_000)), { state: 'spotCheck' });
  health.granted(CAR, 'gpu', at(1_000));
  assert.equal(health.verdict(CAR, 'gpu', at(1_001)).state, 'resting', 'no second task beside the check');
  health.learn(CAR, 'gpu', SUCCEEDED, at(1_200));
  assert.deepEqual(health.verdict(CAR, 'gpu', at(1_200)), { state: 'well' });
});

test('a check that fails rests twice as long, up to the bound', () => {
  const health = ill();
  let nowMs = 1_000;
  for (const restMs of [2_000, 4_000, 8_000, 8_000, 8_000]) {
    assert.equal(health.verdict(CAR, 'gpu', at(nowMs)).state, 'spotCheck');
    health.granted(CAR, 'gpu', at(nowMs));
    health.learn(CAR, 'gpu', FAILED, at(nowMs));
    assert.deepEqual(health.verdict(CAR, 'gpu', at(nowMs)), {
      state: 'resting',
      untilMonoMs: nowMs + restMs,
    });
    nowMs += restMs;
  }
});

test('a check whose donor left says nothing, and is tried again after one more rest', () => {
  const health = ill();
  health.granted(CAR, 'gpu', at(5_000));
  assert.equal(health.verdict(CAR, 'gpu', at(5_999)).state, 'resting');
  assert.equal(health.verdict(CAR, 'gpu', at(6_000)).state, 'spotCheck');
});

test('what was granted before the rest began neither ends it nor makes it longer', () => {
  const health = ill();
  health.learn(CAR, 'gpu', FAILED, at(100));
  health.learn(CAR, 'gpu', SUCCEEDED, at(200));
  assert.deepEqual(health.verdict(CAR, 'gpu', at(300)), { state: 'resting', untilMonoMs: 1_000 });
});

test('who falls ill again soon rests as long as the last time', () => {
  const health = ill();
  health.learn(CAR, 'gpu', FAILED, at(1_000));
  health.learn(CAR, 'gpu', SUCCEEDED, at(3_000));
  for (let i = 0; i < SETTINGS.healthFaultsMax; i++) health.learn(CAR, 'gpu', FAILED, at(3_000));
  assert.deepEqual(health.verdict(CAR, 'gpu', at(3_000)), { state: 'resting', untilMonoMs: 5_000 });
});

test('a donor that is always slower is expected to be, and one that is far slower rests', () => {
  const health = new Health(SETTINGS);
  for (let i = 0; i < 20; i++) health.learn(CAR, 'cpu', { kind: 'succeeded', slowness: 2 }, at(i));
  assert.equal(health.verdict(CAR, 'cpu', at(20)).state, 'well');
  assert.ok(health.slowness(CAR, 'cpu') > 1.8 && health.slowness(CAR, 'cpu') <= 2);
  assert.equal(health.slowness(CAR, 'gpu'), 1);
  for (let i = 0; i < SETTINGS.healthFaultsMax; i++)
    health.learn(CAR, 'cpu', { kind: 'succeeded', slowness: SETTINGS.healthSlowFactor }, at(20));
  assert.equal(health.verdict(CAR, 'cpu', at(20)).state, 'resting');
});

test('a faster run is no credit, and slowness fades when nothing is heard', () => {
  const health = new Health(SETTINGS);
  health.learn(CAR, 'cpu', { kind: 'succeeded', slowness: 0.1 }, at(0));
  assert.equal(health.slowness(CAR, 'cpu'), 1);
  for (let i = 0; i < 20; i++) health.learn(CAR, 'gpu', { kind: 'succeeded', slowness: 3 }, at(0));
  const before = health.slowness(CAR, 'gpu');
  health.learn(CAR, 'gpu', SUCCEEDED, at(20 * SETTINGS.healthHalfLifeMs));
  assert.ok(before > 2.5 && health.slowness(CAR, 'gpu') < 1.01);
});

const outcome: fc.Arbitrary<HealthOutcome> = fc.oneof(
  fc.record({ kind: fc.constant('succeeded' as const), slowness: fc.double() }),
  fc.record({ kind: fc.constant('failed' as const), othersSucceed: fc.boolean() }),
);

test('whatever happens, no rest is longer than the bound, and slowness is a number from 1', () => {
  const deed = fc.record({ outcome, isGrant: fc.boolean(), laterMs: fc.integer({ min: -5, max: 20_000 }) });
  fc.assert(
    fc.property(fc.array(deed, { maxLength: 80 }), (deeds) => {
      const health = new Health(SETTINGS);
      let nowMs = 0;
      for (const each of deeds) {
        nowMs += each.laterMs;
        if (each.isGrant) health.granted(CAR, 'cpu', at(nowMs));
        else health.learn(CAR, 'cpu', each.outcome, at(nowMs));
        const verdict = health.verdict(CAR, 'cpu', at(nowMs));
        if (verdict.state === 'resting')
          assert.ok(verdict.untilMonoMs <= nowMs + SETTINGS.healthRestMaxMs + 5 * 80);
        const slowness = health.slowness(CAR, 'cpu');
        assert.ok(slowness >= 1 && slowness <= 100);
      }
      assert.notEqual(health.verdict(CAR, 'cpu', at(nowMs + 10_000)).state, 'resting');
    }),
  );
});

test('of more vehicles than the bound, those that were heard of longest ago are forgotten', () => {
  const health = ill('cpu');
  for (let i = 0; i < HEALTH_RECORDS_MAX; i++) health.learn(`v${i}` as VehicleId, 'cpu', FAILED, at(0));
  assert.equal(health.size, HEALTH_RECORDS_MAX);
  assert.equal(health.verdict(CAR, 'cpu', at(0)).state, 'well');
});
