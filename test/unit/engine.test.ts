/** Rule 2 of the design: nothing leaves the pile before what it says is on disk, and what came meanwhile is decided together. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Effects } from '../../agent/core/effects.ts';
import type { Event } from '../../agent/core/events.ts';
import type { StoreChange, StoredState } from '../../agent/core/records.ts';
import { Engine } from '../../agent/engine.ts';
import type { Clock, CommitCost } from '../../agent/ports.ts';
import { StoreError } from '../../agent/store-error.ts';
import { SimulatedDisk } from '../simulation/simulated-disk.ts';
import { connectorOf, SimulatedPile, TEST_SETTINGS } from '../simulation/simulated-pile.ts';
import { capacityReport, hello, request } from '../simulation/simulated-pile.ts';

/** A disk whose commits end when the test says so. */
class HeldStore {
  readonly disk = new SimulatedDisk();
  readonly commits: {
    readonly changes: readonly StoreChange[];
    succeed(): void;
    fail(error: Error): void;
  }[] = [];
  #onCommit: (() => void) | undefined;

  open(): Promise<StoredState> {
    return Promise.resolve(this.disk.load());
  }

  reload(): Promise<StoredState> {
    return Promise.resolve(this.disk.load());
  }

  commit(changes: readonly StoreChange[]): Promise<CommitCost> {
    const { promise, resolve, reject } = Promise.withResolvers<CommitCost>();
    this.commits.push({
      changes,
      succeed: () => {
        this.disk.write(changes);
        resolve({ syncMs: 0 });
      },
      fail: reject,
    });
    this.#onCommit?.();
    return promise;
  }

  /** Resolves with the next commit that is begun. */
  async next(): Promise<HeldStore['commits'][number]> {
    if (this.commits.length === 0) await new Promise<void>((resolve) => (this.#onCommit = resolve));
    const commit = this.commits.shift();
    assert.ok(commit);
    return commit;
  }
}

class HandClock implements Clock {
  nowMs = 1_000;
  readonly timers = new Set<{ readonly atMs: number; readonly callback: () => void }>();

  now(): { monoMs: number; wallMs: number } {
    return { monoMs: this.nowMs, wallMs: this.nowMs + 1_700_000_000_000 };
  }

  setTimer(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.nowMs + delayMs, callback };
    this.timers.add(timer);
    return () => this.timers.delete(timer);
  }

  pass(ms: number): void {
    this.nowMs += ms;
    for (const timer of [...this.timers]) {
      if (timer.atMs > this.nowMs) continue;
      this.timers.delete(timer);
      timer.callback();
    }
  }
}

/** An engine with an echo algorithm, a donor that lends and a requester, and what it lets out. */
async function scene() {
  const store = new HeldStore();
  const clock = new HandClock();
  const published: Effects[] = [];
  const refused: { events: readonly Event[]; error: StoreError }[] = [];
  const fatal = Promise.withResolvers<unknown>();
  const engine = new Engine({
    store,
    clock,
    settings: TEST_SETTINGS,
    prepare: () => undefined,
    publish: (effects) => published.push(effects),
    refused: (events, error) => refused.push({ events, error }),
    fatal: (error) => fatal.resolve(error),
  });
  await engine.start();
  // Only to make events of the right form.
  const words = new SimulatedPile();
  words.connect('asker.ask-1');
  words.connect('donor.lend');
  const say = (clientId: string, body: Parameters<SimulatedPile['say']>[1]): void =>
    engine.push(words.message(clientId, body));
  for (const clientId of ['asker.ask-1', 'donor.lend'])
    engine.push({ ...words.message(clientId, hello({})), kind: 'connected' } as Event);
  const at = { receivedWallMs: 0 };
  const connectorId = connectorOf('1');
  const identity = {
    kind: 'identity',
    connectorId,
    vehicleId: 'donor' as never,
    assurance: 'operator',
    at,
  } as const;
  const source = { name: 'test', staleAfterMs: 0 };
  engine.push({ kind: 'firmware', event: { kind: 'chargingStarted', connectorId, at }, source });
  engine.push({ kind: 'firmware', event: identity, source });
  engine.push({ kind: 'operator', question: 1, command: { verb: 'addAlgorithm', algorithm: ECHO } });
  say('asker.ask-1', { kind: 'hello', clientVersion: '1', held: [], runtimes: [] });
  say('donor.lend', hello({}));
  say('donor.lend', capacityReport({}));
  (await store.next()).succeed();
  await engine.idle();
  published.length = 0;
  return { engine, store, clock, published, refused, fatal: fatal.promise, say };
}

const ECHO = {
  id: 'echo' as never,
  version: '1',
  type: 'echo',
  runtime: 'wasm',
  image: { digest: 'ab'.repeat(32) as never, sizeBytes: 1 },
  demands: [{ cpuMillicores: 10, memoryMib: 1, threads: 1 }],
  workCoreS: 0.001,
} as const;

function kindsOf(effects: Effects | undefined): string[] {
  return effects?.sends.map(({ envelope }) => envelope.body.kind) ?? [];
}

test('an acceptance and its offer are published after their commit, not before', async () => {
  const { store, published, say, engine } = await scene();
  say('asker.ask-1', request('r1', 'echo'));
  const commit = await store.next();
  assert.deepEqual(
    commit.changes.map(({ change }) => change),
    // With the first offer ever comes the key of the pile's seeds.
    ['insertTask', 'putLearned', 'putInstance'],
  );
  assert.equal(published.length, 0);
  commit.succeed();
  await engine.idle();
  assert.deepEqual(kindsOf(published[0]), ['accepted', 'offer']);
});

test('what arrives while a commit is under way is one step and one commit', async () => {
  const { store, published, say, engine } = await scene();
  say('asker.ask-1', request('r1', 'echo'));
  const first = await store.next();
  for (const id of ['r2', 'r3', 'r4']) say('asker.ask-1', request(id, 'echo'));
  first.succeed();
  const second = await store.next();
  assert.equal(second.changes.filter(({ change }) => change === 'insertTask').length, 3);
  second.succeed();
  await engine.idle();
  assert.equal(published.length, 2);
});

test('of a failed commit nothing happened: it is refused, not published, and can be asked again', async () => {
  const { store, published, refused, say, engine } = await scene();
  say('asker.ask-1', request('r1', 'echo'));
  (await store.next()).fail(new StoreError('full', 'no space', { hint: 'free some', retryable: true }));
  await engine.idle();
  assert.equal(refused[0]?.error.code, 'full');
  assert.equal(engine.state.tasks.size, 0);
  // After the load every donor is told again which images to keep: of the failed commit nothing is said.
  assert.deepEqual(
    published.flatMap(kindsOf).filter((kind) => kind !== 'deploy'),
    [],
  );
  say('asker.ask-1', request('r1', 'echo'));
  (await store.next()).succeed();
  await engine.idle();
  assert.deepEqual(kindsOf(published.at(-1)), ['accepted', 'offer']);
});

test('an error that is no failure of the disk stops the engine: our own promise is broken', async () => {
  const { store, published, say, fatal } = await scene();
  say('asker.ask-1', request('r1', 'echo'));
  const broken = new Error('booked twice');
  (await store.next()).fail(broken);
  assert.equal(await fatal, broken);
  assert.equal(published.length, 0);
});

/** A task that completed and was delivered, so that all that is left to write is a change that may wait. */
async function delivered({ store, say, engine }: Awaited<ReturnType<typeof scene>>): Promise<void> {
  say('asker.ask-1', request('r1', 'echo'));
  (await store.next()).succeed();
  await engine.idle();
  const [task] = [...engine.state.tasks.values()];
  const lease = task?.instances[0]?.lease;
  assert.ok(task && lease);
  const instanceId = task.instances[0]?.instanceId as never;
  say('donor.lend', {
    kind: 'result',
    lease: { instanceId, fencingToken: lease.fencingToken },
    used: { cpuMs: 0, wallMs: 0, memoryPeakMib: 0, gpuMs: 0 },
    outcome: { ok: true, output: { where: 'inline', bytes: new Uint8Array([1]) } },
  });
  (await store.next()).succeed();
  await engine.idle();
  say('asker.ask-1', { kind: 'deliveryAck', taskId: task.record.taskId });
  await engine.idle();
}

test('a change that promises nothing waits for the next commit, and not longer than a second', async () => {
  const here = await scene();
  await delivered(here);
  const { store, clock, engine } = here;
  assert.equal(store.commits.length, 0);
  clock.pass(1_000);
  const late = await store.next();
  assert.deepEqual(
    late.changes.map(({ change }) => change),
    ['taskDelivered'],
  );
  late.succeed();
  await engine.stop();
});

test('a change that promises nothing and could not be written goes with the next commit: memory says it already', async () => {
  const here = await scene();
  await delivered(here);
  const { store, clock, engine, say } = here;
  const full = new StoreError('full', 'no space', { hint: 'free some', retryable: true });
  clock.pass(1_000);
  (await store.next()).fail(full);
  await engine.idle();
  say('asker.ask-1', request('r2', 'echo'));
  const next = await store.next();
  assert.equal(next.changes[0]?.change, 'taskDelivered');
  next.succeed();
  await engine.stop();
});

test('a full disk does not keep an engine from stopping', async () => {
  const here = await scene();
  await delivered(here);
  const stopped = here.engine.stop();
  const full = new StoreError('full', 'no space', { hint: 'free some', retryable: true });
  (await here.store.next()).fail(full);
  await stopped;
});

test('a disk that goes on refusing is tried once a second, and not as fast as it can be read', async () => {
  const { store, clock, engine, say } = await scene();
  const full = new StoreError('full', 'no space', { hint: 'free some', retryable: true });
  say('asker.ask-1', request('r1', 'echo'));
  (await store.next()).fail(full);
  await engine.idle();
  say('asker.ask-1', request('r2', 'echo'));
  (await store.next()).fail(full);
  say('asker.ask-1', request('r3', 'echo'));
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(store.commits.length, 0);
  clock.pass(1_000);
  (await store.next()).succeed();
  await engine.idle();
  assert.equal(engine.state.tasks.size, 1);
  await engine.stop();
});
