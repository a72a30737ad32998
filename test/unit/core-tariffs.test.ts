/** Which tariff holds when, days of changed clocks among them; what work comes to in money; who overstays; what a meter bounds. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import type { LeaseId } from '@plugpool/proto';
import { Plausibility } from '@plugpool/firmware-bridge';
import { energyMicros, workMicros } from '../../agent/core/ledger/prices.ts';
import { tariffAt, windowProblem, type Tariff } from '../../agent/core/ledger/tariffs.ts';
import { MONEY_MICROS_MAX } from '../../agent/core/limits.ts';
import type { BookingRecord } from '../../agent/core/records.ts';
import type { Settings } from '../../agent/core/settings.ts';
import { broken, withReading } from '../../agent/core/sessions/meter.ts';
import { checkLaws } from '../simulation/laws.ts';
import { connectorOf, digestOf, leaseIn, request, SimulatedPile } from '../simulation/simulated-pile.ts';

const HOUR_MS = 3_600_000;

function tariff(name: string, more: Partial<Tariff> = {}): Tariff {
  return {
    name,
    currency: 'EUR',
    cpuHourMicros: 3_000_000,
    gpuHourMicros: 0,
    operatorShareMillis: 200,
    energyKwhMicros: 30_000_000,
    ...more,
  };
}

function nightly(timeZone: string, hours = 8): Tariff {
  return tariff('night', { window: { cron: '0 22 * * *', timeZone, durationMs: hours * HOUR_MS } });
}

function nameAt(tariffs: readonly Tariff[], time: string): string | undefined {
  return tariffAt(tariffs, Date.parse(time))?.name;
}

test('a window holds from its first moment to the last before its end, and the first of the list goes first', () => {
  const list = [nightly('UTC'), tariff('day')];
  const cases: readonly [string, string][] = [
    ['2026-06-01T21:59:59.999Z', 'day'],
    ['2026-06-01T22:00:00.000Z', 'night'],
    ['2026-06-02T05:59:59.999Z', 'night'],
    ['2026-06-02T06:00:00.000Z', 'day'],
  ];
  for (const [time, name] of cases) assert.equal(nameAt(list, time), name, time);
  assert.equal(nameAt([tariff('day'), nightly('UTC')], '2026-06-01T23:00:00Z'), 'day');
});

test('where no window holds nothing is paid, and nothing where there is no tariff', () => {
  assert.equal(nameAt([nightly('UTC')], '2026-06-01T12:00:00Z'), undefined);
  assert.equal(nameAt([], '2026-06-01T12:00:00Z'), undefined);
});

test('a window opens by the local clock and stays open for its duration, whatever clocks are set to meanwhile', () => {
  const list = [nightly('Europe/Berlin')];
  const edges: readonly [string, boolean][] = [
    // The clocks go forward at 2026-03-29T01:00Z: 22:00 is 21:00Z, and eight hours later it is 07:00 there.
    ['2026-03-28T20:59:00Z', false],
    ['2026-03-28T21:00:00Z', true],
    ['2026-03-29T04:59:00Z', true],
    ['2026-03-29T05:00:00Z', false],
    ['2026-03-29T20:00:00Z', true],
    // They go back at 2026-10-25T01:00Z: eight hours after 22:00 it is 05:00.
    ['2026-10-24T20:00:00Z', true],
    ['2026-10-25T03:59:00Z', true],
    ['2026-10-25T04:00:00Z', false],
    ['2026-10-25T20:59:00Z', false],
    ['2026-10-25T21:00:00Z', true],
  ];
  for (const [time, isOpen] of edges) assert.equal(nameAt(list, time) !== undefined, isOpen, time);
});

test('a window that would open in the hour that is left out opens that night all the same, once', () => {
  const window = { cron: '30 2 * * *', timeZone: 'Europe/Berlin', durationMs: HOUR_MS };
  const list = [tariff('early', { window })];
  const open = Array.from(
    { length: 24 * 60 },
    (_, minute) => Date.parse('2026-03-28T22:00:00Z') + minute * 60_000,
  ).filter((wallMs) => tariffAt(list, wallMs) !== undefined);
  assert.equal(open.length, 60);
});

test('whatever the order in which it is asked, a tariff holds by the time alone', () => {
  const asked = [nightly('UTC', 3), tariff('day')];
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 3 * 24 * HOUR_MS }), { minLength: 1 }), (times) => {
      for (const wallMs of times) {
        const hour = (wallMs / HOUR_MS) % 24;
        assert.equal(tariffAt(asked, wallMs)?.name, hour >= 22 || hour < 1 ? 'night' : 'day');
      }
    }),
  );
});

test('an expression that is none, a time that never comes and a zone that is none are told', () => {
  assert.match(windowProblem('61 * * * *', 'UTC') ?? '', /minute/);
  assert.match(windowProblem('0 0 30 2 *', 'UTC') ?? '', /never comes/);
  assert.ok(windowProblem('0 0 * * *', 'Mars/Olympus') !== undefined);
  assert.equal(windowProblem('0 22 * * *', 'Europe/Berlin'), undefined);
});

test('money is exact to the millionth of a cent, rounded down, and bounded', () => {
  const prices = tariff('x', {
    cpuHourMicros: 3_000_001,
    gpuHourMicros: 40_000_000,
    energyKwhMicros: 30_000_000,
  });
  assert.equal(workMicros(prices, { cpuMncs: 3_600_000, gpuMncs: 0 }), 3_000_001);
  assert.equal(workMicros(prices, { cpuMncs: 1, gpuMncs: 0 }), 0);
  assert.equal(workMicros(prices, { cpuMncs: 0, gpuMncs: 3_600_000 }), 40_000_000);
  assert.equal(energyMicros(prices, 1_000_000), 30_000_000);
  const dear = tariff('dear', { cpuHourMicros: 1e12 });
  assert.equal(workMicros(dear, { cpuMncs: 1_800_000_001, gpuMncs: 0 }), 500_000_000_277_777);
  assert.equal(workMicros(dear, { cpuMncs: 6e12, gpuMncs: 6e12 }), MONEY_MICROS_MAX);
});

/** A pile where `donor` lends and has begun a run of `asker`'s. */
function running(settings: Partial<Settings>): { readonly pile: SimulatedPile; readonly lease: LeaseId } {
  const pile = new SimulatedPile({ leaseMs: HOUR_MS, capacityStaleMs: HOUR_MS, ...settings });
  pile.afterStep = (sent) => checkLaws(pile, sent);
  pile.addAlgorithm('sum', [{}], { workCoreS: 1_000 });
  pile.plug('donor');
  pile.lend('donor');
  pile.ask('asker');
  return { pile, lease: leaseIn(pile.say('asker.ask-1', request('r1', 'sum'))) };
}

function finish(pile: SimulatedPile, lease: LeaseId, cpuMs: number, energyMwh?: number): BookingRecord {
  const used = {
    cpuMs,
    wallMs: cpuMs,
    memoryPeakMib: 1,
    gpuMs: 0,
    ...(energyMwh === undefined ? {} : { energyMwh }),
  };
  pile.say('donor.lend', {
    kind: 'result',
    lease,
    used,
    outcome: { ok: true, output: { where: 'inline', bytes: Uint8Array.of(1) } },
  });
  const [booking] = pile.disk.bookings.values();
  assert.ok(booking);
  return booking;
}

function inUnit({ entries }: BookingRecord, unit: string): Record<string, number> {
  const those = entries.filter((entry) => entry.unit === unit);
  return Object.fromEntries(those.map(({ account, amount }) => [account, amount]));
}

test('a result is paid by the tariff that holds: its payer is charged, donor and operator share, the energy is the driver’s cost', () => {
  const { pile, lease } = running({ tariffs: [tariff('day')], operatorShareMillis: 100 });
  pile.pass(600_000);
  const booking = finish(pile, lease, 600_000, 20_000);
  assert.equal(booking.tariff, 'day');
  assert.deepEqual(inUnit(booking, 'EURe-6'), {
    // A sixth of an hour at 3 cents, a fifth of it the operator's; 20 Wh at 30 cents a kWh.
    'vehicle:asker': -500_000,
    'vehicle:donor': 400_000,
    operator: 100_000,
    'energy-cost:donor': -600_000,
    'charging-bill': 600_000,
  });
  assert.deepEqual(inUnit(booking, 'cpuMncs'), {
    'vehicle:asker': -600_000,
    'vehicle:donor': 540_000,
    operator: 60_000,
  });
});

test('a vehicle that overstays earns nothing: what it would have earned is the operator’s, and the booking says so', () => {
  const { pile } = running({});
  const late = running({ tariffs: [tariff('day')], overstayAfterMs: 60_000 });
  for (const one of [pile, late.pile])
    one.firmware({ kind: 'suspended', connectorId: connectorOf('donor'), by: 'EV' });
  late.pile.pass(59_000);
  const inTime = finish(late.pile, late.lease, 1_000);
  assert.equal(inTime.overstay, undefined, 'it was begun before');
  late.pile.pass(1_000);
  const lease = leaseIn(late.pile.say('asker.ask-1', request('r2', 'sum')));
  late.pile.pass(360_000);
  finish(late.pile, lease, 360_000);
  const booking = [...late.pile.disk.bookings.values()].at(-1);
  assert.equal(booking?.overstay, true);
  assert.deepEqual(inUnit(booking, 'cpuMncs'), {
    'vehicle:asker': -360_000,
    'vehicle:donor': 0,
    operator: 360_000,
  });
  assert.deepEqual(
    { donor: inUnit(booking, 'EURe-6')['vehicle:donor'], operator: inUnit(booking, 'EURe-6')['operator'] },
    { donor: 0, operator: 300_000 },
  );
});

test('no booking of energy exceeds what the meter saw, where it reported in that time', () => {
  const { pile } = running({ computingPowerMaxMw: 100_000 });
  const connectorId = connectorOf('donor');
  const metered = (energyMwh: number): unknown => pile.firmware({ kind: 'meter', connectorId, energyMwh });
  metered(1_000);
  const lease = leaseIn(pile.say('asker.ask-1', request('r2', 'sum')));
  pile.pass(600_000);
  metered(1_500);
  pile.pass(3_600);
  finish(pile, lease, 1_000, 1e6);
  const booking = [...pile.disk.bookings.values()].at(-1);
  assert.ok(booking);
  // What the register grew by, and what may have flowed since it was read: 3.6 s of 100 W.
  assert.equal(inUnit(booking, 'mWh')['vehicle:donor'], 600);
});

test('a meter that runs backwards, begins anew or jumps bounds nothing across it', () => {
  for (const wrong of [500_000, 0, 1e12]) {
    const { pile } = running({ computingPowerMaxMw: 100_000 });
    const connectorId = connectorOf('donor');
    const plausibility = new Plausibility();
    const metered = (energyMwh: number): void => {
      const at = { receivedWallMs: 0 };
      const said = { kind: 'meter', connectorId, energyMwh, at } as const;
      pile.firmware(plausibility.judge(said, pile.now().monoMs).event);
    };
    metered(1_000_000);
    const lease = leaseIn(pile.say('asker.ask-1', request('r2', 'sum')));
    pile.pass(360_000);
    for (const reading of [wrong, wrong + 1, 2_000_000, 1]) metered(reading);
    finish(pile, lease, 1_000, 1e6);
    const booking = [...pile.disk.bookings.values()].at(-1);
    assert.ok(booking);
    assert.equal(inUnit(booking, 'mWh')['vehicle:donor'], 10_000, 'six minutes of 100 W');
  }
});

test('what a meter counted between two breaks only grows, and whatever is doubted or told by another source is a break', () => {
  const now = { monoMs: 0, wallMs: 0 };
  const act = fc.record({
    registerMwh: fc.option(fc.nat(), { nil: undefined }),
    source: fc.constantFrom('a', 'b'),
  });
  fc.assert(
    fc.property(fc.array(act), (acts) => {
      let meter = withReading(undefined, { registerMwh: 0, source: 'a' }, now);
      for (const { registerMwh, source } of acts) {
        const before = meter;
        meter = registerMwh === undefined ? broken(meter) : withReading(meter, { registerMwh, source }, now);
        const isBreak = registerMwh === undefined || source !== before.source;
        assert.equal(meter.breaks, before.breaks + (isBreak ? 1 : 0));
        if (isBreak || before.isBroken === true) continue;
        assert.equal(meter.registerMwh, Math.max(before.registerMwh, registerMwh));
      }
    }),
  );
});

test('the example of docs/ledger.md is what is booked', () => {
  const document = readFileSync(join(import.meta.dirname, '../../docs/ledger.md'), 'utf8');
  const pile = new SimulatedPile({
    tariffs: [tariff('day')],
    checkpoints: true,
    leaseMs: HOUR_MS,
    capacityStaleMs: HOUR_MS,
  });
  pile.addAlgorithm('long', [{}], { checkpoints: true, workCoreS: 3_000 });
  pile.plug('donor');
  pile.lend('donor');
  pile.ask('asker');
  const lease = leaseIn(pile.say('asker.ask-1', request('r1', 'long')));
  pile.pass(900_000);
  const used = { cpuMs: 900_000, wallMs: 900_000, memoryPeakMib: 1, gpuMs: 0 };
  pile.say('donor.lend', {
    kind: 'checkpoint',
    lease,
    state: { digest: digestOf('kept'), sizeBytes: 1 },
    used,
  });
  pile.pass(600_000);
  finish(pile, lease, 1_500_000);
  const units = ['cpuMncs', 'EURe-6', 'mWh'];
  const booked = [...pile.disk.bookings.values()].flatMap((booking) => {
    const accounts = [...new Set(booking.entries.map(({ account }) => account))];
    const amounts = units.map((unit) => inUnit(booking, unit));
    return accounts.map((account, n) => [
      n === 0 ? `${booking.kind}, segment ${booking.segment}` : '',
      account,
      ...amounts.map((of) => String(of[account] ?? '')),
    ]);
  });
  assert.deepEqual(rowsUnder(document, '| booking'), booked);
});

/** The rows of the table whose heading begins so; digits are grouped by spaces for who reads them. */
function rowsUnder(document: string, heading: string): string[][] {
  const lines = document.split('\n');
  const from = lines.findIndex((line) => line.startsWith(heading)) + 2;
  const rows = lines.slice(from, lines.indexOf('', from));
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((text) => text.trim().replaceAll(/(?<=\d) (?=\d)/g, '')),
  );
}
