/**
 * What lies cost: how many runs a task takes, and how many wrong results are accepted, with donors that lie in several ways, by the
 * production `step`. Beside it what two results of every task would cost, which is what a quorum of two asks for.
 */
import type { LeaseId, UpBody, VehicleId } from '@plugpool/proto';
import { knownVehicles } from '../agent/core/donors/known-vehicles.ts';
import type { Event } from '../agent/core/events.ts';
import { nextUint32, seededRandom, type Random } from '../agent/core/random.ts';
import type { Settings } from '../agent/core/settings.ts';
import { capacityReport, request, SimulatedPile, type SentBody } from '../test/simulation/simulated-pile.ts';
import { numbersFrom } from './options.ts';

/** `always` each its own lie, `sometimes` one run in ten, `once_believed` honest until it is; `together` all the same lie; `fleet` as
 * `together`, and all of one owner. */
const WAYS = ['always', 'sometimes', 'once_believed', 'together', 'fleet'] as const;
type Way = (typeof WAYS)[number];

interface Scene {
  readonly way: Way | 'nobody';
  readonly liars: number;
  readonly policy: 'adaptive' | 'no_spot_checks' | 'quorum_2' | 'none';
}

interface LiarsRun extends Scene {
  readonly donors: number;
  readonly tasks: number;
  readonly accepted: number;
  /** Spot checks among them. */
  readonly runsPerTask: number;
  readonly wrongShare: number;
  readonly dead: number;
  readonly spotChecks: number;
}

const ROUND_MS = 10_000;
const IDLE_MS = 60_000;

export async function run(args: readonly string[], json: boolean): Promise<void> {
  const { donors, tasks, seed } = numbersFrom(args, { donors: 100, tasks: 10_000, seed: 1 });
  const runs: LiarsRun[] = [];
  for (const scene of scenesFor(donors)) {
    const measured = new Play(scene, donors, seed).measure(tasks);
    runs.push(measured);
    if (!json) process.stdout.write(`${lineOf(measured)}\n`);
  }
  if (json) process.stdout.write(`${JSON.stringify({ runs })}\n`);
  return Promise.resolve();
}

function scenesFor(donors: number): Scene[] {
  const scenes: Scene[] = [
    { way: 'nobody', liars: 0, policy: 'adaptive' },
    { way: 'nobody', liars: 0, policy: 'quorum_2' },
  ];
  for (const share of [0.01, 0.1])
    for (const way of WAYS)
      for (const policy of ['adaptive', 'no_spot_checks', 'quorum_2', 'none'] as const)
        scenes.push({ way, liars: Math.max(1, Math.round(share * donors)), policy });
  return scenes;
}

const POLICIES: Readonly<Record<Scene['policy'], Partial<Settings>>> = {
  adaptive: {},
  no_spot_checks: { spotCheckMillis: 0 },
  quorum_2: { trustAfter: 0 },
  none: { trustAfter: 0 },
};

class Play {
  readonly #scene: Scene;
  readonly #donors: number;
  readonly #random: Random;
  readonly #pile: SimulatedPile;
  /** Of each task, whatever it was asked. */
  readonly #rightOf = new Map<string, Uint8Array>();
  #runs = 0;
  #asked = 0;
  #accepted = 0;
  #wrong = 0;
  #dead = 0;
  #spotChecks = 0;

  constructor(scene: Scene, donors: number, seed: number) {
    this.#scene = scene;
    this.#donors = donors;
    this.#random = seededRandom(seed);
    const vehicles = knownVehicles(scene.way === 'fleet' ? [{ id: 'liar-*', make: '', fleet: 'liars' }] : []);
    const steady = { capacityStaleMs: 1e12, subPools: false, retentionMs: 60_000, seed };
    this.#pile = new SimulatedPile({ ...steady, vehicles, ...POLICIES[scene.policy] });
    this.#pile.addAlgorithm('sum', [{}], { compare: { by: 'bytes' } });
    for (let n = 0; n < donors; n += 1) {
      const id = n < scene.liars ? `liar-${n}` : `car-${n}`;
      this.#pile.plug(id);
      this.#pile.lend(id, { cpu: 1000 });
    }
    this.#pile.ask('asker');
  }

  measure(tasks: number): LiarsRun {
    while (this.#asked < tasks) this.#round();
    const accepted = Math.max(1, this.#accepted);
    return {
      ...this.#scene,
      donors: this.#donors,
      tasks: this.#asked,
      accepted: this.#accepted,
      runsPerTask: this.#runs / accepted,
      wrongShare: this.#wrong / accepted,
      dead: this.#dead,
      spotChecks: this.#spotChecks,
    };
  }

  /** A request for each donor, so that all of them run some, then everybody answers until nothing is open. */
  #round(): void {
    const pile = this.#pile;
    const requests = Array.from({ length: this.#donors }, () => this.#request());
    let sent = pile.step(...requests);
    // Who rested or was asked a check hears of it with time.
    sent = [...sent, ...pile.pass(ROUND_MS)];
    while (sent.length > 0) sent = this.#answer(sent);
    // Nobody is full all day long: then checks find room.
    for (let idleMs = 0; idleMs < IDLE_MS; idleMs += ROUND_MS)
      for (sent = pile.pass(ROUND_MS); sent.length > 0;) sent = this.#answer(sent);
    pile.sent.length = 0;
    pile.disk.bookings.clear();
    pile.step({ kind: 'housekeeping' });
    for (let n = 0; n < this.#scene.liars; n += 1) pile.say(`liar-${n}.lend`, capacityReport({ cpu: 1000 }));
  }

  #request(): Event {
    this.#asked += 1;
    const bytes = new Uint8Array(Int32Array.of(this.#asked).buffer);
    const wants = this.#scene.policy === 'quorum_2' ? { wants: { quorum: 2 } } : {};
    return this.#pile.message(
      'asker.ask-1',
      request(`r${this.#asked}`, 'sum', { input: { where: 'inline', bytes }, ...wants }),
    );
  }

  #answer(sent: readonly SentBody[]): SentBody[] {
    const answers: Event[] = [];
    for (const { clientId, body } of sent) {
      if (body.kind === 'delivery') answers.push(this.#delivered(body));
      if (body.kind !== 'offer' || body.input.where !== 'inline') continue;
      this.#runs += 1;
      if (this.#pile.state.tasks.get(body.taskId)?.check !== undefined) this.#spotChecks += 1;
      this.#rightOf.set(body.taskId, body.input.bytes);
      const vehicleId = clientId.replace('.lend', '') as VehicleId;
      answers.push(
        this.#pile.message(clientId, resultOf(body.lease, this.#outputOf(vehicleId, body.input.bytes))),
      );
    }
    return answers.length === 0 ? [] : this.#pile.step(...answers);
  }

  #delivered(body: Extract<SentBody['body'], { kind: 'delivery' }>): Event {
    const right = this.#rightOf.get(body.taskId);
    this.#rightOf.delete(body.taskId);
    if (body.state === 'completed' && body.output?.where === 'inline') {
      this.#accepted += 1;
      if (right === undefined || !Buffer.from(body.output.bytes).equals(right)) this.#wrong += 1;
    } else this.#dead += 1;
    return this.#pile.message('asker.ask-1', { kind: 'deliveryAck', taskId: body.taskId });
  }

  /** The right output is the input. */
  #outputOf(vehicleId: VehicleId, right: Uint8Array): Uint8Array {
    if (!vehicleId.startsWith('liar-') || !this.#lies(vehicleId)) return right;
    const isShared = this.#scene.way === 'together' || this.#scene.way === 'fleet';
    return Buffer.concat([right, Buffer.from(isShared ? 'lie' : `lie of ${vehicleId}`)]);
  }

  #lies(vehicleId: VehicleId): boolean {
    const { way } = this.#scene;
    if (way === 'sometimes') return nextUint32(this.#random) % 10 === 0;
    const { state } = this.#pile;
    return way !== 'once_believed' || state.trust.isBelieved(vehicleId, 'sum@1', this.#pile.now());
  }
}

function resultOf(lease: LeaseId, bytes: Uint8Array): UpBody {
  const used = { cpuMs: 100, wallMs: 100, memoryPeakMib: 10, gpuMs: 0 };
  return { kind: 'result', lease, used, outcome: { ok: true, output: { where: 'inline', bytes } } };
}

function lineOf({
  way,
  liars,
  donors,
  policy,
  runsPerTask,
  wrongShare,
  accepted,
  dead,
  spotChecks,
}: LiarsRun): string {
  const who = `${((100 * liars) / donors).toFixed(0)} % ${way}`.padEnd(20);
  const figures = `${runsPerTask.toFixed(3)} runs a task, ${(100 * wrongShare).toFixed(3)} % wrong`;
  return `${who} ${policy.padEnd(15)} ${figures} of ${accepted}, ${dead} dead, ${spotChecks} checks`;
}
