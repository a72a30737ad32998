/** The replay: what a stay becomes, at which time, and how the options change it. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { SAMPLE_SESSIONS_FILE, createReplayFirmware } from '../../firmware-bridge/index.ts';
import type { FirmwareEvent, ReplayFirmware, ReplayFirmwareOptions } from '../../firmware-bridge/index.ts';
import { SteppedClock } from '../../firmware-bridge/stepped-clock.ts';
import { FirmwareOrder } from '../conformance/firmware-order.ts';

const HEADER = 'site,connector,plugged_at,unplugged_at,energy_wh,charging_ended_at,stated_departure_at';
const START_WALL_MS = Date.UTC(2030, 0, 1);
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const ONE_STAY =
  'Depot,1,2026-03-01T08:00:00,2026-03-01T10:00:00,7200,2026-03-01T09:00:00,2026-03-01T10:30:00';

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plugpool-replay-'));
});
after(() => rm(folder, { recursive: true }));

interface Replay {
  readonly firmware: ReplayFirmware;
  readonly clock: SteppedClock;
  readonly events: FirmwareEvent[];
}

async function replay(
  lines: readonly string[],
  options: Partial<ReplayFirmwareOptions> = {},
): Promise<Replay> {
  const file = join(folder, 'sessions.csv');
  await writeFile(file, [HEADER, ...lines].join('\n'));
  const clock = new SteppedClock(START_WALL_MS);
  const firmware = createReplayFirmware({
    file,
    station: 'pile',
    clock,
    meterEveryMs: 30 * MINUTE_MS,
    ...options,
  });
  const events: FirmwareEvent[] = [];
  await firmware.start((event) => events.push(event), new AbortController().signal);
  return { firmware, clock, events };
}

/** Minutes after the start of the replay, kind, and what else it says. */
function drawn(events: readonly FirmwareEvent[]): readonly string[] {
  return events.map(({ at, kind, connectorId: _, ...rest }) => {
    const minutes = (at.receivedWallMs - START_WALL_MS) / MINUTE_MS;
    return [`${minutes}`, kind, ...Object.entries(rest).map(([name, value]) => `${name}=${value}`)].join(' ');
  });
}

function lastOf(events: readonly FirmwareEvent[]): FirmwareEvent | undefined {
  return events[events.length - 1];
}

describe('the replay of a stay', () => {
  it('tells a stay whole, each part at its time', async () => {
    const { clock, events } = await replay([ONE_STAY], { vehicles: { '1': 'car-a' } });
    clock.drain();
    assert.deepEqual(drawn(events), [
      '0 plugged',
      '0 identity vehicleId=car-a assurance=operator',
      '0 transactionStarted transactionId=replay-2',
      '0 chargingStarted',
      `0 evInfo departureInMs=${2.5 * HOUR_MS}`,
      '0 meter powerMw=7200000 energyMwh=0',
      '30 meter powerMw=7200000 energyMwh=3600000',
      '60 meter powerMw=0 energyMwh=7200000',
      '60 suspended by=EV',
      '120 transactionEnded transactionId=replay-2',
      '120 unplugged',
    ]);
    assert.ok(events.every((event) => event.connectorId === 'pile/1/1'));
  });

  it('estimates the end of charging from the energy and the stated power', async () => {
    const line = 'Depot,1,2026-03-01T08:00:00,2026-03-01T10:00:00,3600,,';
    const { clock, events } = await replay([line], { chargingPowerW: 3600 });
    clock.drain();
    assert.ok(drawn(events).includes('60 suspended by=EV'));
  });

  it('lets it charge all the stay where the stated power could not have given the energy', async () => {
    const line = 'Depot,1,2026-03-01T08:00:00,2026-03-01T10:00:00,100000,,';
    const { clock, events } = await replay([line], { chargingPowerW: 3600, meterEveryMs: HOUR_MS });
    clock.drain();
    assert.deepEqual(drawn(events).slice(3), [
      '0 meter powerMw=50000000 energyMwh=0',
      '60 meter powerMw=50000000 energyMwh=50000000',
      '120 meter powerMw=0 energyMwh=100000000',
      '120 transactionEnded transactionId=replay-2',
      '120 unplugged',
    ]);
  });

  it('says nothing of energy where the file does not, and takes it to charge until it leaves', async () => {
    const { clock, events } = await replay(['Depot,1,2026-03-01T08:00:00,2026-03-01T10:00:00,,,']);
    clock.drain();
    assert.deepEqual(drawn(events), [
      '0 plugged',
      '0 transactionStarted transactionId=replay-2',
      '0 chargingStarted',
      '120 transactionEnded transactionId=replay-2',
      '120 unplugged',
    ]);
  });

  it('never says that a vehicle charges which took no energy', async () => {
    const { clock, events } = await replay(['Depot,1,2026-03-01T08:00:00,2026-03-01T10:00:00,0,,']);
    clock.drain();
    const kinds = events.map((event) => event.kind);
    assert.deepEqual(kinds, [
      'plugged',
      'transactionStarted',
      'meter',
      'suspended',
      'transactionEnded',
      'unplugged',
    ]);
  });

  it('frees a connector before the next vehicle takes it in the same minute', async () => {
    const { clock, events } = await replay([
      'Depot,1,2026-03-01T08:30:00,2026-03-01T09:00:00,,,',
      'Depot,1,2026-03-01T08:00:00,2026-03-01T08:30:00,,,',
    ]);
    clock.drain();
    const moves = events
      .filter(({ kind }) => kind === 'plugged' || kind === 'unplugged')
      .map(({ kind }) => kind);
    assert.deepEqual(moves, ['plugged', 'unplugged', 'plugged', 'unplugged']);
  });

  it('falls silent at the end, with no timer left and nobody plugged in', async () => {
    const { clock, events } = await replay([ONE_STAY]);
    clock.drain();
    const told = events.length;
    assert.equal(clock.pendingTimers, 0);
    clock.advance(30 * DAY_MS);
    assert.equal(events.length, told);
    assert.equal(lastOf(events)?.kind, 'unplugged');
  });
});

describe('the pace of a replay', () => {
  it('tells nothing before its time, and nothing from within start', async () => {
    const { clock, events } = await replay([ONE_STAY]);
    assert.equal(events.length, 0);
    clock.advance(2 * HOUR_MS - 1);
    assert.equal(lastOf(events)?.kind, 'suspended');
    clock.advance(1);
    assert.equal(lastOf(events)?.kind, 'unplugged');
  });

  it('sixty times as fast, shortens waits and durations alike and leaves power and energy', async () => {
    const { clock, events } = await replay([ONE_STAY], { speed: 60 });
    clock.drain();
    assert.deepEqual(drawn(events), [
      '0 plugged',
      '0 transactionStarted transactionId=replay-2',
      '0 chargingStarted',
      `0 evInfo departureInMs=${2.5 * MINUTE_MS}`,
      '0 meter powerMw=7200000 energyMwh=0',
      '0.5 meter powerMw=7200000 energyMwh=3600000',
      '1 meter powerMw=0 energyMwh=7200000',
      '1 suspended by=EV',
      '2 transactionEnded transactionId=replay-2',
      '2 unplugged',
    ]);
  });

  it('without end in its speed, waits for nothing and keeps the times of speed 1', async () => {
    const { clock, events } = await replay([ONE_STAY], { speed: Infinity });
    clock.advance(0);
    assert.equal(lastOf(events)?.at.receivedWallMs, START_WALL_MS + 2 * HOUR_MS);
    assert.equal(lastOf(events)?.kind, 'unplugged');
  });

  it('samples not oftener than once a second of the clock unless told to', async () => {
    const { clock, events } = await replay([ONE_STAY], { speed: 3600, meterEveryMs: undefined });
    clock.drain();
    assert.equal(events.filter((event) => event.kind === 'meter').length, 2);
  });

  it('does not care when somebody sets the wall clock', async () => {
    const { clock, events } = await replay([ONE_STAY]);
    clock.advance(MINUTE_MS);
    clock.jumpWall(-DAY_MS);
    clock.advance(2 * HOUR_MS - MINUTE_MS);
    assert.equal(lastOf(events)?.kind, 'unplugged');
  });

  it('waits through gaps that are longer than a timer', async () => {
    const later = 'Depot,1,2026-06-01T08:00:00,2026-06-01T10:00:00,,,';
    const { clock, events } = await replay([ONE_STAY, later]);
    clock.drain();
    assert.equal(drawn(events).at(-1), `${(92 * DAY_MS + 2 * HOUR_MS) / MINUTE_MS} unplugged`);
  });

  it('lives through the sample on the real clock', async () => {
    const firmware = createReplayFirmware({ file: SAMPLE_SESSIONS_FILE, station: 'pile', speed: 5_000_000 });
    const order = new FirmwareOrder(firmware.capabilities);
    const faults: string[] = [];
    const { promise: over, resolve } = Promise.withResolvers<void>();
    let stays = 0;
    await firmware.start((event) => {
      faults.push(...order.see(event));
      if (event.kind === 'unplugged' && ++stays === 40) resolve();
    }, new AbortController().signal);
    await over;
    await firmware.stop();
    assert.deepEqual([...faults, ...order.occupied()], []);
  });

  it('can be stopped from within an event', async () => {
    const file = join(folder, 'sessions.csv');
    await writeFile(file, [HEADER, ONE_STAY].join('\n'));
    const clock = new SteppedClock();
    const firmware = createReplayFirmware({ file, station: 'pile', clock });
    const kinds: string[] = [];
    let stopped = Promise.resolve();
    await firmware.start((event) => {
      kinds.push(event.kind);
      stopped = firmware.stop();
    }, new AbortController().signal);
    clock.drain();
    await stopped;
    assert.deepEqual(kinds, ['plugged']);
    assert.equal(clock.pendingTimers, 0);
  });
});

describe('the options of a replay', () => {
  it('startAt finds the vehicles that are plugged in by then, with the times at which they came', async () => {
    const gone = 'Depot,2,2026-03-01T07:00:00,2026-03-01T07:30:00,100,,';
    const { clock, events } = await replay([gone, ONE_STAY], { startAt: '2026-03-01T08:45:00' });
    clock.advance(0);
    assert.deepEqual(drawn(events), [
      '0 plugged',
      '0 transactionStarted transactionId=replay-3',
      '0 chargingStarted',
      `0 evInfo departureInMs=${1.75 * HOUR_MS}`,
      '0 meter powerMw=7200000 energyMwh=3600000',
    ]);
    assert.equal(events[0]?.at.sourceWallMs, START_WALL_MS - 45 * MINUTE_MS);
    clock.drain();
    assert.equal(drawn(events).at(-1), '75 unplugged');
  });

  it('startAt leaves out a departure that has passed by then', async () => {
    const late = 'Depot,1,2026-03-01T08:00:00,2026-03-01T10:00:00,,,2026-03-01T08:30:00';
    const { clock, events } = await replay([late], { startAt: '2026-03-01T09:00:00' });
    clock.advance(0);
    const info = events.find((event) => event.kind === 'evInfo');
    assert.equal(info?.departureInMs, undefined);
  });

  it('startAt before the first stay waits for it', async () => {
    const { clock, events } = await replay([ONE_STAY], { startAt: '2026-03-01T07:00:00' });
    clock.drain();
    assert.equal(drawn(events)[0], '60 plugged');
  });

  it('sites, connectors and limit choose stays', async () => {
    const lines = [
      'North,1,2026-03-01T08:00:00,2026-03-01T10:00:00,,,',
      'South,2,2026-03-01T08:00:00,2026-03-01T10:00:00,,,',
      'South,3,2026-03-01T08:00:00,2026-03-01T10:00:00,,,',
      'South,3,2026-03-01T11:00:00,2026-03-01T12:00:00,,,',
    ];
    const connectorsOf = async (options: Partial<ReplayFirmwareOptions>) => {
      const { clock, events } = await replay(lines, options);
      clock.drain();
      return events.filter(({ kind }) => kind === 'plugged').map(({ connectorId }) => connectorId);
    };
    assert.deepEqual(await connectorsOf({ sites: ['North'] }), ['pile/1/1']);
    assert.deepEqual(await connectorsOf({ connectors: ['1', 'pile/2/1'] }), ['pile/1/1', 'pile/2/1']);
    assert.deepEqual(await connectorsOf({ sites: ['South'], limit: 2 }), ['pile/2/1', 'pile/3/1']);
  });

  it('names sites and connectors where nothing is left to play', async () => {
    await assert.rejects(replay([ONE_STAY], { sites: ['Nowhere'] }), {
      code: 'invalid_argument',
      hint: 'Sites: "Depot". Connectors: "1"',
    });
  });

  it('loop begins again at the same time of day, with other transactions', async () => {
    const { firmware, clock, events } = await replay([ONE_STAY], { loop: true });
    clock.advance(3 * DAY_MS);
    await firmware.stop();
    const plugged = drawn(events).filter((line) => line.endsWith(' plugged'));
    assert.deepEqual(plugged, ['0 plugged', '1440 plugged', '2880 plugged', '4320 plugged']);
    const transactions = events.filter((event) => event.kind === 'transactionStarted');
    assert.equal(new Set(transactions.map((event) => event.transactionId)).size, 4);
  });

  it('declares identity only where vehicles are given', () => {
    const options = { file: 'x.csv', station: 'pile' };
    assert.equal(createReplayFirmware(options).capabilities.has('identity'), false);
    assert.equal(
      createReplayFirmware({ ...options, vehicles: { '1': 'car' } }).capabilities.has('identity'),
      true,
    );
  });

  const wrong: readonly (readonly [string, Partial<ReplayFirmwareOptions>, RegExp])[] = [
    ['speed 0', { speed: 0 }, /speed 0 is not above 0/],
    ['speed NaN', { speed: Number.NaN }, /speed NaN/],
    ['speed Infinity without a clock', { speed: Infinity }, /speed Infinity has no clock/],
    ['a negative limit', { limit: -1 }, /limit -1/],
    ['an endless meter interval', { meterEveryMs: Infinity }, /meterEveryMs is not finite/],
    ['a start that is no time', { startAt: 'yesterday' }, /startAt "yesterday" is not a time/],
    ['a station with a blank', { station: 'my pile' }, /"my pile" is not a station id/],
    ['a vehicle id with a slash', { vehicles: { '1': 'a/b' } }, /"a\/b" is not a vehicle id/],
    [
      'one vehicle at two connectors',
      { vehicles: { '1': 'a', '2': 'a' } },
      /Vehicle a stands at connectors 1 and 2/,
    ],
  ];
  for (const [what, options, message] of wrong) {
    it(`refuses ${what} when it is made`, () => {
      assert.throws(() => createReplayFirmware({ file: 'x.csv', station: 'pile', ...options }), {
        code: 'invalid_argument',
        message,
      });
    });
  }
});
