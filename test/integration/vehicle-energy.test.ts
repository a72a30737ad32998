/** A donor that measures: what a run took of the battery stands in its result and its checkpoints; unmeasured it is absent. */
import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test, type TestContext } from 'node:test';
import type { EarningsReport, Offer } from '@plugpool/proto';
import { systemClock } from '../../vehicle-client/adapters/clock-system.ts';
import { processContext } from '../../vehicle-client/cli/context.ts';
import { main } from '../../vehicle-client/cli/main.ts';
import { describeStatus, statusJson } from '../../vehicle-client/cli/status.ts';
import { ControlServer } from '../../vehicle-client/adapters/control-socket.ts';
import { dataPaths } from '../../vehicle-client/data-dir.ts';
import type { PowerMeter } from '../../vehicle-client/ports.ts';
import { packCheckpoint } from '../../vehicle-client/runtimes/checkpoint-archive.ts';
import { VEHICLE_CONTRACT } from '../vehicle-json-contract.ts';
import { donorScene, heldOffer, LENDER, type DonorScene } from './vehicle-donor-scene.ts';
import { SAMPLE } from './vehicle-fixtures.ts';
import { leaseOf } from './vehicle-scripted-pile.ts';

/** 5 W at rest, and 10 W more for each core at work. */
class Machine implements PowerMeter {
  energyUj = 0;
  busyMs = 0;
  aheadMs = 0;
  isReadable = true;
  readonly clock = { ...systemClock, monoMs: () => systemClock.monoMs() + this.aheadMs };

  start(): ReturnType<PowerMeter['start']> {
    return {
      ok: true,
      source: { name: 'powercap', parts: ['package-0'], covers: ['package'], kind: 'counted' },
    };
  }

  read(): ReturnType<PowerMeter['read']> {
    // What really passes, it passes at rest.
    const restUj = 5_000 * systemClock.monoMs();
    return this.isReadable ? { energyUj: this.energyUj + restUj, series: 0 } : undefined;
  }

  pass(lengthMs: number, cpuMs = 0): void {
    this.aheadMs += lengthMs;
    this.busyMs += cpuMs;
    this.energyUj += 5_000 * lengthMs + 10_000 * cpuMs;
  }
}

interface Measured extends DonorScene {
  readonly machine: Machine;
}

/** Its idle floor is known. */
async function scene(t: TestContext, meter?: PowerMeter): Promise<Measured> {
  const machine = new Machine();
  const over = { meter: meter ?? machine, clock: machine.clock, machineCpuMs: () => machine.busyMs };
  const all = await donorScene(t, { leaseMs: 600_000 }, over);
  machine.pass(2_000);
  all.probe.tell(SAMPLE);
  return { ...all, machine };
}

async function running(scene: Measured, instanceId: string, over: Partial<Offer> = {}) {
  scene.pile.send(LENDER, heldOffer(instanceId, { leaseMs: 600_000, ...over }));
  await scene.held.started(scene.held.jobs.length + 1);
  const job = scene.held.jobs.at(-1);
  assert.ok(job);
  job.cpuMs = 0;
  return job;
}

test('a result says what the machine took above idle for it, and the owner sees the same', async (t) => {
  const all = await scene(t);
  const { pile, donor, machine, probe } = all;
  const job = await running(all, 'a');
  machine.pass(3_600, 3_600);
  job.cpuMs = 3_600;
  probe.tell(SAMPLE);
  const status = statusJson(donor.status());
  VEHICLE_CONTRACT.status.parse(status);
  assert.ok(status.energy.measured);
  assert.deepEqual(status.energy.source.parts, ['package-0']);
  assert.match(describeStatus(status), /^power\s+\d+\.\d W now, 5\.0 W at rest \(powercap: package-0\)/m);
  machine.pass(3_600, 3_600);
  job.cpuMs = 7_200;
  job.end(Buffer.from('done'));
  const { used } = (await pile.next('result')).body;
  assert.ok(used.energyMwh === 19 || used.energyMwh === 20, `${used.energyMwh} mWh`);
  const after = statusJson(donor.status());
  assert.ok(after.energy.measured && after.energy.toldMwh === used.energyMwh);
});

test('a checkpoint says what it took to get there, and the result all of it', async (t) => {
  const all = await scene(t);
  const { pile, machine } = all;
  const job = await running(all, 'a', { checkpointEveryMs: 600_000 });
  machine.pass(7_200, 7_200);
  job.cpuMs = 7_200;
  const packed = packCheckpoint([{ path: 'state', bytes: Buffer.from('half') }]);
  assert.ok(packed.ok);
  job.kept = { archive: packed.archive, used: { cpuMs: 7_200, wallMs: 7_200, memoryPeakMib: 1, gpuMs: 0 } };
  pile.send(LENDER, { kind: 'revoke', lease: leaseOf('a'), reason: 'unplugged', graceMs: 600_000 });
  const kept = (await pile.next('checkpoint')).body;
  assert.ok(kept.used.energyMwh === 19 || kept.used.energyMwh === 20, `${kept.used.energyMwh} mWh`);
  machine.pass(3_600, 3_600);
  job.cpuMs = 10_800;
  pile.send(LENDER, { kind: 'checkpointAck', lease: leaseOf('a'), accepted: true, reason: '' });
  const { used } = (await pile.next('result')).body;
  assert.ok((used.energyMwh ?? 0) >= 29 && (used.energyMwh ?? 0) <= 30, `${used.energyMwh} mWh`);
});

test('what is left of an hour is told by what this machine measured, beside what the pile takes it to draw', async (t) => {
  const all = await scene(t);
  const { pile, donor, machine, dataDir } = all;
  const job = await running(all, 'a');
  machine.pass(36_000, 36_000);
  job.cpuMs = 36_000;
  job.end(Buffer.from('done'));
  const told = (await pile.next('result')).body.used.energyMwh ?? NaN;
  const control = new ControlServer(dataPaths(dataDir).controlSocket, () => ({
    ok: true,
    value: statusJson(donor.status()),
  }));
  await control.start();
  t.after(() => control.stop());
  let said = '';
  const stdout = new Writable({
    write: (chunk: Buffer, _, done) => {
      said += chunk.toString();
      done();
    },
  });
  const argv = ['earnings', '--vehicle', 'lender', '--agent', pile.url, '--data-dir', dataDir, '--json'];
  const ended = main(argv, { ...processContext(), stdout });
  const asked = await pile.next('earningsQuery');
  pile.send(asked.clientId, { correlationId: asked.correlationId, body: EARNINGS });
  assert.equal(await ended, 0);
  const { measured } = VEHICLE_CONTRACT.earnings.parse(JSON.parse(said));
  // A core here is the reference core: told mWh in 36 s.
  const cpuHourMwh = told * 100;
  const netCpuHourMicros = 3_000_000 - Math.ceil((cpuHourMwh * 30_000_000) / 1_000_000);
  assert.deepEqual(measured, { cpuHourMwh, netCpuHourMicros });
});

const EARNINGS: EarningsReport = {
  kind: 'earningsReport',
  balances: [],
  energyCosts: [],
  terms: {
    tariff: 'day',
    currency: 'EUR',
    cpuHourMicros: 3_000_000,
    gpuHourMicros: 0,
    energyKwhMicros: 30_000_000,
    cpuHourMwh: 8_000,
  },
};

test('where nothing measures, or the meter was lost, a result says nothing of energy', async (t) => {
  const none = await scene(t, {
    start: () => ({ ok: false, code: 'no_power_meter', detail: 'nothing counts', hint: 'none' }),
    read: () => undefined,
  });
  (await running(none, 'a')).end(Buffer.from('done'));
  assert.equal('energyMwh' in (await none.pile.next('result')).body.used, false);
  const { energy } = statusJson(none.donor.status());
  assert.deepEqual(energy, { measured: false, detail: 'nothing counts', hint: 'none' });

  const lost = await scene(t);
  const job = await running(lost, 'a');
  lost.machine.pass(3_600, 3_600);
  job.cpuMs = 3_600;
  lost.machine.isReadable = false;
  job.end(Buffer.from('done'));
  assert.equal('energyMwh' in (await lost.pile.next('result')).body.used, false);
  const status = statusJson(lost.donor.status());
  assert.ok(status.energy.measured);
  assert.equal(status.energy.powerMw, null);
});
