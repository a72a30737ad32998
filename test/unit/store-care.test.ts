/** The care of the store: a log that cannot be folded in is tried again and told, a damaged store is told, one backup at a time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { BackupError } from '../../agent/backup-error.ts';
import type { CheckRecord, Clock, CopyProgress } from '../../agent/ports.ts';
import { StoreCare } from '../../agent/store-care.ts';

const FOLD_EVERY_MS = 60_000;
const NOW_WALL_MS = 1_795_000_000_000;

class HandClock implements Clock {
  nowMs = 0;
  readonly timers = new Set<{ readonly atMs: number; readonly callback: () => void }>();

  now(): { monoMs: number; wallMs: number } {
    return { monoMs: this.nowMs, wallMs: NOW_WALL_MS + this.nowMs };
  }

  setTimer(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.nowMs + delayMs, callback };
    this.timers.add(timer);
    return () => this.timers.delete(timer);
  }

  async pass(ms: number): Promise<void> {
    this.nowMs += ms;
    for (const timer of [...this.timers]) {
      if (timer.atMs > this.nowMs) continue;
      this.timers.delete(timer);
      timer.callback();
    }
    // What a callback began is done when its promises have settled.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function scene(about: { readonly last?: CheckRecord } = {}) {
  const clock = new HandClock();
  const said: { level: number; msg: string; times?: number; findings?: string[]; hint?: string }[] = [];
  const log = pino(
    { level: 'trace' },
    { write: (line: string) => void said.push(JSON.parse(line) as never) },
  );
  const store = {
    busy: false,
    folds: 0,
    last: about.last,
    found: [] as string[],
    copying: Promise.withResolvers<void>(),
    checkpoint() {
      store.folds += 1;
      return Promise.resolve({ busy: store.busy, walBytes: store.busy ? 4_096 * store.folds : 0 });
    },
    checkWhole() {
      const at = { wallMs: clock.now().wallMs, tookMs: 1 };
      store.last =
        store.found.length === 0 ? { state: 'ok', ...at } : { state: 'failed', ...at, findings: store.found };
      return Promise.resolve();
    },
    lastCheck: () => Promise.resolve(store.last),
    async backUp(file: string, signal: AbortSignal, report: (progress: CopyProgress) => void) {
      report({ pagesDone: 3, pagesTotal: 10 });
      signal.addEventListener('abort', () => store.copying.reject(new Error('stopped')));
      await store.copying.promise;
      return { file, sizeBytes: 40_960 };
    },
  };
  const care = new StoreCare({ store, clock, log, foldEveryMs: FOLD_EVERY_MS });
  return { care, clock, store, said };
}

const CHECKED: CheckRecord = { state: 'ok', wallMs: NOW_WALL_MS, tookMs: 5 };

test('the log is folded in at set times, and soon again where a reader was in the way', async () => {
  const { care, clock, store, said } = scene({ last: CHECKED });
  await care.start();
  await clock.pass(FOLD_EVERY_MS - 1);
  assert.equal(store.folds, 0);
  await clock.pass(1);
  assert.deepEqual(care.view().log, {
    bytes: 0,
    busyInARow: 0,
    busyTotal: 0,
    foldedWallMs: clock.now().wallMs,
  });

  store.busy = true;
  await clock.pass(FOLD_EVERY_MS);
  for (let times = 2; times <= 12; times += 1) await clock.pass(5_000);
  assert.equal(store.folds, 13);
  assert.equal(care.view().log.busyInARow, 12);
  assert.deepEqual(
    said.map(({ times }) => times),
    [3, 6, 12],
    'told, and not each time',
  );
  assert.match(said[0]?.hint ?? '', /sqlite3 shell/);

  store.busy = false;
  await clock.pass(5_000);
  assert.deepEqual(
    { ...care.view().log, foldedWallMs: 0 },
    { bytes: 0, busyInARow: 0, busyTotal: 12, foldedWallMs: 0 },
  );
  const { folds } = store;
  await clock.pass(5_000);
  assert.equal(store.folds, folds, 'at its set times again');
});

test('a disk that fails while the log is folded in does not end the care', async () => {
  const { care, clock, store, said } = scene({ last: CHECKED });
  store.checkpoint = () => Promise.reject(new Error('I/O error'));
  await care.start();
  await clock.pass(FOLD_EVERY_MS);
  assert.match(said[0]?.msg ?? '', /could not be folded in/);
  assert.equal(clock.timers.size, 1, 'it is tried again');
});

test('what a check finds is logged as an error with what to do, and shown until a check finds nothing', async () => {
  const { care, store, said } = scene({ last: CHECKED });
  await care.start();
  store.found = ['row 7 missing from index task_open'];
  await care.check();
  const [line] = said.filter(({ level }) => level === 50);
  assert.deepEqual(line?.findings, store.found);
  assert.match(line.hint ?? '', /plugpool restore/);
  const { state, findings, hint } = care.view().check;
  assert.deepEqual([state, findings], ['failed', store.found]);
  assert.match(hint ?? '', /plugpool restore/);
  store.found = [];
  await care.check();
  assert.deepEqual(care.view().check.findings, []);
});

test('damage that the run before met is told at the start', async () => {
  const last: CheckRecord = { state: 'suspect', wallMs: NOW_WALL_MS, findings: ['malformed'] };
  const { care, said } = scene({ last });
  await care.start();
  assert.equal(said[0]?.level, 50);
  assert.deepEqual(care.view().check.findings, ['malformed']);
});

test('a store that was not checked for a day is checked when the start is through', async () => {
  const { care, clock, store } = scene({ last: { ...CHECKED, wallMs: NOW_WALL_MS - 27 * 3_600_000 } });
  await care.start();
  await clock.pass(10 * 60_000);
  assert.deepEqual(store.last, { state: 'ok', wallMs: clock.now().wallMs, tookMs: 1 });
});

test('two checks at once are one', async () => {
  const { care, store } = scene({ last: CHECKED });
  let checks = 0;
  const check = store.checkWhole.bind(store);
  store.checkWhole = () => {
    checks += 1;
    return check();
  };
  await care.start();
  await Promise.all([care.check(), care.check()]);
  assert.equal(checks, 1);
});

test('one backup at a time, seen while it runs and remembered when it is made', async () => {
  const { care, store } = scene({ last: CHECKED });
  await care.start();
  const first = care.backUp('/mnt/a.db');
  assert.deepEqual(care.view().backup.running, { file: '/mnt/a.db', pagesDone: 3, pagesTotal: 10 });
  await assert.rejects(
    care.backUp('/mnt/b.db'),
    (error: unknown) => error instanceof BackupError && error.code === 'backup_running',
  );
  store.copying.resolve();
  await first;
  assert.deepEqual(care.view().backup, {
    running: null,
    last: { file: '/mnt/a.db', sizeBytes: 40_960, wallMs: NOW_WALL_MS },
  });
});

test('stopping ends a backup that is under way, and waits for it', async () => {
  const { care, clock } = scene({ last: CHECKED });
  await care.start();
  const made = care.backUp('/mnt/a.db');
  await Promise.all([assert.rejects(made, /stopped/), care.stop()]);
  assert.equal(care.view().backup.running, null);
  assert.equal(clock.timers.size, 0, 'nothing is set to begin');
});
