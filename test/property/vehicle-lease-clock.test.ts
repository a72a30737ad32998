/** A donor's own count of its leases, and its patience between connections. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RECONNECT_BACKOFF, backoffDelaysMs } from '../../vehicle-client/core/backoff.ts';
import {
  RENEWALS_OPEN_MAX,
  RenewalBook,
  leaseKeyOf,
  renewalEveryMs,
  selfStopAtMs,
} from '../../vehicle-client/core/lease-clock.ts';
import {
  REPORT_EVERY_MAX_MS,
  REPORT_EVERY_MIN_MS,
  decideReport,
  type ReportState,
  type Reported,
} from '../../vehicle-client/core/hysteresis.ts';
import { leaseOf } from '../integration/vehicle-scripted-pile.ts';

test('every delay lies between the bounds, and after a while the whole range is used', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), {
        minLength: 12,
        maxLength: 40,
      }),
      (rolls) => {
        let i = 0;
        const delays = backoffDelaysMs(() => rolls[i++ % rolls.length] ?? 0);
        for (const roll of rolls) {
          const delay = delays.next().value;
          assert.ok(
            delay >= RECONNECT_BACKOFF.minMs && delay <= RECONNECT_BACKOFF.maxMs,
            `${delay} for ${roll}`,
          );
        }
      },
    ),
  );
  const delays = backoffDelaysMs(() => 0.999);
  let last = 0;
  for (let i = 0; i < 20; i++) last = delays.next().value;
  assert.ok(last > RECONNECT_BACKOFF.maxMs * 0.99);
});

test('a job outlives no lease of the pile, whatever is lost or late', () => {
  // The pile's lease runs from when it hears a renewal, which is after the donor sent it.
  const event = fc.record({
    afterMs: fc.integer({ min: 1, max: 20_000 }),
    wayThereMs: fc.integer({ min: 0, max: 5_000 }),
    wayBackMs: fc.integer({ min: 0, max: 5_000 }),
    isLost: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.integer({ min: 100, max: 60_000 }),
      fc.array(event, { maxLength: 20 }),
      (leaseMs, events) => {
        const book = new RenewalBook();
        const key = leaseKeyOf(leaseOf('a'));
        let nowMs = 0;
        let confirmedMs = 0;
        let pileEndsMs = leaseMs;
        for (const [correlationId, { afterMs, wayThereMs, wayBackMs, isLost }] of events.entries()) {
          nowMs += afterMs;
          if (nowMs >= selfStopAtMs(confirmedMs, leaseMs)) break;
          book.sent(correlationId + 1, nowMs, [key]);
          if (isLost || nowMs + wayThereMs >= pileEndsMs) continue;
          pileEndsMs = nowMs + wayThereMs + leaseMs;
          const answer = book.answered(correlationId + 1, [leaseOf('a')]);
          assert.ok(answer.known);
          if (nowMs + wayThereMs + wayBackMs < selfStopAtMs(confirmedMs, leaseMs))
            confirmedMs = answer.sentMonoMs;
        }
        assert.ok(selfStopAtMs(confirmedMs, leaseMs) <= pileEndsMs);
      },
    ),
  );
});

test('two lost renewals are survived, and the third finds the job stopped', () => {
  fc.assert(
    fc.property(fc.integer({ min: 30, max: 1_000_000 }), (leaseMs) => {
      assert.ok(2 * renewalEveryMs(leaseMs) < selfStopAtMs(0, leaseMs));
      assert.ok(3 * renewalEveryMs(leaseMs) > selfStopAtMs(0, leaseMs));
    }),
  );
});

test('an answer judges only what its renewal named', () => {
  const book = new RenewalBook();
  book.sent(1, 0, [leaseKeyOf(leaseOf('a')), leaseKeyOf(leaseOf('b'))]);
  const answer = book.answered(1, [leaseOf('a'), leaseOf('later')]);
  assert.ok(answer.known);
  assert.deepEqual([...answer.confirmed], [leaseKeyOf(leaseOf('a'))]);
  assert.deepEqual([...answer.voided], [leaseKeyOf(leaseOf('b'))]);
  assert.equal(book.answered(1, []).known, false, 'heard twice, it counts once');
});

test('the book of open renewals is bounded', () => {
  const book = new RenewalBook();
  for (let i = 1; i <= RENEWALS_OPEN_MAX + 3; i++) book.sent(i, i, []);
  assert.equal(book.answered(3, []).known, false);
  assert.equal(book.answered(4, []).known, true);
});

const reported: fc.Arbitrary<Reported> = fc.record({
  lending: fc.boolean(),
  lendable: fc.record({ cpuMillicores: fc.nat(8000), memoryMib: fc.nat(32_000), gpus: fc.constant([]) }),
  rest: fc.constantFrom('', 'an image'),
});

test('reports come at most once a second, at least every ten, and never leave the pile believing in much more than there is', () => {
  const looks = fc.array(fc.tuple(fc.integer({ min: 1, max: 3_000 }), reported), {
    minLength: 1,
    maxLength: 60,
  });
  fc.assert(
    fc.property(looks, (steps) => {
      let state: ReportState = {};
      let nowMs = 0;
      let toldMs: number | undefined;
      let told: Reported | undefined;
      for (const [afterMs, look] of steps) {
        nowMs += afterMs;
        const decision = decideReport(state, look, nowMs);
        ({ state } = decision);
        if (decision.report) {
          assert.ok(toldMs === undefined || nowMs - toldMs >= REPORT_EVERY_MIN_MS);
          toldMs = nowMs;
          told = look;
          continue;
        }
        assert.ok(toldMs !== undefined && told !== undefined, 'the first look is told');
        assert.ok(nowMs - toldMs < REPORT_EVERY_MAX_MS);
        if (nowMs - toldMs < REPORT_EVERY_MIN_MS) continue;
        assert.equal(look.lending, told.lending);
        assert.ok(look.lendable.cpuMillicores >= told.lendable.cpuMillicores * 0.9);
      }
    }),
  );
});

test('more room is told only once it lasts', () => {
  const small: Reported = {
    lending: true,
    lendable: { cpuMillicores: 1000, memoryMib: 100, gpus: [] },
    rest: '',
  };
  const large: Reported = { ...small, lendable: { ...small.lendable, cpuMillicores: 4000 } };
  let { state } = decideReport({}, small, 0);
  for (const [nowMs, look] of [
    [2_000, large],
    [3_000, small],
    [4_000, large],
    [6_000, large],
  ] as const) {
    const decision = decideReport(state, look, nowMs);
    assert.equal(decision.report, false, `at ${nowMs}`);
    ({ state } = decision);
  }
  assert.equal(decideReport(state, large, 8_000).report, true);
});
