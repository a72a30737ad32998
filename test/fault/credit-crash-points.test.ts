/**
 * The agent as it runs on a pile, killed where the record of a stay is made and handed on: the back office gets each record, and
 * always the same one; it gets none that is not on disk, and who took one is asked no more.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { createSqliteStore } from '../../agent/adapters/store-sqlite/store.ts';
import type { Store } from '../../agent/ports.ts';
import type { CreditId } from '../../agent/core/records.ts';
import { stayOver } from '../stay-records.ts';
import { CREDIT_POINTS, type CreditPoint } from './crash/crash-points.ts';
import { CrashPlan } from './crash/crash-plan.ts';

const STATION = new URL('./real-pile/credit-station.ts', import.meta.url).pathname;
const WRAPPERS = new URL('./crash/wrap-ports.ts', import.meta.url).href;
/** A record that is not handed on by then never is. */
const STATION_MS_MAX = 20_000;
const points = Object.keys(CREDIT_POINTS) as CreditPoint[];

const plan = new CrashPlan();
const dataDir = mkdtempSync(join(tmpdir(), 'plugpool-credits-'));
const officeFile = join(dataDir, 'office.jsonl');
after(() => {
  plan.remove();
  rmSync(dataDir, { recursive: true });
});

interface Station {
  readonly ended: Promise<NodeJS.Signals | undefined>;
  /** Resolves at the next record that the back office takes. */
  taken(): Promise<void>;
  stop(): Promise<void>;
  readonly log: () => string;
}

function startStation(): Station {
  const child = spawn(process.execPath, ['--import', WRAPPERS, STATION, dataDir, officeFile], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...plan.env },
  });
  const late = setTimeout(() => child.kill('SIGKILL'), STATION_MS_MAX);
  let log = '';
  child.stderr.on('data', (data: Buffer) => (log += data.toString()));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const ended = once(child, 'exit').then(([, signal]) => {
    clearTimeout(late);
    return (signal as NodeJS.Signals | null) ?? undefined;
  });
  return {
    ended,
    taken: async () => assert.equal((await lines.next()).done, false, log),
    stop: async () => {
      child.stdin.end();
      await ended;
    },
    log: () => log,
  };
}

/** What the agent that was killed left, without an agent. */
async function looking<Seen>(look: (store: Store) => Promise<Seen>): Promise<Seen> {
  const store = createSqliteStore({ dataDir, inProcess: true });
  await store.open();
  try {
    return await look(store);
  } finally {
    await store.close();
  }
}

/** A stay that is over and has earned something, and no record yet. */
async function addStay(n: number): Promise<void> {
  const { credit, booking } = stayOver(n, 'lender', Date.UTC(2026, 10, n, 12));
  await looking((store) =>
    store.commit([
      { change: 'book', booking },
      { change: 'putCredit', credit },
    ]),
  );
}

interface Kept {
  readonly id: number;
  readonly isMade: boolean;
  readonly state: string;
}

function keptIn(store: Store, stays: number): Promise<Kept[]> {
  const ids = Array.from({ length: stays }, (_, n) => n + 1);
  return Promise.all(
    ids.map(async (id) => {
      const made = await store.credit(id as CreditId);
      return { id, isMade: made !== undefined, state: made?.sending.state ?? 'none' };
    }),
  );
}

/** By its number; the same record each time. */
function takenByOffice(): Map<number, number> {
  const lines = existsSync(officeFile) ? readFileSync(officeFile, 'utf8').trimEnd().split('\n') : [];
  const texts = new Map<number, string>();
  const times = new Map<number, number>();
  for (const line of lines.filter((each) => each !== '')) {
    const id = idIn(line);
    assert.equal(texts.get(id) ?? line, line, `record ${id} was handed on in two forms`);
    texts.set(id, line);
    times.set(id, (times.get(id) ?? 0) + 1);
  }
  return times;
}

function idIn(line: string): number {
  const id = /north\/(\d+)/.exec(line.replace(/north\/1\/1/g, ''))?.[1];
  assert.ok(id, line);
  return Number(id);
}

for (const [n, point] of points.entries())
  test(`killed at ${point}: ${CREDIT_POINTS[point]}`, async () => {
    await addStay(n + 1);
    plan.arm({ point, passage: 1 });
    const station = startStation();
    await plan.crashedAt(point, station.ended, station.log);
    const kept = await looking((store) => keptIn(store, n + 1));
    const taken = takenByOffice();
    for (const { id, isMade, state } of kept) {
      if (taken.has(id)) assert.ok(isMade, `the back office has record ${id}, which is not on disk`);
      if (state === 'accepted') assert.ok(taken.has(id), `record ${id} is said to be taken, and is not`);
    }
  });

test('in the end the back office has each record, and who took one is asked no more', async () => {
  const open = (kept: readonly Kept[]): number[] =>
    kept.filter(({ state }) => state !== 'accepted').map(({ id }) => id);
  const missing = open(await looking((store) => keptIn(store, points.length)));
  const before = takenByOffice();
  const station = startStation();
  for (const _ of missing) await station.taken();
  await station.stop();
  assert.deepEqual(open(await looking((store) => keptIn(store, points.length))), []);
  for (const [id, times] of takenByOffice())
    assert.equal(times, (before.get(id) ?? 0) + (missing.includes(id) ? 1 : 0), `record ${id}`);
  assert.equal(takenByOffice().size, points.length);
});
