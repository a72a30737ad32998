/** The Modbus adapter on a stepped clock: its beat, how it goes easy on a device that fails, and what it writes of a cap. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { ConnectorId } from '@plugpool/proto';
import { createModbusFirmware, createPseudonymizer } from '../../firmware-bridge/index.ts';
import type {
  ControlOutcome,
  FirmwareEvent,
  FirmwareIssue,
  ModbusFirmwareOptions,
} from '../../firmware-bridge/index.ts';
import { checkMap } from '../../firmware-bridge/modbus/load-map.ts';
import { ModbusFailure } from '../../firmware-bridge/modbus/modbus-link.ts';
import { SteppedClock } from '../../firmware-bridge/stepped-clock.ts';
import { MemoryRegisters, settled } from '../conformance/modbus-registers.ts';

const ONE = 'pile/1/1' as ConnectorId;
const [VEHICLE, POWER, EXTRA] = [10, 11, 20];
const [LIMIT, FALLBACK, SECONDS] = [30, 31, 32];
const SILENT = (): ModbusFailure => new ModbusFailure('no_answer', 'timed out');
const BUSY = (): ModbusFailure => new ModbusFailure('exception', 'device failure', 4);

const CAP_16_A = { powerMw: 11_040_000, forMs: 60_000 };
const CAP_12_A = { powerMw: 8_280_000, forMs: 60_000 };

const MAP = checkMap('made up', {
  name: 'made up',
  sources: ['made up'],
  registers: {
    vehicle: { address: VEHICLE, type: 'u16' },
    power: { address: POWER, type: 'u16', unit: 'W', range: [0, 22_000] },
    soc: { address: EXTRA, type: 'u16', unit: '%', optional: true },
  },
  state: [
    { when: { vehicle: [1] }, is: 'unplugged' },
    { when: { vehicle: [3] }, is: 'charging' },
  ],
  cap: {
    limit: { address: LIMIT, unit: 'A' },
    watchdog: {
      fallback: { address: FALLBACK, unit: '0.1A' },
      seconds: { address: SECONDS, unit: 's' },
      atLeastS: 10,
      atMostS: 600,
      off: [65_535],
    },
  },
});

class Scene {
  readonly clock = new SteppedClock();
  readonly device = new MemoryRegisters();
  readonly events: FirmwareEvent[] = [];
  readonly issues: FirmwareIssue[] = [];
  readonly adapter;

  private constructor(options: Partial<ModbusFirmwareOptions>) {
    this.device.set(VEHICLE, 3);
    this.device.set(POWER, 7_000);
    this.device.set(LIMIT, 20);
    this.device.set(FALLBACK, 60);
    this.device.set(SECONDS, 65_535);
    this.adapter = createModbusFirmware({
      station: 'pile',
      host: 'unused',
      map: MAP,
      connectors: [{ connector: '1' }],
      pseudonymize: createPseudonymizer(new Uint8Array(16)),
      clock: this.clock,
      link: this.device,
      report: (issue) => this.issues.push(issue),
      ...options,
    });
  }

  static async start(t: TestContext, options: Partial<ModbusFirmwareOptions> = {}): Promise<Scene> {
    const scene = new Scene(options);
    await scene.adapter.start((event) => scene.events.push(event), new AbortController().signal);
    t.after(() => scene.adapter.stop());
    await settled();
    return scene;
  }

  async wait(ms: number, stepMs = 500): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.clock.advance(Math.min(stepMs, ms - passed));
      await settled();
    }
  }

  held(): Partial<Record<'limit' | 'fallback' | 'seconds', number | undefined>> {
    const { words } = this.device;
    return { limit: words.get(LIMIT), fallback: words.get(FALLBACK), seconds: words.get(SECONDS) };
  }

  /** Somebody else writes them. */
  hold(values: ReturnType<Scene['held']>): void {
    const { limit, fallback, seconds } = { ...this.held(), ...values };
    this.device.set(LIMIT, limit ?? 0);
    this.device.set(FALLBACK, fallback ?? 0);
    this.device.set(SECONDS, seconds ?? 0);
  }

  kinds(): readonly string[] {
    return this.events.splice(0).map(({ kind }) => kind);
  }
}

function refusalOf(outcome: ControlOutcome | undefined): string {
  return outcome?.ok === false && outcome.code === 'refused'
    ? outcome.message
    : `not refused: ${JSON.stringify(outcome)}`;
}

test('it looks at even times, and leaves a beat out where the answers took longer', async (t) => {
  const scene = await Scene.start(t, { pollMs: 2_000 });
  const looks: number[] = [];
  let answerMs = 0;
  scene.device.onAsked = (address) => {
    if (address === VEHICLE) looks.push(scene.clock.nowMonoMs());
    scene.clock.advance(answerMs);
  };
  await scene.wait(6_000, 100);
  assert.deepEqual(looks.splice(0), [2_000, 4_000, 6_000]);
  answerMs = 700;
  await scene.wait(2_000, 100);
  assert.deepEqual(looks.splice(0), [8_000]);
  answerMs = 2_100;
  await scene.wait(4_000, 100);
  assert.ok(looks.length > 0 && looks.every((atMs) => atMs % 2_000 === 0), String(looks));
});

test('an optional register that the device does not have is left alone for a while', async (t) => {
  const scene = await Scene.start(t);
  const asks = (): number => scene.device.asked.filter((address) => address === EXTRA).length;
  await scene.wait(20_000);
  assert.equal(asks(), 1);
  assert.ok(!scene.kinds().includes('linkLost'));
  scene.device.set(EXTRA, 55);
  await scene.wait(600_000);
  assert.ok(scene.events.some((event) => event.kind === 'evInfo' && event.socPermille === 550));
});

test('single failures are forgiven; three in a row are a lost link, and the next answer tells all anew', async (t) => {
  const scene = await Scene.start(t);
  scene.kinds();
  scene.device.failures = [SILENT(), BUSY()];
  await scene.wait(6_000);
  assert.ok(!scene.kinds().includes('linkLost'));
  scene.device.failures = [BUSY(), BUSY(), BUSY()];
  await scene.wait(6_000);
  const lost = scene.events.find((event) => event.kind === 'linkLost');
  assert.match(lost?.kind === 'linkLost' ? lost.reason : '', /exception 4/);
  scene.kinds();
  await scene.wait(60_000);
  assert.deepEqual(scene.kinds().slice(0, 4), ['linkUp', 'plugged', 'chargingStarted', 'meter']);
});

test('a device that is silent is asked ever more seldom, and at last connected to anew', async (t) => {
  const scene = await Scene.start(t);
  scene.device.failures = Array.from({ length: 1_000 }, SILENT);
  await scene.wait(600_000);
  const asked = 1_000 - scene.device.failures.length;
  assert.ok(asked < 40, `asked ${asked} times in ten minutes of silence`);
  assert.ok(scene.device.opened > 1);
  scene.device.failures = [];
  scene.kinds();
  await scene.wait(60_000);
  assert.ok(scene.kinds().includes('linkUp'));
});

test('a state that the map does not know is not guessed: it is a lost link that says so', async (t) => {
  const scene = await Scene.start(t);
  scene.kinds();
  scene.device.set(VEHICLE, 9);
  await scene.wait(10_000);
  const lost = scene.events.find((event) => event.kind === 'linkLost');
  assert.match(lost?.kind === 'linkLost' ? lost.reason : '', /no rule of the register map knows vehicle 9/);
});

test('a reading out of its range is left out, and reported once a minute', async (t) => {
  const scene = await Scene.start(t);
  scene.kinds();
  scene.device.set(POWER, 60_000);
  await scene.wait(50_000);
  assert.ok(!scene.kinds().includes('meter'));
  assert.deepEqual(
    scene.issues.map(({ code }) => code),
    ['source_odd'],
  );
});

test('nothing is ever written where caps are not switched on', async (t) => {
  const scene = await Scene.start(t);
  assert.equal(scene.adapter.control, undefined);
  await scene.wait(10_000);
  assert.deepEqual(scene.device.written, []);
});

test('a cap sets the watchdog before the limit, never raises it, and puts it back when cleared', async (t) => {
  const scene = await Scene.start(t, { writeCap: true });
  const { control } = scene.adapter;
  assert.deepEqual(await control?.setCap(ONE, { powerMw: 11_040_000, forMs: 60_000 }), { ok: true });
  assert.deepEqual(scene.device.written.splice(0), [
    [FALLBACK, 200],
    [SECONDS, 60],
    [LIMIT, 16],
  ]);
  await control?.setCap(ONE, { powerMw: 40_000_000, forMs: 60_000 });
  assert.deepEqual(scene.device.written.splice(0).at(-1), [LIMIT, 20]);
  assert.deepEqual(await control?.clearCap(ONE), { ok: true });
  assert.deepEqual(scene.device.written.splice(0), [
    [LIMIT, 20],
    [SECONDS, 65_535],
    [FALLBACK, 60],
  ]);
  assert.deepEqual(await control?.clearCap(ONE), { ok: true });
  assert.deepEqual(scene.device.written, []);
});

test('a cap that is not renewed is taken back when its time has come', async (t) => {
  const scene = await Scene.start(t, { writeCap: true });
  await scene.adapter.control?.setCap(ONE, { powerMw: 11_040_000, forMs: 60_000 });
  await scene.wait(50_000);
  await scene.adapter.control?.setCap(ONE, { powerMw: 11_040_000, forMs: 60_000 });
  await scene.wait(50_000);
  assert.equal(scene.device.words.get(LIMIT), 16);
  await scene.wait(10_000);
  assert.equal(scene.device.words.get(LIMIT), 20);
  assert.equal(scene.device.words.get(SECONDS), 65_535);
});

test('a limit that others set under a cap is the limit from then on', async (t) => {
  const scene = await Scene.start(t, { writeCap: true });
  const { control } = scene.adapter;
  await control?.setCap(ONE, CAP_16_A);
  scene.device.set(LIMIT, 10);
  assert.deepEqual(await control?.setCap(ONE, CAP_16_A), { ok: true });
  assert.deepEqual(scene.held(), { limit: 10, fallback: 100, seconds: 60 });
  scene.device.set(LIMIT, 18);
  assert.deepEqual(await control?.setCap(ONE, CAP_16_A), { ok: true });
  assert.deepEqual(scene.held(), { limit: 16, fallback: 180, seconds: 60 });
  scene.device.set(LIMIT, 12);
  assert.deepEqual(await control?.clearCap(ONE), { ok: true });
  assert.deepEqual(scene.held(), { limit: 12, fallback: 60, seconds: 65_535 });
});

test('a watchdog that another set is left alone, and no cap is set beside it', async (t) => {
  const scene = await Scene.start(t, { writeCap: true });
  const { control } = scene.adapter;
  scene.hold({ limit: 16, fallback: 0, seconds: 60 });
  assert.match(refusalOf(await control?.setCap(ONE, CAP_12_A)), /watchdog/);
  assert.deepEqual(await control?.clearCap(ONE), { ok: true });
  assert.deepEqual(scene.device.written, []);
});

test('a watchdog that another sets during a cap is left alone, and our limit is taken back', async (t) => {
  const scene = await Scene.start(t, { writeCap: true });
  const { control } = scene.adapter;
  await control?.setCap(ONE, CAP_16_A);
  scene.hold({ fallback: 0, seconds: 30 });
  assert.match(refusalOf(await control?.setCap(ONE, CAP_16_A)), /watchdog/);
  assert.deepEqual(scene.held(), { limit: 20, fallback: 0, seconds: 30 });
  scene.device.written.splice(0);
  await scene.wait(130_000);
  assert.deepEqual(scene.device.written, []);
});

test('a car that others stop is not started by a cap, its renewal or its end', async (t) => {
  const scene = await Scene.start(t, { writeCap: true });
  const { control } = scene.adapter;
  scene.hold({ limit: 0 });
  assert.match(refusalOf(await control?.setCap(ONE, CAP_16_A)), /stopped/);
  assert.deepEqual(scene.device.written, []);
  scene.hold({ limit: 20 });
  await control?.setCap(ONE, CAP_16_A);
  scene.hold({ limit: 0 });
  assert.match(refusalOf(await control?.setCap(ONE, CAP_16_A)), /stopped/);
  // Our watchdog would start it too.
  assert.deepEqual(scene.held(), { limit: 0, fallback: 60, seconds: 65_535 });
  assert.match(refusalOf(await control?.clearCap(ONE)), /stopped/);
  await scene.wait(130_000);
  assert.deepEqual(scene.held(), { limit: 0, fallback: 60, seconds: 65_535 });
});

test('a pause that ends where the cap stood does not leave the cap behind', async (t) => {
  const scene = await Scene.start(t, { writeCap: true });
  await scene.adapter.control?.setCap(ONE, CAP_16_A);
  scene.hold({ limit: 0 });
  await scene.adapter.control?.clearCap(ONE);
  scene.hold({ limit: 16 });
  await scene.wait(61_000);
  assert.deepEqual(scene.held(), { limit: 20, fallback: 60, seconds: 65_535 });
});

test('what a device rounds is still ours to put back', async (t) => {
  const scene = await Scene.start(t, { writeCap: true });
  scene.device.becomes = (address, value) => (address === LIMIT ? value - (value % 5) : value);
  await scene.adapter.control?.setCap(ONE, CAP_16_A);
  assert.equal(scene.held().limit, 15);
  await scene.adapter.control?.setCap(ONE, CAP_16_A);
  await scene.adapter.control?.clearCap(ONE);
  assert.deepEqual(scene.held(), { limit: 20, fallback: 60, seconds: 65_535 });
});

test('a write that nobody answered may have been heard: it is ours all the same', async (t) => {
  const scene = await Scene.start(t, { writeCap: true });
  const { control } = scene.adapter;
  await control?.setCap(ONE, CAP_16_A);
  // The answers to reads, and to the fallback; none to the seconds, which the device heard.
  scene.device.onWritten = (address) => {
    if (address === SECONDS) throw SILENT();
  };
  const outcome = await control?.setCap(ONE, { ...CAP_16_A, forMs: 30_000 });
  assert.equal(outcome?.ok === false ? outcome.code : '', 'no_answer');
  scene.device.onWritten = () => undefined;
  assert.deepEqual(await control?.setCap(ONE, CAP_16_A), { ok: true });
  assert.deepEqual(await control?.clearCap(ONE), { ok: true });
  assert.deepEqual(scene.held(), { limit: 20, fallback: 60, seconds: 65_535 });
});

test('a cap that could not be put back is, as soon as the device answers again', async (t) => {
  const scene = await Scene.start(t, { writeCap: true });
  await scene.adapter.control?.setCap(ONE, CAP_16_A);
  scene.device.isCut = true;
  await scene.wait(70_000);
  scene.device.isCut = false;
  await scene.wait(120_000);
  assert.deepEqual(scene.held(), { limit: 20, fallback: 60, seconds: 65_535 });
});

test('after a crash, what held before is known from the disk: the cap goes on, or is put back', async (t) => {
  for (const isWanted of [true, false]) {
    const memoryFile = join(mkdtempSync(join(tmpdir(), 'plugpool-cap-')), 'modbus.json');
    t.after(() => rmSync(dirname(memoryFile), { recursive: true }));
    const first = await Scene.start(t, { writeCap: true, memoryFile });
    await first.adapter.control?.setCap(ONE, CAP_16_A);
    await first.adapter.stop();
    const second = await Scene.start(t, { writeCap: true, memoryFile });
    second.hold(first.held());
    if (isWanted) {
      assert.deepEqual(await second.adapter.control?.setCap(ONE, CAP_12_A), { ok: true });
      assert.deepEqual(second.held(), { limit: 12, fallback: 200, seconds: 60 });
    }
    await second.wait(61_000);
    assert.deepEqual(second.held(), { limit: 20, fallback: 60, seconds: 65_535 });
    // It answers when what went before is on disk.
    await second.adapter.control?.clearCap(ONE);
    assert.equal(readFileSync(memoryFile, 'utf8'), '{}');
  }
});

test('without that memory, or where it is damaged, a watchdog that runs counts as another’s', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'plugpool-cap-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const damaged = join(folder, 'modbus.json');
  writeFileSync(damaged, '{"1 0":{"before":{}}}');
  for (const memoryFile of [undefined, damaged]) {
    const scene = await Scene.start(t, { writeCap: true, memoryFile });
    scene.hold({ limit: 8, fallback: 200, seconds: 60 });
    assert.match(refusalOf(await scene.adapter.control?.setCap(ONE, CAP_12_A)), /watchdog/);
    assert.deepEqual(scene.device.written, []);
  }
});

test('where what held before cannot be kept, nothing is written', async (t) => {
  const memoryFile = join(tmpdir(), 'plugpool-no-such-folder', 'modbus.json');
  const scene = await Scene.start(t, { writeCap: true, memoryFile });
  assert.match(refusalOf(await scene.adapter.control?.setCap(ONE, CAP_16_A)), /could not be kept: ENOENT/);
  assert.deepEqual(scene.device.written, []);
});

test('a cap that cannot be kept is refused with a code, and nothing is written', async (t) => {
  const scene = await Scene.start(t, { writeCap: true });
  const { control } = scene.adapter;
  const set = async (connectorId: string, powerMw: number, forMs: number) => {
    const outcome = await control?.setCap(connectorId as ConnectorId, { powerMw, forMs });
    return outcome?.ok === false ? outcome.code : outcome;
  };
  assert.equal(await set(ONE, 3_000_000, 60_000), 'refused');
  assert.equal(await set(ONE, 11_000_000, 5_000), 'refused');
  assert.equal(await set('pile/9/1', 11_000_000, 60_000), 'unknown_connector');
  scene.device.failures = [BUSY()];
  assert.equal(await set(ONE, 11_000_000, 60_000), 'refused');
  scene.device.failures = [SILENT()];
  assert.equal(await set(ONE, 11_000_000, 60_000), 'no_answer');
  scene.device.isCut = true;
  assert.equal(await set(ONE, 11_000_000, 60_000), 'link_lost');
  assert.deepEqual(scene.device.written, []);
  for (const outcome of [
    await control?.showText(ONE, 'x', 1),
    await control?.sendCredit(ONE, { id: '', body: '', signature: '' }),
  ]) {
    assert.equal(outcome?.ok === false ? outcome.code : '', 'unsupported');
  }
});

test('one phase has three times the amperes', async (t) => {
  const scene = await Scene.start(t, { writeCap: true, connectors: [{ connector: '1', phases: 1 }] });
  await scene.adapter.control?.setCap(ONE, { powerMw: 2_300_000, forMs: 60_000 });
  assert.equal(scene.device.words.get(LIMIT), 10);
});
