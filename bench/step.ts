/**
 * What the decisions alone cost a task, without disk, broker and processes, for more vehicles and longer lines than fit on this
 * machine: each step hears of results, requests and acknowledgements, and grants what became free.
 */
import type { Event } from '../agent/core/events.ts';
import { step } from '../agent/core/step.ts';
import type { Effects } from '../agent/core/effects.ts';
import type { ClientId, LeaseId } from '@plugpool/proto';
import { completed, request, SimulatedPile } from '../test/simulation/simulated-pile.ts';
import { numbersFrom } from './options.ts';

interface Scene {
  readonly donors: number;
  readonly leasesPerDonor: number;
  readonly requesters: number;
  readonly algorithms: number;
  /** Requests in the line, beside those that run. */
  readonly waiting: number;
  /** Tasks that end, and are asked for, in one step. */
  readonly tasksPerStep: number;
}

const SCENES: readonly Scene[] = [
  { donors: 2, leasesPerDonor: 32, requesters: 1, algorithms: 1, waiting: 0, tasksPerStep: 32 },
  { donors: 2, leasesPerDonor: 500, requesters: 1, algorithms: 1, waiting: 0, tasksPerStep: 32 },
  { donors: 50, leasesPerDonor: 20, requesters: 20, algorithms: 3, waiting: 0, tasksPerStep: 32 },
  { donors: 50, leasesPerDonor: 20, requesters: 20, algorithms: 3, waiting: 2_000, tasksPerStep: 32 },
  { donors: 500, leasesPerDonor: 2, requesters: 50, algorithms: 3, waiting: 0, tasksPerStep: 32 },
  { donors: 500, leasesPerDonor: 2, requesters: 50, algorithms: 10, waiting: 5_000, tasksPerStep: 32 },
];
const MILLICORES = 10;
const FILL_STEP = 500;

interface StepRun extends Scene {
  readonly steps: number;
  /** CPU time of the thread, which other programs on the machine hardly change. */
  readonly cpuUsPerTask: number;
}

export async function run(args: readonly string[], json: boolean): Promise<void> {
  const { steps } = numbersFrom(args, { steps: 500 });
  const runs: StepRun[] = [];
  for (const scene of SCENES) runs.push(new Play(scene).measure(steps));
  if (json) process.stdout.write(`${JSON.stringify({ runs })}\n`);
  else print(runs);
}

/** A pile that is always full, and as many in its line as the scene says. */
class Play {
  readonly #scene: Scene;
  readonly #pile = new SimulatedPile();
  readonly #offers: { readonly to: ClientId; readonly lease: LeaseId }[] = [];
  #acknowledgements: Event[] = [];
  #requested = 0;

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  measure(steps: number): StepRun {
    this.#setUp();
    for (let n = 0; n < steps / 4; n += 1) this.#turn();
    let cpuUs = 0;
    for (let n = 0; n < steps; n += 1) cpuUs += this.#turn();
    return { ...this.#scene, steps, cpuUsPerTask: cpuUs / (steps * this.#scene.tasksPerStep) };
  }

  #setUp(): void {
    const { donors, leasesPerDonor, requesters, algorithms, waiting } = this.#scene;
    for (let n = 0; n < algorithms; n += 1)
      this.#pile.addAlgorithm(`program-${n}`, [{ cpuMillicores: MILLICORES, memoryMib: 1 }]);
    for (let n = 0; n < donors; n += 1) {
      this.#pile.plug(`donor-${n}`);
      this.#pile.lend(`donor-${n}`, { cpu: leasesPerDonor * MILLICORES });
    }
    for (let n = 0; n < requesters; n += 1) this.#pile.ask(`asker-${n}`);
    const open = donors * leasesPerDonor + waiting;
    while (this.#requested < open) {
      const more = Math.min(FILL_STEP, open - this.#requested);
      this.#step(Array.from({ length: more }, () => this.#nextRequest()));
    }
  }

  /** One step with as many results as requests; the CPU time that it took. */
  #turn(): number {
    const events = this.#acknowledgements;
    this.#acknowledgements = [];
    for (const { to, lease } of this.#offers.splice(0, this.#scene.tasksPerStep))
      events.push(this.#pile.message(to, completed(lease)), this.#nextRequest());
    return this.#step(events);
  }

  #nextRequest(): Event {
    this.#requested += 1;
    const { requesters, algorithms } = this.#scene;
    const body = request(`r${this.#requested}`, `program-${(this.#requested * 7) % algorithms}`);
    return this.#pile.message(`asker-${this.#requested % requesters}.ask-1`, body);
  }

  #step(events: readonly Event[]): number {
    this.#pile.nowMs += 1;
    const start = process.threadCpuUsage();
    const effects = step(this.#pile.state, events, this.#pile.now());
    const { user, system } = process.threadCpuUsage(start);
    this.#hear(effects);
    return user + system;
  }

  #hear({ sends }: Effects): void {
    for (const { clientId, envelope } of sends) {
      const { body } = envelope;
      if (body.kind === 'offer') this.#offers.push({ to: clientId, lease: body.lease });
      else if (body.kind === 'delivery')
        this.#acknowledgements.push(
          this.#pile.message(clientId, { kind: 'deliveryAck', taskId: body.taskId }),
        );
      else if (body.kind === 'refused') throw new Error(`refused: ${JSON.stringify(body.reasons)}`);
    }
  }
}

function print(runs: readonly StepRun[]): void {
  for (const { donors, leasesPerDonor, requesters, waiting, cpuUsPerTask } of runs)
    process.stdout.write(
      `${String(donors).padStart(3)} donors of ${String(leasesPerDonor).padStart(3)} leases, ` +
        `${String(requesters).padStart(2)} requesters, ${String(waiting).padStart(4)} waiting: ` +
        `${cpuUsPerTask.toFixed(1)} µs of CPU a task\n`,
    );
}
