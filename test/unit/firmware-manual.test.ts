/** The manual adapter: which steps are taken and which refused, and what outlives a restart. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createManualFirmware } from '../../firmware-bridge/index.ts';
import type { FirmwareEvent, FirmwareIssue, ManualFirmware } from '../../firmware-bridge/index.ts';
import { SteppedClock } from '../../firmware-bridge/stepped-clock.ts';

const START_WALL_MS = Date.UTC(2030, 0, 1);

let folder = '';
let stateFile = '';
let clock = new SteppedClock();
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plugpool-manual-'));
  stateFile = join(folder, 'manual.json');
  clock = new SteppedClock(START_WALL_MS);
});
afterEach(() => rm(folder, { recursive: true }));

interface Started {
  readonly firmware: ManualFirmware;
  readonly events: FirmwareEvent[];
  readonly issues: FirmwareIssue[];
  /** What was said since the last call, without times. */
  readonly said: () => readonly string[];
}

async function start(): Promise<Started> {
  const events: FirmwareEvent[] = [];
  const issues: FirmwareIssue[] = [];
  const firmware = createManualFirmware({
    station: 'pile',
    stateFile,
    clock,
    report: (issue) => issues.push(issue),
  });
  await firmware.start((event) => events.push(event), new AbortController().signal);
  let told = 0;
  const said = () => {
    const fresh = events.slice(told);
    told = events.length;
    return fresh.map(({ at: _, connectorId, kind, ...rest }) =>
      [connectorId, kind, ...Object.entries(rest).map(([name, value]) => `${name}=${value}`)].join(' '),
    );
  };
  return { firmware, events, issues, said };
}

describe('manual steps', () => {
  it('tell a stay as the operator plays it', async () => {
    const { firmware, said } = await start();
    assert.equal(await firmware.plug('1', { vehicleId: 'car-a', socPermille: 400 }), 'pile/1/1');
    await firmware.charge('1');
    await firmware.suspend('1', { by: 'EVSE' });
    await firmware.charge('pile/1/1');
    await firmware.suspend('1/1');
    await firmware.info('1', { departureInMs: 5000, socPermille: 900 });
    await firmware.finish('1');
    await firmware.unplug('1');
    assert.deepEqual(said(), [
      'pile/1/1 plugged',
      'pile/1/1 identity vehicleId=car-a assurance=operator',
      'pile/1/1 evInfo socPermille=400',
      'pile/1/1 chargingStarted',
      'pile/1/1 suspended by=EVSE',
      'pile/1/1 chargingStarted',
      'pile/1/1 suspended by=EV',
      'pile/1/1 evInfo socPermille=900',
      'pile/1/1 evInfo departureInMs=5000',
      'pile/1/1 chargingStopped',
      'pile/1/1 unplugged',
    ]);
  });

  it('plug a vehicle in first where it is told to charge at a free connector', async () => {
    const { firmware, said } = await start();
    await firmware.charge('3', { vehicleId: 'car-a' });
    assert.deepEqual(said(), [
      'pile/3/1 plugged',
      'pile/3/1 identity vehicleId=car-a assurance=operator',
      'pile/3/1 chargingStarted',
    ]);
  });

  it('name a vehicle later', async () => {
    const { firmware, said } = await start();
    await firmware.plug('1');
    said();
    await firmware.charge('1', { vehicleId: 'car-a' });
    assert.deepEqual(said(), [
      'pile/1/1 identity vehicleId=car-a assurance=operator',
      'pile/1/1 chargingStarted',
    ]);
  });

  it('are told in the order in which they were asked for, without waiting for one another', async () => {
    const { firmware, said } = await start();
    await Promise.all([firmware.plug('1'), firmware.charge('1'), firmware.finish('1'), firmware.unplug('1')]);
    assert.deepEqual(said(), [
      'pile/1/1 plugged',
      'pile/1/1 chargingStarted',
      'pile/1/1 chargingStopped',
      'pile/1/1 unplugged',
    ]);
  });

  type Play = (firmware: ManualFirmware) => Promise<unknown>;
  const refused: readonly (readonly [string, Play, RegExp])[] = [
    [
      'charging at a free connector without a vehicle',
      (f) => f.charge('1'),
      /No vehicle is plugged in at connector pile\/1\/1/,
    ],
    ['suspending at a free connector', (f) => f.suspend('1', { vehicleId: 'car-c' }), /it cannot suspend/],
    ['finishing at a free connector', (f) => f.finish('1'), /it cannot finish/],
    ['unplugging at a free connector', (f) => f.unplug('1'), /it cannot unplug/],
    ['info on a free connector', (f) => f.info('1', { socPermille: 1 }), /it cannot info/],
    [
      'plugging in where a vehicle is',
      (f) => f.plug('2', { vehicleId: 'car-a' }),
      /Vehicle car-a is plugged in at connector pile\/2\/1 already/,
    ],
    [
      'another vehicle at an occupied connector',
      (f) => f.charge('2', { vehicleId: 'car-c' }),
      /holds vehicle car-a, not car-c/,
    ],
    [
      'a vehicle that is plugged in elsewhere',
      (f) => f.plug('1', { vehicleId: 'car-a' }),
      /car-a is plugged in at connector pile\/2\/1/,
    ],
    [
      'charging after it had finished',
      (f) => f.charge('4'),
      /has finished for this session; it cannot charge/,
    ],
    ['suspending after it had finished', (f) => f.suspend('4'), /it cannot suspend/],
    [
      'a state of charge above full',
      (f) => f.info('2', { socPermille: 1001 }),
      /1001 permille is not between/,
    ],
    ['a state of charge that is no number', (f) => f.info('2', { socPermille: Number.NaN }), /NaN permille/],
    ['a departure in the past', (f) => f.info('2', { departureInMs: -1 }), /departure in -1 ms/],
    [
      'a vehicle id with a blank',
      (f) => f.plug('1', { vehicleId: 'my car' }),
      /"my car" is not a vehicle id/,
    ],
    ['a connector that is none', (f) => f.plug('a b'), /"a b" does not name a connector/],
  ];
  for (const [what, play, message] of refused) {
    it(`refuse ${what}, say nothing and change nothing`, async () => {
      const { firmware, said } = await start();
      await firmware.plug('2', { vehicleId: 'car-a' });
      await firmware.plug('4', { vehicleId: 'car-b' });
      await firmware.finish('4');
      said();
      const before = await readFile(stateFile, 'utf8');
      await assert.rejects(play(firmware), { name: 'FirmwareError', message });
      assert.deepEqual(said(), []);
      assert.equal(await readFile(stateFile, 'utf8'), before);
      await firmware.charge('2');
      assert.deepEqual(said(), ['pile/2/1 chargingStarted']);
    });
  }

  it('are refused before start and after stop', async () => {
    const firmware = createManualFirmware({ station: 'pile' });
    await assert.rejects(firmware.plug('1'), { code: 'not_started' });
    await firmware.start(() => undefined, new AbortController().signal);
    await firmware.stop();
    await assert.rejects(firmware.plug('1'), { code: 'not_started' });
  });

  it('are bounded in number while they wait for the disk', async () => {
    const { firmware } = await start();
    const results = await Promise.allSettled(
      Array.from({ length: 200 }, (_, index) => firmware.plug(`${index + 1}`)),
    );
    const refusedSteps = results.filter((result) => result.status === 'rejected');
    assert.ok(refusedSteps.length > 0 && refusedSteps.length < 200);
    assert.ok(refusedSteps.every(({ reason }) => (reason as { code: string }).code === 'too_many'));
  });

  it('work without a state file', async () => {
    const firmware = createManualFirmware({ station: 'pile', clock });
    const kinds: string[] = [];
    await firmware.start((event) => kinds.push(event.kind), new AbortController().signal);
    await firmware.charge('1', { vehicleId: 'car-a' });
    assert.deepEqual(kinds, ['plugged', 'identity', 'chargingStarted']);
  });
});

describe('a restart of the manual firmware', () => {
  it('says anew what is plugged in, with the times at which it became so', async () => {
    const first = await start();
    await first.firmware.plug('1', { vehicleId: 'car-a', socPermille: 400, departureInMs: 100_000 });
    clock.advance(10_000);
    await first.firmware.charge('1');
    await first.firmware.plug('2');
    await first.firmware.plug('3', { vehicleId: 'car-c' });
    await first.firmware.unplug('3');
    await first.firmware.stop();
    clock.advance(20_000);
    const second = await start();
    assert.deepEqual(second.said(), [
      'pile/1/1 plugged',
      'pile/1/1 identity vehicleId=car-a assurance=operator',
      'pile/1/1 chargingStarted',
      'pile/1/1 evInfo socPermille=400',
      'pile/1/1 evInfo departureInMs=70000',
      'pile/2/1 plugged',
    ]);
    assert.deepEqual(
      second.events.slice(0, 3).map(({ at }) => at.sourceWallMs),
      [START_WALL_MS, START_WALL_MS, START_WALL_MS + 10_000],
    );
    assert.ok(second.events.every(({ at }) => at.receivedWallMs === START_WALL_MS + 30_000));
  });

  it('leaves out a departure that has passed', async () => {
    const first = await start();
    await first.firmware.plug('1', { departureInMs: 1000 });
    await first.firmware.stop();
    clock.advance(1000);
    assert.deepEqual((await start()).said(), ['pile/1/1 plugged']);
  });

  for (const state of ['suspendedEV', 'suspendedEVSE', 'finishing'] as const) {
    it(`says ${state} anew`, async () => {
      const first = await start();
      await first.firmware.charge('1', { vehicleId: 'car-a' });
      if (state === 'finishing') await first.firmware.finish('1');
      else await first.firmware.suspend('1', { by: state === 'suspendedEV' ? 'EV' : 'EVSE' });
      const last = first.said().at(-1);
      await first.firmware.stop();
      assert.equal((await start()).said().at(-1), last);
    });
  }

  const damaged: readonly (readonly [string, string])[] = [
    ['empty', ''],
    ['cut off', '{"version":1,"vehicles":[{"connectorId":"pile/1/1","sta'],
    ['of another version', '{"version":2,"vehicles":[]}'],
    ['a list', '[]'],
    ['with a state that there is not', vehiclesText({ state: 'toString' })],
    ['with a connector that is none', vehiclesText({ connectorId: '1' })],
    ['with a time that is none', vehiclesText({ pluggedWallMs: 'noon' })],
    ['with a state of charge above full', vehiclesText({ soc: { permille: 1001, saidWallMs: 1 } })],
    ['with a connector twice', vehiclesText({}, {})],
  ];
  for (const [what, text] of damaged) {
    it(`sets a state file aside whole that is ${what}, says so, and works on`, async () => {
      await writeFile(stateFile, text);
      const { firmware, events, issues } = await start();
      assert.deepEqual(events, []);
      assert.deepEqual(
        issues.map((issue) => issue.code),
        ['state_file_set_aside'],
      );
      const aside = 'manual.json.damaged-2030-01-01T00-00-00.000Z';
      assert.deepEqual(await readdir(folder), [aside]);
      assert.equal(await readFile(join(folder, aside), 'utf8'), text);
      assert.match(issues[0]?.message ?? '', /manual\.json is damaged .* it is now .*manual\.json\.damaged-/);
      await firmware.plug('1');
      assert.equal(events.length, 1);
    });
  }

  it('refuses to start where the state file cannot be read', async () => {
    await mkdir(stateFile);
    await assert.rejects(start(), { code: 'invalid_file', message: /manual\.json cannot be read: EISDIR/ });
  });

  it('refuses a step that cannot be written, says nothing of it, and takes it when it can', async () => {
    const { firmware, said } = await start();
    // A folder in the place of the temporary file fails for root as well, as a mode would not.
    await mkdir(`${stateFile}.new`);
    await assert.rejects(firmware.plug('1'), {
      code: 'invalid_file',
      message: /manual\.json cannot be written.*nothing was changed/,
    });
    assert.deepEqual(said(), []);
    await rm(`${stateFile}.new`, { recursive: true, force: true });
    await firmware.plug('1');
    assert.deepEqual(said(), ['pile/1/1 plugged']);
  });

  it('keeps a step that was under way when it was stopped, and tells it then', async () => {
    const first = await start();
    const plugging = first.firmware.plug('1');
    await first.firmware.stop();
    const wasTaken = await plugging.then(
      () => true,
      () => false,
    );
    assert.deepEqual(first.events, []);
    assert.deepEqual((await start()).said(), wasTaken ? ['pile/1/1 plugged'] : []);
  });

  it('leaves no file but its own behind, readable by its owner alone', async () => {
    const { firmware } = await start();
    await firmware.plug('1');
    await firmware.charge('1');
    assert.deepEqual(await readdir(folder), ['manual.json']);
    assert.equal((await stat(stateFile)).mode & 0o777, 0o600);
  });
});

function vehiclesText(...changes: readonly object[]): string {
  const good = { connectorId: 'pile/1/1', state: 'charging', pluggedWallMs: 1, stateSinceWallMs: 2 };
  return JSON.stringify({ version: 1, vehicles: changes.map((change) => ({ ...good, ...change })) });
}
