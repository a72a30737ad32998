/** What is let through of an event, and what is left out. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkFirmwareEvent } from '../../firmware-bridge/index.ts';
import type { FirmwareEvent } from '../../firmware-bridge/index.ts';

const base = { connectorId: 'pile/1/1', at: { receivedWallMs: 1000 } };

/** An event that the types would not allow, as a careless adapter could make it. */
function careless(event: object): FirmwareEvent {
  return { ...base, ...event } as FirmwareEvent;
}

describe('checkFirmwareEvent', () => {
  it('lets an event through as it is', () => {
    const event = careless({ kind: 'meter', powerMw: 7_200_000, energyMwh: 0 });
    assert.deepEqual(checkFirmwareEvent(event), { event, problems: [] });
  });

  for (const value of [-1, 1001, 2550]) {
    it(`doubts a state of charge of ${value} ‰ and keeps the rest of the event`, () => {
      const checked = checkFirmwareEvent(
        careless({ kind: 'evInfo', socPermille: value, departureInMs: 60_000 }),
      );
      const doubted = [{ field: 'socPermille', value, why: 'outOfRange' }];
      assert.deepEqual(checked.event, careless({ kind: 'evInfo', departureInMs: 60_000, doubted }));
      assert.deepEqual(checked.problems, []);
    });
  }

  for (const value of [Number.NaN, Infinity, '500', null]) {
    it(`leaves out a state of charge of ${value} and keeps the rest of the event`, () => {
      const checked = checkFirmwareEvent(
        careless({ kind: 'evInfo', socPermille: value, departureInMs: 60_000 }),
      );
      assert.deepEqual(checked.event, careless({ kind: 'evInfo', departureInMs: 60_000 }));
      assert.equal(checked.problems.length, 1);
    });
  }

  it('keeps 0 and 1000 permille', () => {
    for (const socPermille of [0, 1000]) {
      const event = careless({ kind: 'evInfo', socPermille });
      assert.deepEqual(checkFirmwareEvent(event), { event, problems: [] });
    }
  });

  it('leaves out a departure of 0 without a word: it means unknown', () => {
    assert.deepEqual(checkFirmwareEvent(careless({ kind: 'evInfo', departureInMs: 0 })), {
      event: careless({ kind: 'evInfo' }),
      problems: [],
    });
  });

  it('doubts negative and absurd power and energy', () => {
    const checked = checkFirmwareEvent(careless({ kind: 'meter', powerMw: -1, energyMwh: 1e300 }));
    const doubted = [
      { field: 'powerMw', value: -1, why: 'outOfRange' },
      { field: 'energyMwh', value: 1e300, why: 'outOfRange' },
    ];
    assert.deepEqual(checked.event, careless({ kind: 'meter', doubted }));
  });

  it('keeps what the adapter doubts itself, and leaves out what is no doubt', () => {
    const doubt = { field: 'energyMwh', value: 7, why: 'beforeSession' };
    const event = careless({ kind: 'meter', powerMw: 5, doubted: [doubt] });
    assert.deepEqual(checkFirmwareEvent(event), { event, problems: [] });
    for (const bad of [{ ...doubt, why: 'toString' }, { ...doubt, value: Number.NaN }, null, 'no']) {
      const checked = checkFirmwareEvent(careless({ kind: 'meter', doubted: [doubt, bad] }));
      assert.deepEqual(checked.event, careless({ kind: 'meter', doubted: [doubt] }));
      assert.equal(checked.problems.length, 1);
    }
  });

  it('leaves out a source time that is none, and keeps when it was received', () => {
    const checked = checkFirmwareEvent(
      careless({ kind: 'plugged', at: { sourceWallMs: Number.NaN, receivedWallMs: 5 } }),
    );
    assert.deepEqual(checked.event?.at, { receivedWallMs: 5 });
    assert.equal(checked.problems.length, 1);
  });

  const dropped: readonly (readonly [string, object])[] = [
    ['an unknown kind', { kind: 'exploded' }],
    ['a kind of the prototype', { kind: 'constructor' }],
    ['a connector that is not whole', { kind: 'plugged', connectorId: '1' }],
    ['a missing connector', { kind: 'plugged', connectorId: undefined }],
    ['a missing time', { kind: 'plugged', at: undefined }],
    ['a time that is NaN', { kind: 'plugged', at: { receivedWallMs: Number.NaN } }],
    ['a vehicle id with a slash', { kind: 'identity', vehicleId: 'a/b', assurance: 'mac' }],
    ['an unknown assurance', { kind: 'identity', vehicleId: 'a', assurance: 'toString' }],
    ['an empty transaction id', { kind: 'transactionStarted', transactionId: '' }],
    ['a transaction id without end', { kind: 'transactionEnded', transactionId: 'x'.repeat(65) }],
    ['a suspension by nobody', { kind: 'suspended', by: 'cat' }],
  ];
  for (const [what, event] of dropped) {
    it(`drops an event with ${what}, and says so`, () => {
      const checked = checkFirmwareEvent(careless(event));
      assert.equal(checked.event, undefined);
      assert.equal(checked.problems.length, 1);
    });
  }

  it('cuts a reason that is too long', () => {
    const checked = checkFirmwareEvent(careless({ kind: 'faulted', reason: 'x'.repeat(100_000) }));
    assert.ok(checked.event?.kind === 'faulted' && checked.event.reason.length <= 1024);
  });
});
