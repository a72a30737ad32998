/**
 * Many vehicles that lend, light enough for one process: `URL COUNT`. Each is a real connection with hand-written MQTT bytes that reports
 * what it lends and answers an offer with its input at once. A line on standard input, `{ "connected": N, "reconnectsPerSec": R }`, says
 * how many are there from then on and how many leave and come back each second; a line comes back when they are.
 */
import { createInterface } from 'node:readline';
import type { DownBody } from '@plugpool/proto';
import { RawVehicle } from '../../test/integration/spine-raw-vehicle.ts';

/** A pile believes a report for 30 s. */
const REPORT_EVERY_MS = 10_000;
const MS_PER_S = 1_000;

const [url = '', countText] = process.argv.slice(2);
const count = Number(countText);

/** What was not as it should be: a connection that broke by itself, a refusal. */
const errors: string[] = [];

class LightVehicle {
  readonly #clientId: string;
  #vehicle: RawVehicle | undefined;

  constructor(index: number) {
    this.#clientId = `vehicle-${index + 1}.lend`;
  }

  async come(): Promise<void> {
    const vehicle = await RawVehicle.connect(url, this.#clientId);
    this.#vehicle = vehicle;
    vehicle.sayHello();
    await vehicle.hear('welcome');
    this.report();
    void this.#serve(vehicle);
  }

  leave(): void {
    this.#vehicle?.leave();
    this.#vehicle = undefined;
  }

  report(): void {
    this.#vehicle?.say({
      kind: 'capacity',
      lendable: { cpuMillicores: 4_000, memoryMib: 8_192, gpus: [] },
      lending: true,
      reason: '',
      cachedImages: [],
      allowedAlgorithms: [],
      chargingOnly: false,
    });
  }

  async #serve(vehicle: RawVehicle): Promise<void> {
    try {
      for (;;) this.#answer(vehicle, await vehicle.hearEither('offer', 'refused'));
    } catch (error) {
      if (this.#vehicle === vehicle) errors.push(`${this.#clientId}: ${String(error)}`);
    }
  }

  #answer(vehicle: RawVehicle, body: Extract<DownBody, { kind: 'offer' | 'refused' }>): void {
    if (body.kind === 'refused') {
      errors.push(`${this.#clientId} is refused: ${body.reasons[0]?.code}`);
      return;
    }
    const used = { cpuMs: 1, wallMs: 1, memoryPeakMib: 1, gpuMs: 0 };
    vehicle.say({ kind: 'result', lease: body.lease, used, outcome: { ok: true, output: body.input } });
  }
}

const vehicles = Array.from({ length: count }, (_, index) => new LightVehicle(index));
let here = 0;
let next = 0;
let reconnections = 0;
let underWay: Promise<void> = Promise.resolve();
let timer: NodeJS.Timeout | undefined;

setInterval(() => {
  for (const vehicle of vehicles.slice(0, here)) vehicle.report();
}, REPORT_EVERY_MS);

async function become(connected: number, reconnectsPerSec: number): Promise<void> {
  clearInterval(timer);
  await underWay;
  for (; here > connected; here -= 1) vehicles[here - 1]?.leave();
  for (; here < connected; here += 1) await vehicles[here]?.come();
  if (reconnectsPerSec > 0)
    timer = setInterval(() => {
      underWay = underWay.then(comeBack);
    }, MS_PER_S / reconnectsPerSec);
}

/** Each in its turn leaves, and comes back at once. */
async function comeBack(): Promise<void> {
  const vehicle = vehicles[next % here];
  next += 1;
  vehicle?.leave();
  try {
    await vehicle?.come();
    reconnections += 1;
  } catch (error) {
    errors.push(`a reconnection: ${String(error)}`);
  }
}

process.once('SIGTERM', () => process.exit(0));
for await (const line of createInterface(process.stdin)) {
  if (line === 'end') break;
  const { connected, reconnectsPerSec } = JSON.parse(line) as { connected: number; reconnectsPerSec: number };
  const was = { reconnections, errors: errors.length };
  await become(connected, reconnectsPerSec);
  process.stdout.write(`${JSON.stringify({ ...was, first: errors[0] ?? null })}\n`);
}
process.exit(0);
