/** The shipped maps against a real Modbus TCP server on loopback: what it says, refuses, and leaves unanswered. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { ConnectorId } from '@plugpool/proto';
import { createModbusFirmware, createPseudonymizer } from '../../firmware-bridge/index.ts';
import type { FirmwareEvent, ModbusFirmwareOptions } from '../../firmware-bridge/index.ts';
import { ModbusDevice } from '../conformance/modbus-device.ts';

const TIMEOUT = { timeout: 20_000 };
const pseudonymize = createPseudonymizer(new Uint8Array(16));

/** A running adapter, and a way to wait for what it tells. */
class Heard {
  readonly events: FirmwareEvent[] = [];
  readonly adapter;
  #waiting: {
    readonly isIt: (event: FirmwareEvent) => boolean;
    readonly resolve: (event: FirmwareEvent) => void;
  }[] = [];

  private constructor(options: ModbusFirmwareOptions) {
    this.adapter = createModbusFirmware(options);
  }

  static async start(t: TestContext, port: number, options: Partial<ModbusFirmwareOptions>): Promise<Heard> {
    const heard = new Heard({
      station: 'pile',
      host: '127.0.0.1',
      port,
      map: 'keba',
      connectors: [{ connector: '1' }],
      pollMs: 40,
      answerWithinMs: 150,
      pseudonymize,
      ...options,
    });
    t.after(() => heard.adapter.stop());
    await heard.adapter.start((event) => heard.#hear(event), new AbortController().signal);
    return heard;
  }

  next(isIt: (event: FirmwareEvent) => boolean): Promise<FirmwareEvent> {
    return new Promise((resolve) => this.#waiting.push({ isIt, resolve }));
  }

  async told(kind: FirmwareEvent['kind']): Promise<FirmwareEvent> {
    return this.events.find((event) => event.kind === kind) ?? this.next((event) => event.kind === kind);
  }

  #hear(event: FirmwareEvent): void {
    this.events.push(event);
    const now = this.#waiting.filter(({ isIt }) => isIt(event));
    this.#waiting = this.#waiting.filter((one) => !now.includes(one));
    for (const { resolve } of now) resolve(event);
  }
}

async function listening(t: TestContext, options: { readonly unit?: number } = {}) {
  const device = new ModbusDevice();
  const port = await device.listen(options);
  t.after(() => device.close());
  return { device, port };
}

function keba(device: ModbusDevice, station: number, cable: number, powerMw: number): void {
  device.setU32(255, 1000, station);
  device.setU32(255, 1004, cable);
  device.setU32(255, 1020, powerMw);
  device.setU32(255, 1036, 123_456);
  device.setU32(255, 1500, 0);
}

test('a KEBA: plugged, a card, charging with power and energy, and unplugged', TIMEOUT, async (t) => {
  const { device, port } = await listening(t);
  keba(device, 1, 3, 0);
  const heard = await Heard.start(t, port, {});
  await heard.told('unplugged');
  keba(device, 1, 7, 0);
  await heard.told('plugged');
  device.setU32(255, 1500, 0x04ab_cdef);
  const card = await heard.told('credential');
  const reading = heard.next((event) => event.kind === 'meter' && event.powerMw === 7_360_000);
  keba(device, 3, 7, 7_360_000);
  await heard.told('chargingStarted');
  const meter = await reading;
  assert.ok(meter.kind === 'meter' && meter.energyMwh === 12_345_600);
  assert.ok(card.kind === 'credential' && card.credential.pseudonym === pseudonymize('idToken', '04ABCDEF'));
  assert.ok(!JSON.stringify(heard.events).includes('04AB'));
  const left = heard.next((event) => event.kind === 'unplugged');
  keba(device, 1, 3, 0);
  await left;
  assert.deepEqual(device.written, []);
});

test('a CHARX: two charging points of one controller, each with its own registers', TIMEOUT, async (t) => {
  const { device, port } = await listening(t);
  for (const point of [1, 2]) {
    device.set(1, point * 1000 + 244, Array<number>(64).fill(0));
    device.setText(1, point * 1000 + 299, point === 1 ? 'C2' : 'A1', 1);
  }
  device.setU32(1, 1244, 11_000_000);
  device.setText(1, 1265, '00:1A:2B:3C:4D:5E', 10);
  device.setText(1, 1275, 'OLD CARD', 10);
  const heard = await Heard.start(t, port, {
    map: 'charx',
    connectors: [
      { connector: '1', index: 1 },
      { connector: '2', index: 2 },
    ],
  });
  const free = await heard.next((event) => event.kind === 'unplugged');
  assert.equal(free.connectorId, 'pile/2/1');
  const first = heard.events.filter(({ connectorId }) => connectorId === 'pile/1/1');
  assert.deepEqual(
    first.slice(0, 4).map(({ kind }) => kind),
    ['plugged', 'credential', 'chargingStarted', 'meter'],
  );
  const credential = first[1];
  assert.ok(credential?.kind === 'credential' && credential.credential.kind === 'evccid');
  assert.equal(credential.credential.pseudonym, pseudonymize('evccid', '001A2B3C4D5E'));
});

test('a Bender without meter, battery or card registers is read by what it has', TIMEOUT, async (t) => {
  const { device, port } = await listening(t);
  device.set(255, 122, [3]);
  const heard = await Heard.start(t, port, { map: 'bender' });
  await heard.told('chargingStarted');
  assert.deepEqual(
    heard.events.map(({ kind }) => kind),
    ['plugged', 'chargingStarted'],
  );
});

test(
  'a device that refuses is a lost link with the exception’s number, and its answer brings all back',
  TIMEOUT,
  async (t) => {
    const { device, port } = await listening(t);
    keba(device, 3, 7, 7_000_000);
    const heard = await Heard.start(t, port, {});
    await heard.told('chargingStarted');
    device.become('refuses');
    const lost = await heard.told('linkLost');
    assert.match(lost.kind === 'linkLost' ? lost.reason : '', /exception 4/);
    const back = heard.next((event) => event.kind === 'chargingStarted');
    device.become('answers');
    await back;
    assert.deepEqual(
      heard.events
        .slice(-3)
        .map(({ kind }) => kind)
        .slice(0, 2),
      ['plugged', 'chargingStarted'],
    );
  },
);

test('a device that is silent, and a unit that nobody is, are lost links', TIMEOUT, async (t) => {
  const { device, port } = await listening(t);
  keba(device, 3, 7, 7_000_000);
  const heard = await Heard.start(t, port, { answerWithinMs: 50 });
  await heard.told('chargingStarted');
  device.become('silent');
  await heard.told('linkLost');
  const alone = await listening(t, { unit: 7 });
  keba(alone.device, 3, 7, 7_000_000);
  const other = await Heard.start(t, alone.port, { answerWithinMs: 50 });
  const lost = await other.told('linkLost');
  assert.match(lost.kind === 'linkLost' ? lost.reason : '', /unit 255: .*[Tt]imed out/);
});

test('a device that hangs up is connected to again', TIMEOUT, async (t) => {
  const { device, port } = await listening(t);
  keba(device, 3, 7, 7_000_000);
  const heard = await Heard.start(t, port, { lostAfter: 1 });
  await heard.told('chargingStarted');
  await device.close();
  await heard.told('linkLost');
  const back = heard.next((event) => event.kind === 'linkUp');
  await device.listen({ port });
  await back;
});

test('a host that takes no connection is a lost link', TIMEOUT, async (t) => {
  const { device, port } = await listening(t);
  await device.close();
  const heard = await Heard.start(t, port, { lostAfter: 1 });
  const lost = await heard.told('linkLost');
  assert.match(lost.kind === 'linkLost' ? lost.reason : '', /ECONNREFUSED/);
});

test('a cap reaches the registers of a KEBA in its own units, and is cleared again', TIMEOUT, async (t) => {
  const { device, port } = await listening(t);
  keba(device, 3, 7, 7_000_000);
  device.setU32(255, 1100, 20_000);
  device.setU32(255, 1600, 0);
  device.setU32(255, 1602, 0);
  for (const address of [5004, 5016, 5018]) device.set(255, address, [0]);
  const heard = await Heard.start(t, port, { writeCap: true });
  await heard.told('chargingStarted');
  const { control } = heard.adapter;
  const one = 'pile/1/1' as ConnectorId;
  assert.deepEqual(await control?.setCap(one, { powerMw: 6_900_000, forMs: 120_000 }), { ok: true });
  const cap = device.written.splice(0).map(({ address, value }) => [address, value]);
  assert.deepEqual(cap, [
    [5016, 20_000],
    [5018, 120],
    [5004, 10_000],
  ]);
  assert.deepEqual(await control?.clearCap(one), { ok: true });
  const cleared = device.written.map(({ address, value }) => [address, value]);
  assert.deepEqual(cleared, [
    [5004, 20_000],
    [5018, 0],
    [5016, 0],
  ]);
});

test('the Modbus library is loaded where the native serial port is not installed', () => {
  const script = `
    import { registerHooks } from 'node:module';
    registerHooks({
      resolve(specifier, context, next) {
        if (specifier.includes('serialport')) throw Object.assign(new Error('absent'), { code: 'MODULE_NOT_FOUND' });
        return next(specifier, context);
      },
    });
    const { default: entry } = await import('modbus-serial');
    process.stdout.write(typeof new entry.default().linkTCP);`;
  const out = execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: join(import.meta.dirname, '../../firmware-bridge'),
    encoding: 'utf8',
  });
  assert.equal(out, 'function');
});
