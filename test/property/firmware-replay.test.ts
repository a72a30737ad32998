/** Whatever stays a file holds, the replay tells them in order, one vehicle a connector, and the same each time. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import {
  createReplayFirmware,
  parseConnectorId,
  planSessions,
  readSessions,
} from '../../firmware-bridge/index.ts';
import type {
  FirmwareEvent,
  PlanOptions,
  SessionRow,
  TimedFirmwareEvent,
} from '../../firmware-bridge/index.ts';
import { SteppedClock } from '../../firmware-bridge/stepped-clock.ts';
import { FirmwareOrder } from '../conformance/firmware-order.ts';

const MINUTE_MS = 60_000;
/** What `readSessions` lets through. */
const MEGAWATT_MWH_PER_MS = 1e9 / 3_600_000;
const FIRST_MS = Date.UTC(2026, 2, 1);

/** One stay as distances in minutes, so that any choice of numbers is a possible one. */
const stay = fc.record({
  gapMinutes: fc.nat(300),
  stayMinutes: fc.integer({ min: 1, max: 2000 }),
  energyWh: fc.option(fc.nat(100_000), { nil: undefined }),
  /** Of the stay, in percent. */
  chargingPercent: fc.option(fc.nat(100), { nil: undefined }),
  statedMinutes: fc.option(fc.integer({ min: 1, max: 3000 }), { nil: undefined }),
});
type Stay = typeof stay extends fc.Arbitrary<infer Value> ? Value : never;

const rowsOfFile = fc.array(fc.array(stay, { maxLength: 6 }), { maxLength: 5 }).map((connectors) => {
  let line = 2;
  return connectors.flatMap((stays, connector) => {
    let freeMs = FIRST_MS;
    return stays.map((one) => {
      const row = rowOf(one, `${connector + 1}`, freeMs, line++);
      freeMs = row.unpluggedMs;
      return row;
    });
  });
});

function rowOf(one: Stay, connector: string, freeMs: number, line: number): SessionRow {
  const pluggedMs = freeMs + one.gapMinutes * MINUTE_MS;
  const stayMs = one.stayMinutes * MINUTE_MS;
  const chargingEndedMs =
    one.chargingPercent === undefined ? undefined : pluggedMs + (stayMs * one.chargingPercent) / 100;
  const energyMwhMax = ((chargingEndedMs ?? pluggedMs + stayMs) - pluggedMs) * MEGAWATT_MWH_PER_MS;
  return {
    line,
    site: 'Depot',
    connector,
    connectorId: parseConnectorId(connector, 'pile'),
    pluggedMs,
    unpluggedMs: pluggedMs + stayMs,
    energyMwh:
      one.energyWh === undefined ? undefined : Math.floor(Math.min(one.energyWh * 1000, energyMwhMax)),
    chargingEndedMs,
    statedDepartureMs:
      one.statedMinutes === undefined ? undefined : pluggedMs + one.statedMinutes * MINUTE_MS,
  };
}

const options = fc.record({
  chargingPowerW: fc.integer({ min: 1, max: 100_000 }),
  meterEveryMs: fc.integer({ min: MINUTE_MS, max: 600 * MINUTE_MS }),
});

/** What is wrong with the order of the events, heard as a replay that begins at `fromMs` would be. */
function faultsOf(events: readonly TimedFirmwareEvent[], fromMs: number): readonly string[] {
  const order = new FirmwareOrder();
  const faults = events.flatMap(({ simulatedMs, fact }) =>
    order.see({ ...fact, at: { sourceWallMs: simulatedMs, receivedWallMs: Math.max(simulatedMs, fromMs) } }),
  );
  return [...faults, ...order.occupied().map((connectorId) => `${connectorId} is never left`)];
}

function assertInTime(events: readonly TimedFirmwareEvent[]): void {
  events.reduce((beforeMs, { simulatedMs }) => {
    assert.ok(simulatedMs >= beforeMs, `${simulatedMs} came after ${beforeMs}`);
    return simulatedMs;
  }, -Infinity);
}

describe('planSessions', () => {
  it('orders any stays, lets each vehicle leave, and holds one vehicle a connector', () => {
    fc.assert(
      fc.property(rowsOfFile, options, (rows, plan) => {
        const events = [...planSessions(rows, plan)];
        assert.deepEqual(faultsOf(events, 0), []);
        assertInTime(events);
        assert.equal(events.filter(({ fact }) => fact.kind === 'plugged').length, rows.length);
        assert.equal(events.filter(({ fact }) => fact.kind === 'unplugged').length, rows.length);
      }),
    );
  });

  it('does so from any moment on, for those who are still there', () => {
    fc.assert(
      fc.property(rowsOfFile, options, fc.nat(10_000), (rows, plan, fromMinutes) => {
        const fromMs = FIRST_MS + fromMinutes * MINUTE_MS;
        const events = [...planSessions(rows, { ...plan, fromMs })];
        assert.deepEqual(faultsOf(events, fromMs), []);
        const stays = rows.filter((row) => row.unpluggedMs > fromMs).length;
        assert.equal(events.filter(({ fact }) => fact.kind === 'plugged').length, stays);
      }),
    );
  });

  it('gives the same events for the same rows, in whatever order the rows come', () => {
    fc.assert(
      fc.property(rowsOfFile, options, (rows, plan) => {
        assert.deepEqual([...planSessions(rows.toReversed(), plan)], [...planSessions(rows, plan)]);
      }),
    );
  });

  it('lets the register grow to the energy of the stay and no further', () => {
    fc.assert(
      fc.property(rowsOfFile, options, (rows, plan: PlanOptions) => {
        for (const row of rows) {
          const readings = [...planSessions([row], plan)].flatMap(({ fact }) =>
            fact.kind === 'meter' ? [fact.energyMwh] : [],
          );
          assert.deepEqual(
            readings,
            readings.toSorted((a, b) => (a ?? 0) - (b ?? 0)),
          );
          assert.equal(readings.at(-1), row.energyMwh);
        }
      }),
    );
  });
});

/** Cells that are mostly possible and often clash: the clock of one day, few connectors, some nonsense. */
const cellTime = fc.oneof(
  { weight: 20, arbitrary: fc.nat(23).map((hour) => `2026-03-01T${String(hour).padStart(2, '0')}:00:00`) },
  { weight: 1, arbitrary: fc.constantFrom('', 'noon', '2026-02-30T10:00:00') },
);
const csvLine = fc
  .tuple(
    fc.constantFrom('Depot', '"Depot, North"', ''),
    fc.constantFrom('1', '2', '1/1', '2/2', 'a b', ''),
    cellTime,
    cellTime,
    fc.constantFrom('', '0', '7200', '-1', '12.5', 'x'),
    fc.oneof(fc.constant(''), cellTime),
    fc.oneof(fc.constant(''), cellTime),
  )
  .map((cells) => cells.join(','));
const HEADER = 'site,connector,plugged_at,unplugged_at,energy_wh,charging_ended_at,stated_departure_at';

describe('the replay of any file', () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'plugpool-property-'));
  });
  after(() => rm(folder, { recursive: true }));

  async function play(file: string, speed: number): Promise<readonly FirmwareEvent[]> {
    const clock = new SteppedClock();
    const firmware = createReplayFirmware({ file, station: 'pile', speed, clock });
    const events: FirmwareEvent[] = [];
    const order = new FirmwareOrder(firmware.capabilities);
    const faults: string[] = [];
    await firmware.start((event) => {
      events.push(event);
      faults.push(...order.see(event));
    }, new AbortController().signal);
    clock.drain();
    await firmware.stop();
    assert.deepEqual([...faults, ...order.occupied()], []);
    return events;
  }

  it('keeps what can be true of it, in order, and is the same the second time', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(csvLine, { maxLength: 40 }),
        fc.constantFrom(1, 60, 3333.3, Infinity),
        async (lines, speed) => {
          const file = join(folder, 'any.csv');
          await writeFile(file, [HEADER, ...lines].join('\n'));
          const { rows, rowsSkipped } = await readSessions(file, { station: 'pile' });
          assert.equal(rows.length + rowsSkipped, lines.length);
          if (rows.length === 0) return;
          assert.deepEqual(await play(file, speed), await play(file, speed));
        },
      ),
      { numRuns: 60 },
    );
  });
});
