/**
 * How soon the agent acts on what the firmware says: from the message that a vehicle was unplugged to its client being told and to its
 * last new lease, and from a lost link to nobody being verified. Agent and brokers are processes of their own.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { DownBody } from '@plugpool/proto';
import { connectRequester, type Requester } from '@plugpool/vehicle-client';
import { Stage } from '../scripts/stage.ts';
import { RawVehicle } from '../test/integration/spine-raw-vehicle.ts';
import { addProgram } from '../test/integration/spine-scene.ts';
import { untilLending } from './echo-pile.ts';
import { openBenchEverest } from './firmware/everest.ts';
import { openBenchOcpp16, openBenchOcpp201 } from './firmware/ocpp.ts';
import type { BenchFirmware, OpenBenchFirmware } from './firmware/source.ts';
import { numbersFrom, percentile } from './options.ts';

const SOURCES: readonly OpenBenchFirmware[] = [openBenchOcpp16, openBenchOcpp201, openBenchEverest];

/** Of a donor's 4,000: it keeps one lease for good, and is granted another as soon as it is free for it. */
const TASK_MILLICORES = 2_000;
const BETWEEN_MS = 200;
const SETTLE_MS = 1_000;
const POLL_MS = 2;

interface Figures {
  readonly firmware: string;
  readonly unplugged: number;
  /** Request to result of the load beside it, in the same time: what the machine had left. */
  readonly taskMs: Spread;
  readonly toldMs: Spread;
  /** The last offer that reached a donor after its vehicle was said to be unplugged; 0 where none did. */
  readonly lastLeaseMs: Spread;
  readonly linkTimeoutMs: number;
  readonly cutNoticedMs: number;
  readonly silenceNoticedMs: number;
}

interface Spread {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export async function run(args: readonly string[], json: boolean): Promise<void> {
  const { connectors, beside } = numbersFrom(args, { connectors: 24, beside: 8 });
  for (const open of SOURCES) {
    const opened = await open(connectors);
    if ('why' in opened) {
      process.stderr.write(`${opened.why}\n`);
      continue;
    }
    try {
      const figures = await measure(opened.firmware, connectors, beside);
      if (json) process.stdout.write(`${JSON.stringify(figures)}\n`);
      else print(figures);
    } finally {
      await opened.firmware.stop();
    }
  }
}

/** Takes the first offer and keeps it; answers every other at once. */
class Donor {
  readonly vehicle: RawVehicle;
  lastOfferMs = 0;
  readonly #told = Promise.withResolvers<number>();
  readonly #holds = Promise.withResolvers<void>();
  #held = false;

  constructor(vehicle: RawVehicle) {
    this.vehicle = vehicle;
    void this.#serve().catch(() => undefined);
  }

  get holds(): Promise<void> {
    return this.#holds.promise;
  }

  /** When it was told to give back what it held. */
  get toldMs(): Promise<number> {
    return this.#told.promise;
  }

  async #serve(): Promise<void> {
    for (;;) this.#hear(await this.vehicle.hearEither('offer', 'revoke'));
  }

  #hear(body: Extract<DownBody, { kind: 'offer' | 'revoke' }>): void {
    const nowMs = performance.now();
    if (body.kind === 'revoke') return this.#told.resolve(nowMs);
    this.lastOfferMs = nowMs;
    if (!this.#held) {
      this.#held = true;
      return this.#holds.resolve();
    }
    const used = { cpuMs: 1, wallMs: 1, memoryPeakMib: 1, gpuMs: 0 };
    this.vehicle.say({ kind: 'result', lease: body.lease, used, outcome: { ok: true, output: body.input } });
  }
}

async function measure(firmware: BenchFirmware, connectors: number, beside: number): Promise<Figures> {
  const policy = { lease: '10min', trust: { after: 0 }, departuresMax: 1_000 };
  const stage = new Stage({ agentConfig: { policy, firmware: firmware.config, logLevel: 'error' } });
  const requesters: Requester[] = [];
  try {
    await stage.startAgent();
    const needs = {
      runtime: 'echo',
      cpuMillicores: TASK_MILLICORES,
      memoryMib: 1,
      workCoreS: 0.001,
    } as const;
    await addProgram(stage, 'echo', Buffer.from('echo'), needs);
    const donors = await startDonors(stage, firmware, connectors);
    const load = new Load(
      await connectRequester({ agent: stage.url, vehicleId: 'asker', dataDir: stage.vehicleDir('asker') }),
    );
    requesters.push(load.requester);
    load.keep(3 * connectors);
    await Promise.all(donors.map(({ holds }) => holds));
    load.openMax = connectors + beside;
    await delay(SETTLE_MS);
    load.timesMs.length = 0;
    const spreads = await unplugOneByOne(firmware, donors.slice(0, -2));
    const taskMs = spreadOf(load.timesMs);
    const silenceNoticedMs = await silenceNoticed(stage, firmware, connectors - 1);
    const cutNoticedMs = await cutNoticed(stage, firmware, connectors - 2);
    await load.end();
    const { linkTimeoutMs, name } = firmware;
    return { firmware: name, taskMs, ...spreads, linkTimeoutMs, cutNoticedMs, silenceNoticedMs };
  } finally {
    for (const requester of requesters) await requester.close();
    await stage.stop();
  }
}

async function startDonors(stage: Stage, firmware: BenchFirmware, count: number): Promise<readonly Donor[]> {
  const donors: Donor[] = [];
  for (let index = 0; index < count; index++) {
    await stage.ask('bind', { vehicleId: `car-${index}`, ...firmware.bindingOf(index) });
    donors.push(new Donor(await RawVehicle.lending(stage.url, `car-${index}`)));
  }
  firmware.chargeAll();
  await untilLending(stage, count);
  return donors;
}

/** Asks for echoes without end, so many at a time. */
class Load {
  readonly requester: Requester;
  readonly timesMs: number[] = [];
  openMax = Infinity;
  #open = 0;

  constructor(requester: Requester) {
    this.requester = requester;
  }

  keep(open: number): void {
    for (let index = 0; index < open; index++) void this.#again().catch(() => undefined);
  }

  end(): Promise<void> {
    this.openMax = 0;
    return Promise.resolve();
  }

  async #again(): Promise<void> {
    while (this.#open < this.openMax) {
      this.#open += 1;
      const fromMs = performance.now();
      const task = await this.requester.request({ algorithm: 'echo', input: Buffer.from('x') });
      await task.result;
      this.timesMs.push(performance.now() - fromMs);
      this.#open -= 1;
    }
  }
}

async function unplugOneByOne(firmware: BenchFirmware, donors: readonly Donor[]) {
  const told: number[] = [];
  const lastLease: number[] = [];
  for (const [index, donor] of donors.entries()) {
    const saidMs = performance.now();
    firmware.unplug(index);
    told.push((await donor.toldMs) - saidMs);
    await delay(BETWEEN_MS);
    lastLease.push(Math.max(0, donor.lastOfferMs - saidMs));
  }
  return { unplugged: donors.length, toldMs: spreadOf(told), lastLeaseMs: spreadOf(lastLease) };
}

function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  return { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99), max: sorted.at(-1) ?? NaN };
}

async function silenceNoticed(stage: Stage, firmware: BenchFirmware, index: number): Promise<number> {
  const saidMs = performance.now();
  firmware.fallSilent(index);
  await untilLost(stage, index, firmware.linkTimeoutMs);
  return performance.now() - saidMs;
}

async function cutNoticed(stage: Stage, firmware: BenchFirmware, index: number): Promise<number> {
  const saidMs = performance.now();
  await firmware.cutLink();
  await untilLost(stage, index, firmware.linkTimeoutMs);
  return performance.now() - saidMs;
}

async function untilLost(stage: Stage, index: number, linkTimeoutMs: number): Promise<void> {
  const endMs = performance.now() + 2 * linkTimeoutMs;
  for (;;) {
    const connectors = (await stage.ask('connectors')) as readonly {
      readonly connectorId: string;
      readonly verified: boolean;
    }[];
    const found = connectors.find(({ connectorId }) => connectorId.endsWith(`/${index + 1}/1`));
    if (found?.verified === false) return;
    if (performance.now() > endMs) throw new Error(`connector ${index + 1} is still verified`);
    await delay(POLL_MS);
  }
}

function print(figures: Figures): void {
  const { firmware, unplugged, taskMs, toldMs, lastLeaseMs, cutNoticedMs, silenceNoticedMs, linkTimeoutMs } =
    figures;
  const ms = (value: number): string => `${value.toFixed(1)} ms`;
  const spread = ({ p50, p99, max }: Spread): string => `p50 ${ms(p50)}, p99 ${ms(p99)}, worst ${ms(max)}`;
  process.stdout.write(
    `${firmware}: ${unplugged} vehicles unplugged one by one\n` +
      `  tasks beside it take            ${spread(taskMs)}\n` +
      `  its client is told after        ${spread(toldMs)}\n` +
      `  its last new lease comes after  ${spread(lastLeaseMs)}\n` +
      `  a cut link is noticed after     ${ms(cutNoticedMs)}, one that falls silent after ${ms(silenceNoticedMs)} (within ${linkTimeoutMs} ms)\n`,
  );
}
