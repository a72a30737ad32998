/** Fair share among those who pay: what each had and holds, fading alike, so that their order stands still while nothing happens. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Demand } from '@plugpool/proto';
import { PAYERS_MAX } from '../../agent/core/limits.ts';
import { zero, type Vector } from '../../agent/core/pools/vector.ts';
import { BANDS_MAX, Usage } from '../../agent/core/waiting/usage.ts';

const HOUR_MS = 3_600_000;
const SETTINGS = { usageHalfLifeMs: HOUR_MS };
const WHOLE: Vector = { cpuMillicores: 10_000, memoryMib: 100_000, gpuMillis: 2_000, vramMib: 20_000 };
const HALF: Demand = { cpuMillicores: 5_000, memoryMib: 1_000, threads: 5 };
const ONE_GPU: Demand = {
  cpuMillicores: 100,
  memoryMib: 100,
  threads: 1,
  gpu: { shareMillis: 1_000, vramMib: 1 },
};
const TENTH: Demand = { cpuMillicores: 10, memoryMib: 10_000, threads: 1 };

const at = (monoMs: number): { monoMs: number; wallMs: number } => ({ monoMs, wallMs: 1e12 + monoMs });

function readFrom(json: unknown, now: { monoMs: number; wallMs: number }): Usage {
  const usage = new Usage(SETTINGS, WHOLE);
  usage.readJson(json, now);
  return usage;
}

function near(actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) < 1e-6, `${actual} is not ${expected}`);
}

test('what counts is the largest share of any dimension', () => {
  const usage = new Usage(SETTINGS, WHOLE);
  usage.start('a', HALF, at(0));
  usage.start('b', ONE_GPU, at(0));
  usage.start('c', TENTH, at(0));
  near(usage.share('a', at(0)), 0.5);
  near(usage.share('b', at(0)), 0.5);
  near(usage.share('c', at(0)), 0.1);
  assert.equal(usage.share('nobody', at(0)), 0);
});

test('who held half the pile for a half-life had a quarter of it, and half of that after another', () => {
  const usage = new Usage(SETTINGS, WHOLE);
  usage.start('a', HALF, at(0));
  usage.stop('a', HALF, at(HOUR_MS));
  near(usage.share('a', at(HOUR_MS)), 0.25);
  near(usage.share('a', at(2 * HOUR_MS)), 0.125);
});

test('the same use counts the same, in one piece or in many, settled on the way or not', () => {
  const whole = new Usage(SETTINGS, WHOLE);
  const pieces = new Usage(SETTINGS, WHOLE);
  const settled = new Usage(SETTINGS, WHOLE);
  for (const usage of [whole, pieces, settled]) usage.start('a', HALF, at(0));
  for (let ms = 1_000; ms < 8 * HOUR_MS; ms += 1_000) settled.settle('a', at(ms));
  for (let ms = HOUR_MS / 4; ms < 8 * HOUR_MS; ms += HOUR_MS / 4) {
    pieces.start('a', HALF, at(ms));
    pieces.stop('a', HALF, at(ms));
  }
  for (const usage of [whole, pieces, settled]) usage.stop('a', HALF, at(8 * HOUR_MS));
  near(pieces.share('a', at(8 * HOUR_MS)), whole.share('a', at(8 * HOUR_MS)));
  near(settled.share('a', at(8 * HOUR_MS)), whole.share('a', at(8 * HOUR_MS)));
});

test('a lease that goes on is not forgotten where it is settled', () => {
  const usage = new Usage(SETTINGS, WHOLE);
  usage.start('a', HALF, at(0));
  for (let ms = 0; ms <= 20 * HOUR_MS; ms += 5_000) usage.settle('a', at(ms));
  // The mean of what it had, and what it holds; settled a 32nd of a half-life ago at most.
  const share = usage.share('a', at(20 * HOUR_MS));
  assert.ok(share > 0.97 && share <= 1, String(share));
});

interface Deed {
  readonly payer: string;
  readonly demand: Demand;
  readonly isStart: boolean;
  readonly laterMs: number;
}
const deed: fc.Arbitrary<Deed> = fc.record({
  payer: fc.constantFrom('a', 'b', 'c', 'd'),
  demand: fc.constantFrom(HALF, ONE_GPU, TENTH),
  isStart: fc.boolean(),
  laterMs: fc.integer({ min: 0, max: 2 * HOUR_MS }),
});

/** Stops only what was started; returns when it is. */
function live(usage: Usage, deeds: readonly Deed[]): number {
  return liveWith(usage, deeds).nowMs;
}

function liveWith(usage: Usage, deeds: readonly Deed[]): { nowMs: number; held: Map<string, Demand[]> } {
  const held = new Map<string, Demand[]>();
  let nowMs = 0;
  for (const { payer, demand, isStart, laterMs } of deeds) {
    nowMs += laterMs;
    const leases = held.get(payer) ?? [];
    held.set(payer, leases);
    const last = isStart ? undefined : leases.pop();
    if (last !== undefined) usage.stop(payer, last, at(nowMs));
    else {
      leases.push(demand);
      usage.start(payer, demand, at(nowMs));
    }
  }
  return { nowMs, held };
}

const deeds = fc.array(deed, { maxLength: 40 });
const PAYERS = ['a', 'b', 'c', 'd', 'nobody'];

test('a share is a number from 0 to 2, and only falls while nothing starts or stops', () => {
  fc.assert(
    fc.property(deeds, fc.integer({ min: 0, max: 100 * HOUR_MS }), (done, laterMs) => {
      const usage = new Usage(SETTINGS, WHOLE);
      const nowMs = live(usage, done);
      for (const payer of PAYERS) {
        const share = usage.share(payer, at(nowMs));
        assert.ok(share >= 0 && share <= 2 + 1e-9, String(share));
        assert.ok(usage.share(payer, at(nowMs + laterMs)) <= share);
      }
    }),
  );
});

test('the order of payers is that of their shares, and stands still while nothing starts or stops', () => {
  fc.assert(
    fc.property(deeds, fc.integer({ min: 0, max: 10 * HOUR_MS }), (done, laterMs) => {
      const usage = new Usage(SETTINGS, WHOLE);
      const nowMs = live(usage, done);
      for (const a of PAYERS)
        for (const b of PAYERS) {
          if (!(usage.order(a) > usage.order(b) + 1e-9)) continue;
          assert.ok(usage.share(a, at(nowMs)) > usage.share(b, at(nowMs)));
          assert.ok(usage.share(a, at(nowMs + laterMs)) > usage.share(b, at(nowMs + laterMs)));
          assert.ok(usage.band(a, at(nowMs + laterMs)) >= usage.band(b, at(nowMs + laterMs)));
        }
    }),
  );
});

test('bands are whole numbers within their bound, and do not change while nothing starts or stops', () => {
  fc.assert(
    fc.property(deeds, fc.integer({ min: 0, max: 10 * HOUR_MS }), (done, laterMs) => {
      const usage = new Usage(SETTINGS, WHOLE);
      const nowMs = live(usage, done);
      for (const payer of PAYERS) {
        const band = usage.band(payer, at(nowMs), 4);
        assert.ok(Number.isInteger(band) && band >= 0 && band <= BANDS_MAX);
        assert.equal(usage.band(payer, at(nowMs + laterMs), 4), band);
      }
    }),
  );
});

test('the fair share is the mean of the shares of those active', () => {
  fc.assert(
    fc.property(deeds, fc.integer({ min: 0, max: HOUR_MS }), (done, laterMs) => {
      const usage = new Usage(SETTINGS, WHOLE);
      const now = at(live(usage, done) + laterMs);
      const fair = PAYERS.reduce((total, payer) => total + usage.share(payer, now), 0) / 4;
      for (const payer of PAYERS) {
        const above = usage.share(payer, now) / fair;
        // Beside the edges of the bands, which roundings may move.
        if (Math.abs(Math.log2(above) - Math.round(Math.log2(above))) < 1e-6) continue;
        assert.equal(usage.band(payer, now, 4), above > 1 ? Math.ceil(Math.log2(above)) : 0);
      }
    }),
  );
});

test('who is at or under the fair share is in band 0, and each doubling above it is one more', () => {
  const usage = new Usage(SETTINGS, WHOLE);
  const demand = (cpuMillicores: number): Demand => ({ cpuMillicores, memoryMib: 1, threads: 1 });
  for (const [payer, cpu] of [
    ['a', 100],
    ['b', 500],
    ['c', 900],
    ['d', 2_500],
  ] as const)
    usage.start(payer, demand(cpu), at(0));
  // The fair share is that of 1000 millicores.
  assert.deepEqual(
    ['a', 'b', 'c', 'd', 'nobody'].map((p) => usage.band(p, at(0), 4)),
    [0, 0, 0, 2, 0],
  );
  const equal = new Usage(SETTINGS, WHOLE);
  for (const payer of ['a', 'b', 'c']) equal.start(payer, TENTH, at(0));
  assert.deepEqual(
    ['a', 'b', 'c'].map((p) => equal.band(p, at(0), 3)),
    [0, 0, 0],
  );
  const alone = new Usage(SETTINGS, WHOLE);
  alone.start('a', TENTH, at(0));
  assert.ok(alone.band('a', at(0)) > alone.band('newcomer', at(0)), 'who comes with nothing goes first');
});

test('more use never gives a smaller share', () => {
  fc.assert(
    fc.property(deeds, fc.constantFrom(HALF, ONE_GPU, TENTH), (done, more) => {
      const usage = new Usage(SETTINGS, WHOLE);
      const other = new Usage(SETTINGS, WHOLE);
      other.start('a', more, at(0));
      const nowMs = live(usage, done);
      live(other, done);
      assert.ok(other.share('a', at(nowMs)) >= usage.share('a', at(nowMs)) - 1e-9);
    }),
  );
});

test('what was had is the same after it was written and read, and what was held is not in it', () => {
  fc.assert(
    fc.property(deeds, fc.integer({ min: 0, max: HOUR_MS }), (done, awayMs) => {
      const usage = new Usage(SETTINGS, WHOLE);
      const { nowMs, held } = liveWith(usage, done);
      const json: unknown = JSON.parse(JSON.stringify(usage.toJson(at(nowMs))));
      for (const [payer, demands] of held) for (const demand of demands) usage.stop(payer, demand, at(nowMs));
      // Another process: its monotonic clock begins anew.
      const later = { monoMs: 5, wallMs: at(nowMs).wallMs + awayMs };
      const read = readFrom(json, later);
      for (const payer of PAYERS) near(read.share(payer, later), usage.share(payer, at(nowMs + awayMs)));
    }),
  );
});

test('what is damaged is dropped, and the rest is kept', () => {
  const good = { payer: 'a', mean: 0.5 };
  for (const bad of [
    null,
    1,
    {},
    { payer: 'b' },
    { payer: 'b', mean: -1 },
    { payer: 'b', mean: 7 },
    { payer: 1, mean: 0.1 },
  ]) {
    const usage = readFrom({ wallMs: 1e12, payers: [bad, good] }, at(0));
    assert.equal(usage.size, 1);
    near(usage.share('a', at(0)), 0.5);
  }
  fc.assert(fc.property(fc.jsonValue(), (json) => readFrom(json, at(0)).size === 0));
});

test('payers that had next to nothing are forgotten, and never are there more than the bound', () => {
  const usage = new Usage(SETTINGS, WHOLE);
  usage.start('holder', HALF, at(0));
  for (let i = 0; i < PAYERS_MAX + 10; i++) {
    usage.start(`p${i}`, TENTH, at(i));
    usage.stop(`p${i}`, TENTH, at(i + 1));
  }
  assert.ok(usage.size <= PAYERS_MAX);
  assert.ok(usage.share('holder', at(PAYERS_MAX)) > 0.4, 'who holds something is never forgotten');
  usage.toJson(at(100 * HOUR_MS));
  assert.equal(usage.size, 1);
  near(usage.band('holder', at(100 * HOUR_MS), 1), 0);
});

test('where all capacity leaves, a share is a whole one and not without end, or one of the least that there is', () => {
  const usage = new Usage(SETTINGS, zero());
  usage.start('a', HALF, at(0));
  near(usage.share('a', at(0)), 1);
  const morning = new Usage(SETTINGS, zero(), WHOLE);
  morning.start('a', HALF, at(0));
  near(morning.share('a', at(0)), 0.5);
});

test('a share is one of all capacity as it is at each change', () => {
  const whole = { ...WHOLE };
  const usage = new Usage(SETTINGS, whole);
  usage.start('a', HALF, at(0));
  whole.cpuMillicores *= 2;
  near(usage.share('a', at(0)), 0.5);
  usage.start('a', TENTH, at(0));
  near(usage.share('a', at(0)), 0.2505);
});
