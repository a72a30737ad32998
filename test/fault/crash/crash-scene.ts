/** One pile that is killed again and again at named points, the vehicles around it, and what is checked each time. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Donor, Requester } from '@plugpool/vehicle-client';
import { Stage } from '../../../scripts/stage.ts';
import { copiesStdin } from '../../fixtures/wasm/modules.ts';
import { addEcho, addProgram } from '../../integration/spine-scene.ts';
import { checkHistory, type HistoryEntry } from '../../simulation/history.ts';
import { CRASH_DIR_VARIABLE, type Armed, type CrashPoint } from './crash-points.ts';
import { connectRecorded, startRecordedDonor, UnderWay, type Surroundings } from './real-vehicles.ts';
import { readStored, type Stored } from './stored.ts';

const DONORS = ['lender-1', 'lender-2', 'lender-3'];
const RUN_MS = 60;
/** A point that is not passed by then is passed by nobody any more. */
const CRASH_MS_MAX = 20_000;

export class CrashScene {
  readonly stage: Stage;
  readonly history: HistoryEntry[] = [];
  readonly #crashDir: string;
  readonly #donors: Donor[] = [];
  readonly #requesters: Requester[] = [];
  underWay!: UnderWay;

  constructor() {
    const wrapping = new URL('./wrap-ports.ts', import.meta.url).href;
    // As agent/bin starts it, but in one process from the beginning.
    const nodeArgs = ['--max-semi-space-size=4', '--max-old-space-size=512', '--import', wrapping];
    const env: Record<string, string> = {};
    this.stage = new Stage({ agentNodeArgs: nodeArgs, agentEnv: env });
    this.#crashDir = path.join(this.stage.dir, 'crash');
    mkdirSync(this.#crashDir);
    env[CRASH_DIR_VARIABLE] = this.#crashDir;
    this.stage.configureAgent({
      logLevel: 'warn',
      tokens: 'tokens',
      policy: { lease: '2s', rest: '100ms' },
      housekeeping: { cron: '* * * * * *' },
    });
  }

  get #around(): Surroundings {
    return { url: this.stage.url, dir: this.stage.dir, record: (entry) => this.history.push(entry) };
  }

  async start(): Promise<void> {
    await this.stage.startAgent();
    await addEcho(this.stage);
    await addProgram(this.stage, 'slow', copiesStdin(), { workCoreS: 0.01 });
    for (const [index, vehicleId] of DONORS.entries()) {
      await this.stage.ask('firmware', { step: 'charge', connector: String(index + 1), vehicleId });
      this.#donors.push(await startRecordedDonor(this.#around, vehicleId, RUN_MS));
    }
    this.underWay = new UnderWay(await this.connect('asker'));
  }

  async connect(vehicleId: string): Promise<Requester> {
    const requester = await connectRecorded(this.#around, vehicleId);
    this.#requesters.push(requester);
    return requester;
  }

  /** From now on passages count. */
  arm(armed: Armed): void {
    rmSync(this.#file('crashed'), { force: true });
    writeFileSync(this.#file('armed.new'), JSON.stringify(armed));
    renameSync(this.#file('armed.new'), this.#file('armed'));
  }

  /** Resolves when the agent was killed there; fails where it was not, or ended by anything else. */
  async crashedAt(point: CrashPoint): Promise<void> {
    const ended = await withinMs(this.stage.agentEnded(), CRASH_MS_MAX, `"${point}" was never passed`);
    assert.equal(ended, 'SIGKILL', `the agent ended by itself:\n${this.#logTail()}`);
    assert.equal(readFileSync(this.#file('crashed'), 'utf8'), point);
    rmSync(this.#file('armed'));
  }

  #file(name: string): string {
    return path.join(this.#crashDir, name);
  }

  #logTail(): string {
    return readFileSync(this.stage.logPath('agent'), 'utf8').split('\n').slice(-15).join('\n');
  }

  /** What must hold whenever the agent is gone. */
  async assertNothingBroken(): Promise<Stored> {
    const stored = await readStored(this.stage.agentDataDir);
    assertBookedOnce(stored);
    assert.deepEqual(checkHistory({ history: this.history, store: stored }), []);
    return stored;
  }

  /** What must hold when everybody had the time to say what he had to. */
  async assertAllDone(): Promise<void> {
    await this.stage.until('every delivery to be acknowledged', async () => {
      const tasks = (await this.stage.ask('tasks', { limit: 1000 })) as { delivered: boolean }[];
      return tasks.every(({ delivered }) => delivered);
    });
    this.stage.tellAgentToStop();
    assert.equal(await this.stage.agentEnded(), undefined, 'it stops cleanly');
    const stored = await readStored(this.stage.agentDataDir);
    assertBookedOnce(stored);
    assert.deepEqual(checkHistory({ history: this.history, store: stored, isOver: true }), []);
    for (const { task, end, delivered } of stored.tasks)
      assert.deepEqual([end?.state, delivered], ['completed', true], task.taskId);
    assert.equal(stored.tasks.length, this.underWay.asked, 'one task a request');
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#requesters, ...this.#donors].map((each) => endOf(each)));
    await this.stage.stop();
  }
}

function endOf(client: Requester | Donor): Promise<void> {
  return 'close' in client ? client.close() : client.stop();
}

/** Each part of what completed was booked, each once, and nothing else was. */
function assertBookedOnce({ tasks, ledger }: Stored): void {
  let bookings = 0;
  for (const { task, end, attempts, bookings: ofTask } of tasks) {
    const completed = attempts.filter(({ outcome }) => outcome === 'completed');
    const parts = new Set(completed.map(({ instanceId }) => instanceId));
    assert.equal(parts.size, completed.length, `a part of ${task.taskId} has two results`);
    if (end?.state === 'completed') assert.equal(parts.size, task.wants?.instances ?? 1, task.taskId);
    assert.deepEqual(
      ofTask.map(({ instanceId, fencingToken }) => `${instanceId}/${fencingToken}`).toSorted(),
      completed.map(({ instanceId, fencingToken }) => `${instanceId}/${fencingToken}`).toSorted(),
      `what is booked of ${task.taskId}`,
    );
    bookings += ofTask.length;
  }
  assert.equal(ledger.bookings, bookings);
}

async function withinMs<Value>(value: Promise<Value>, ms: number, otherwise: string): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${ms / 1000} s: ${otherwise}`)), ms);
  });
  try {
    return await Promise.race([value, late]);
  } finally {
    clearTimeout(timer);
  }
}
