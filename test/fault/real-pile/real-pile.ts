/** A pile as a process of its own and recorded vehicles around it, and what is checked whenever it is gone and when all is done. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Donor, Requester } from '@plugpool/vehicle-client';
import { Stage, type StageOptions } from '../../../scripts/stage.ts';
import { copiesStdin } from '../../fixtures/wasm/modules.ts';
import { addEcho, addProgram } from '../../integration/spine-scene.ts';
import { checkHistory, type HistoryEntry } from '../../simulation/history.ts';
import type { Runtime } from '../../../vehicle-client/runtimes/port.ts';
import { connectRecorded, startRecordedDonor, UnderWay, type Surroundings } from './real-vehicles.ts';
import { SlowRuntime } from './slow-runtime.ts';
import { readStored, type Stored } from './stored.ts';

const DONORS_DEFAULT = ['lender-1', 'lender-2', 'lender-3'];
const RUN_MS = 60;
const POLICY = { lease: '2s', rest: '100ms' };

export interface RealPileOptions extends Omit<StageOptions, 'agentConfig'> {
  readonly agentConfig?: Readonly<Record<string, unknown>>;
  /** Of the donors in this process; default three. */
  readonly donors?: readonly string[];
  /** How long a run takes on them … */
  readonly runMs?: number;
  /** … or what runs there instead. */
  readonly runtime?: () => Runtime;
}

export class RealPile {
  readonly stage: Stage;
  readonly history: HistoryEntry[] = [];
  readonly #donorIds: readonly string[];
  readonly #runtime: () => Runtime;
  readonly #donors: Donor[] = [];
  readonly #requesters: Requester[] = [];
  #underWay: UnderWay | undefined;

  constructor(about: RealPileOptions = {}) {
    const { donors = DONORS_DEFAULT, runMs = RUN_MS, runtime, agentConfig = {}, ...options } = about;
    this.#donorIds = donors;
    this.#runtime = runtime ?? ((): Runtime => new SlowRuntime({ runMs }));
    this.stage = new Stage({
      ...options,
      agentConfig: { logLevel: 'warn', tokens: 'tokens', policy: POLICY, ...agentConfig },
    });
  }

  get underWay(): UnderWay {
    assert.ok(this.#underWay !== undefined, 'start() comes first');
    return this.#underWay;
  }

  get #around(): Surroundings {
    return { url: this.stage.url, dir: this.stage.dir, record: (entry) => this.history.push(entry) };
  }

  async start(): Promise<void> {
    await this.stage.startAgent();
    await addEcho(this.stage);
    await addProgram(this.stage, 'slow', copiesStdin(), { workCoreS: 0.01 });
    for (const [index, vehicleId] of this.#donorIds.entries()) await this.lend(vehicleId, index + 1);
    this.#underWay = new UnderWay(await this.connect('asker'));
  }

  /** From this process, for as long as the pile is there. */
  async lend(vehicleId: string, connector: number): Promise<Donor> {
    await this.plugIn(vehicleId, connector);
    const donor = await startRecordedDonor(this.#around, vehicleId, this.#runtime());
    this.#donors.push(donor);
    return donor;
  }

  /** For good: nobody waits for what it has not been answered. */
  async stopLending(donor: Donor): Promise<void> {
    this.#donors.splice(this.#donors.indexOf(donor), 1);
    await donor.stop();
  }

  /** The firmware says that it charges there. */
  async plugIn(vehicleId: string, connector: number): Promise<void> {
    await this.stage.ask('firmware', { step: 'charge', connector: String(connector), vehicleId });
  }

  async connect(vehicleId: string): Promise<Requester> {
    const requester = await connectRecorded(this.#around, vehicleId);
    this.#requesters.push(requester);
    return requester;
  }

  logTail(): string {
    return readFileSync(this.stage.logPath('agent'), 'utf8').split('\n').slice(-15).join('\n');
  }

  /** What must hold whenever the agent is gone. */
  async assertNothingBroken(): Promise<Stored> {
    const stored = await readStored(this.stage.agentDataDir);
    assertBookedOnce(stored);
    assert.deepEqual(checkHistory({ history: this.history, store: stored }), []);
    return stored;
  }

  /** What must hold when everybody had the time to say what he had to; `others` are tasks of other processes. Stops the agent. */
  async assertAllDone(others = 0): Promise<Stored> {
    await this.stage.until('every delivery to be acknowledged', async () => {
      const tasks = (await this.stage.ask('tasks', { limit: 1000 })) as { delivered: boolean }[];
      return tasks.every(({ delivered }) => delivered);
    });
    await this.stage.until('every result to be answered', async () =>
      this.#donors.every((donor) => donor.status().unacknowledgedResults === 0),
    );
    this.stage.tellAgentToStop();
    assert.equal(await this.stage.agentEnded(), undefined, 'it stops cleanly');
    const stored = await readStored(this.stage.agentDataDir);
    assertBookedOnce(stored);
    assert.deepEqual(checkHistory({ history: this.history, store: stored, isOver: true }), []);
    assertAnswered(stored, this.history, this.#donorIds);
    for (const { task, end, delivered } of stored.tasks)
      assert.deepEqual([end?.state, delivered], ['completed', true], task.taskId);
    assert.equal(stored.tasks.length, this.underWay.asked + others, 'one task a request');
    return stored;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#requesters, ...this.#donors].map((each) => endOf(each)));
    await this.stage.stop();
  }
}

function endOf(client: Requester | Donor): Promise<void> {
  return 'close' in client ? client.close() : client.stop();
}

/** Whoever handed in what counts was told so in the end, whatever became of the first answer; that nobody heard the opposite is a law of the history. */
function assertAnswered(
  { tasks }: Stored,
  history: readonly HistoryEntry[],
  donorIds: readonly string[],
): void {
  const told = new Set(
    history.flatMap(({ client, body }) =>
      body.kind === 'resultAck' && body.accepted
        ? [`${client} ${body.lease.instanceId}/${body.lease.fencingToken}`]
        : [],
    ),
  );
  for (const { attempts } of tasks)
    for (const { outcome, vehicleId, instanceId, fencingToken } of attempts) {
      if (outcome !== 'completed' || !donorIds.includes(vehicleId)) continue;
      const name = `${vehicleId}.lend ${instanceId}/${fencingToken}`;
      assert.ok(told.has(name), `${name} counts, and its donor never heard that it does`);
    }
}

/** Each part of what completed was booked, each once; beside that no more than what was kept on the way, each segment once. */
function assertBookedOnce({ tasks, ledger }: Stored): void {
  let bookings = 0;
  for (const { task, end, attempts, bookings: ofTask } of tasks) {
    const completed = attempts.filter(({ outcome }) => outcome === 'completed');
    const parts = new Set(completed.map(({ instanceId }) => instanceId));
    assert.equal(parts.size, completed.length, `a part of ${task.taskId} has two results`);
    if (end?.state === 'completed') assert.equal(parts.size, task.wants?.instances ?? 1, task.taskId);
    assert.deepEqual(
      ofTask
        .filter(({ kind }) => kind === 'result')
        .map(({ instanceId, fencingToken }) => `${instanceId}/${fencingToken}`)
        .toSorted(),
      completed.map(({ instanceId, fencingToken }) => `${instanceId}/${fencingToken}`).toSorted(),
      `what is booked of ${task.taskId}`,
    );
    const segments = ofTask.map((one) => `${one.instanceId}/${one.fencingToken}/${one.segment}`);
    assert.equal(new Set(segments).size, segments.length, `a segment of ${task.taskId} is booked twice`);
    bookings += ofTask.length;
  }
  assert.equal(ledger.bookings, bookings);
}
