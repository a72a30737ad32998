/**
 * `npm run demo`: a pile, two vehicles that lend, three that ask; real tasks, one donor unplugged in the middle of one. Exits
 * with 0 only if every output is the expected one and the ledger balances. With `--json` standard output is one document.
 */
import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { connectRequester, type Requester } from '@plugpool/vehicle-client';
import { LiveView } from './demo/live-view.ts';
import { DONORS, writeSessions } from './demo/sessions-file.ts';
import { printSummary, type Ledger, type Summary } from './demo/summary.ts';
import {
  addExamples,
  ASKERS,
  FIRST_WISHES,
  LAST_WISHES,
  LONG_WISHES,
  Workload,
  type Asker,
} from './demo/workload.ts';
import { Stage } from './stage.ts';

/** Late enough that the donors lend by then on a slow machine, early enough for a demo of half a minute. */
const UNPLUG_AFTER_MS = 14_000;
/** The long tasks are asked for so much before: it takes longer than that to run one. */
const LONG_BEFORE_MS = 2_500;
const BACK_AFTER_MS = 25_000;
/** Above this share of the machine in use by others, a donor that lends half of it would lend nothing. */
const BUSY_SHARE = 0.25;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      // An empty directory that keeps the logs and the store for whoever wants to look at them afterwards.
      dir: { type: 'string' },
    },
  });
  const out = values.json ? process.stderr : process.stdout;
  const stage = new Stage(values.dir === undefined ? {} : { dir: values.dir });
  const stop = (): void => void stage.stop().then(() => process.exit(130));
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    const summary = await play(stage, out);
    if (values.json) process.stdout.write(`${JSON.stringify(summary)}\n`);
    else printSummary(summary, out);
    return summary.ok ? 0 : 1;
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
    await stage.stop();
  }
}

async function play(stage: Stage, out: NodeJS.WriteStream): Promise<Summary> {
  const startWallMs = Date.now();
  const plot = { startWallMs, unplugAfterMs: UNPLUG_AFTER_MS, backAfterMs: BACK_AFTER_MS };
  stage.configureAgent({
    firmware: [writeSessions(stage.dir, plot)],
    logLevel: 'info',
    // So short that what runs on the donor which is unplugged moves, however little of it is left.
    policy: { revokeGrace: '200ms' },
  });
  const view = new LiveView(stage, out);
  view.say('the pile’s agent starts: MQTT broker, SQLite, replayed firmware');
  await stage.startAgent();
  const examples = await addExamples(stage);
  view.say(`${examples.length} algorithms are in its catalogue`);
  await startDonors(stage, view);
  await untilTheyLend(stage, startWallMs);
  const requesters = await connectRequesters(stage);
  view.start();
  const workload = new Workload(examples, requesters);
  const first = workload.ask(FIRST_WISHES);
  await delay(Math.max(0, startWallMs + UNPLUG_AFTER_MS - LONG_BEFORE_MS - Date.now()));
  const long = workload.ask(LONG_WISHES);
  await delay(Math.max(0, startWallMs + UNPLUG_AFTER_MS + 1_000 - Date.now()));
  await Promise.all([first, long, workload.ask(LAST_WISHES)]);
  await view.stop();
  const summary = await summarise(stage, workload);
  for (const requester of requesters.values()) await requester.close();
  return summary;
}

/** Each lends half of this machine; what the demo's own processes use counts as its own. */
async function startDonors(stage: Stage, view: LiveView): Promise<void> {
  const sandbox = worksBwrap() ? 'bwrap' : 'process';
  view.say(
    sandbox === 'bwrap'
      ? 'two vehicles start to lend; strangers’ programs run inside bwrap'
      : 'two vehicles start to lend; bwrap is missing here, so their programs run in plain child processes (sandbox: process)',
  );
  const busy = await busyShare();
  if (busy > BUSY_SHARE)
    view.say(
      `other programs use ${Math.round(busy * 100)} % of this machine: here their load counts as the demo’s own`,
    );
  for (const vehicleId of DONORS)
    stage.startDonor(vehicleId, {
      sandbox,
      runtimes: ['wasm', 'onnx'],
      policy: { cpuPercent: 50, memoryPercent: 50 },
      probe: { ownRootPids: [busy > BUSY_SHARE ? 1 : process.pid] },
    });
}

/** Share of all cores in use over half a second, while nothing of the demo works. */
async function busyShare(): Promise<number> {
  const before = cpus();
  await delay(500);
  let [idleMs, allMs] = [0, 0];
  for (const [index, { times }] of cpus().entries()) {
    const earlier = before[index]?.times;
    if (earlier === undefined) continue;
    idleMs += times.idle - earlier.idle;
    for (const kind of ['user', 'nice', 'sys', 'idle', 'irq'] as const) allMs += times[kind] - earlier[kind];
  }
  return allMs <= 0 ? 0 : 1 - idleMs / allMs;
}

function worksBwrap(): boolean {
  const args = ['--ro-bind', '/', '/', '--unshare-all', '--', '/bin/true'];
  return spawnSync('bwrap', args, { stdio: 'ignore' }).status === 0;
}

async function untilTheyLend(stage: Stage, startWallMs: number): Promise<void> {
  const leftMs = startWallMs + UNPLUG_AFTER_MS - Date.now();
  await stage.until(
    'the donors to lend',
    async () => {
      const { donorsEligible } = (await stage.ask('status')) as { donorsEligible: number };
      return donorsEligible === DONORS.length;
    },
    Math.max(10_000, leftMs),
  );
}

async function connectRequesters(stage: Stage): Promise<ReadonlyMap<Asker, Requester>> {
  const requesters = new Map<Asker, Requester>();
  for (const vehicleId of ASKERS) {
    const dataDir = stage.vehicleDir(vehicleId);
    requesters.set(vehicleId, await connectRequester({ agent: stage.url, vehicleId, dataDir }));
  }
  return requesters;
}

/** How a try ends whose donor went away. */
const LOST: ReadonlySet<string> = new Set(['departed', 'expired']);

async function summarise(stage: Stage, workload: Workload): Promise<Summary> {
  const ledger = (await stage.operator(['ledger'])) as Ledger;
  const donors = ((await stage.ask('vehicles')) as Summary['donors'][number][]).filter(({ vehicleId }) =>
    DONORS.includes(vehicleId as (typeof DONORS)[number]),
  );
  let moved = 0;
  let confirmed = 0;
  for (const { id } of workload.rows) {
    const { history } = (await stage.ask('task', { taskId: id })) as { history: { outcome: string }[] };
    if (history.some(({ outcome }) => LOST.has(outcome))) moved += 1;
    if (history.filter(({ outcome }) => outcome === 'completed').length > 1) confirmed += 1;
  }
  const ok = workload.rows.every((row) => row.outputMatches) && ledger.balanced;
  return {
    ok: ok && workload.rows.length === workload.wished,
    tasks: workload.rows,
    donors,
    ledger,
    moved,
    confirmed,
  };
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`the demo failed: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
