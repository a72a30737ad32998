/** Whatever a pile has seen and whatever is known of a stay, what the dwell model says is a survival curve. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { SessionState } from '@plugpool/firmware-bridge';
import type { ConnectorId } from '@plugpool/proto';
import { DEFAULT_DWELL, DwellModel } from '../../agent/core/dwell/dwell-model.ts';
import type { StaySoFar } from '../../agent/core/dwell/stay-so-far.ts';
import type { StayRecord } from '../../agent/core/records.ts';

const DAY_MS = 24 * 3_600_000;
const connectorId = fc.constantFrom('a/1/1', 'a/2/1', 'b/1/1').map((id) => id as ConnectorId);
const wallMs = fc.integer({ min: -DAY_MS, max: 2_000 * DAY_MS });
const spanMs = fc.oneof(
  fc.integer({ min: 0, max: 2 * 3_600_000 }),
  fc.integer({ min: -DAY_MS, max: 16 * DAY_MS }),
);

/** Some of them cannot be true. */
const stay: fc.Arbitrary<StayRecord> = fc
  .record({
    connectorId,
    pluggedWallMs: wallMs,
    lastedMs: spanMs,
    charged: fc.option(spanMs),
    stated: fc.option(spanMs),
  })
  .map(({ connectorId, pluggedWallMs, lastedMs, charged, stated }) => ({
    connectorId,
    pluggedWallMs,
    unpluggedWallMs: pluggedWallMs + lastedMs,
    ...(charged === null ? {} : { chargingEndedWallMs: pluggedWallMs + charged }),
    ...(stated === null ? {} : { statedDepartureWallMs: pluggedWallMs + stated }),
  }));

const soFar: fc.Arbitrary<StaySoFar> = fc.record(
  {
    connectorId,
    pluggedWallMs: wallMs,
    elapsedMs: fc.integer({ min: 0, max: 40 * DAY_MS }),
    state: fc.constantFrom<SessionState>('plugged', 'charging', 'suspendedEV', 'finishing'),
    isOlder: fc.boolean(),
    chargingEndedAgoMs: fc.integer({ min: 0, max: DAY_MS }),
    statedInMs: spanMs,
    estimatedFullInMs: spanMs,
  },
  { requiredKeys: ['connectorId', 'pluggedWallMs', 'elapsedMs', 'state'] },
);

function taught(stays: readonly StayRecord[]): DwellModel {
  const model = new DwellModel(DEFAULT_DWELL);
  for (const each of stays) model.learn(each);
  return model;
}

test('survival is 1 at once, within 0 … 1, and never rises; its inverse and its mean agree with it', () => {
  fc.assert(
    fc.property(fc.array(stay, { maxLength: 60 }), soFar, (stays, asked) => {
      const residual = taught(stays).residual(asked);
      assert.equal(residual.survives(0), 1);
      let before = 1;
      for (let ms = 1_000; ms < 30 * DAY_MS; ms *= 1.7) {
        const alive = residual.survives(ms);
        assert.ok(alive >= 0 && alive <= before, `${alive} at ${ms} after ${before}`);
        assert.ok(residual.hazardPerMs(ms) >= 0);
        const mean = residual.meanUntilMs(ms);
        assert.ok(mean <= ms * (1 + 1e-9) && mean >= ms * alive * (1 - 1e-9), `${mean} until ${ms}`);
        before = alive;
      }
      for (const p of [0.05, 0.5, 0.9, 0.99]) {
        const longestMs = residual.longestMs(p);
        assert.ok(longestMs >= 0);
        if (longestMs < Infinity) assert.ok(residual.survives(longestMs) >= p - 1e-9);
      }
    }),
    { numRuns: 150 },
  );
});

test('two models that learned the same say the same', () => {
  fc.assert(
    fc.property(fc.array(stay, { maxLength: 60 }), soFar, (stays, asked) => {
      const [one, other] = [taught(stays), taught(stays)].map((model) => model.residual(asked));
      for (let ms = 1_000; ms < 30 * DAY_MS; ms *= 3) assert.equal(one?.survives(ms), other?.survives(ms));
    }),
    { numRuns: 50 },
  );
});

test('asking changes nothing that is asked later', () => {
  fc.assert(
    fc.property(fc.array(stay, { maxLength: 30 }), soFar, soFar, (stays, asked, between) => {
      const model = taught(stays);
      const first = model.residual(asked);
      const before = first.survives(3_600_000);
      model.residual(between);
      assert.equal(model.residual(asked).survives(3_600_000), before);
      assert.equal(first.survives(3_600_000), before);
    }),
    { numRuns: 50 },
  );
});
