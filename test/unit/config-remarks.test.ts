/** What is said of a configuration that is right and says more than it gives. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { configOf } from '@plugpool/agent';
import { mostOfOne } from '../../agent/core/clients/share.ts';
import { INSTANCES_MAX } from '../../proto/index.ts';

const WHERE = 'policy.openTasksPerVehicleMax';

test('a bound of one vehicle that its share never lets it come to is told, with what to write', () => {
  const of = (openTasksMax: number, openTasksPerVehicleMax: number) =>
    configOf({ policy: { openTasksMax, openTasksPerVehicleMax } });
  const most = mostOfOne(3_000, INSTANCES_MAX);
  assert.deepEqual(of(3_000, most).unreached, []);
  const [told, ...others] = of(3_000, most + 1).unreached;
  assert.deepEqual(others, []);
  assert.equal(told?.where, WHERE);
  assert.match(told.what, new RegExp(`which is ${most} at most: a third of policy.openTasksMax`));
  assert.match(told.what, /lower it, or set openTasksMax to three times as much/);
  assert.deepEqual(of(3 * (most + 1), most + 1).unreached, []);
  assert.equal(of(3_000, most + 1).settings.openTasksPerVehicleMax, most + 1, 'it is in force all the same');
});

test('nothing is told of the default, nor of a pile of as many places as one request may need', () => {
  assert.deepEqual(configOf().unreached, []);
  assert.deepEqual(configOf({ policy: { openTasksMax: 50 } }).unreached, []);
  const small = { openTasksMax: INSTANCES_MAX, openTasksPerVehicleMax: INSTANCES_MAX };
  assert.deepEqual(configOf({ policy: small }).unreached, []);
});
