/** One run of a simulated world from one seed: faults for a while, then quiet; what was promised is checked all along and at the end. */
import type { TaskHistory } from '../../agent/core/records.ts';
import { Chance } from './chance.ts';
import { drawFaults } from './faults.ts';
import { checkHistory } from './history.ts';
import type { LawWatcher } from './law-watcher.ts';
import type { KeepingDisk } from './flaky-store.ts';
import { agingDisk, modelDisk } from './model-disk.ts';
import { sqliteDisk, type SqliteDisk } from './sqlite-disk.ts';
import { PROGRAMS } from './programs.ts';
import type { SimulatedDisk } from './simulated-disk.ts';
import { TEST_SETTINGS } from './simulated-pile.ts';
import type { Tariff } from '../../agent/core/ledger/tariffs.ts';
import type { Settings } from '../../agent/core/settings.ts';
import { DEFAULT_POWER, type PowerSettings } from '../../agent/core/power/power-settings.ts';
import { drawMetering } from './simulated-meter.ts';
import { CAR_DRAWS_MW } from './station.ts';
import { World } from './world.ts';

export interface Run {
  readonly seed: number;
  readonly stations?: number;
  readonly vehicles?: number;
  /** With faults; the quiet time comes after it. */
  readonly hours?: number;
  readonly fullCheckEvery?: number;
  /** On the production store, in a temporary folder. */
  readonly sqlite?: boolean;
}

export interface Outcome {
  readonly seed: number;
  readonly violations: readonly string[];
  /** What the run did, so that one that does nothing is seen. */
  readonly counts: Counts;
}

export interface Counts {
  readonly asked: number;
  readonly accepted: number;
  readonly completed: number;
  readonly attempts: number;
  readonly steps: number;
  readonly deaths: number;
  readonly messages: number;
  readonly simulatedMs: number;
}

/** The longest deadline of any request, and what is owed after it. */
const QUIET_MS = 1_200_000 + 120_000;
const HOURS_DEFAULT = 0.15;
const VEHICLES_DEFAULT = 5;
const TASKS_PER_VEHICLE_HOUR = 60;

export async function simulate(run: Run): Promise<Outcome> {
  const chance = new Chance(run.seed ^ 0x5eed);
  const faults = drawFaults(chance);
  const { hours = HOURS_DEFAULT, stations = 1, vehicles = VEHICLES_DEFAULT } = run;
  const sqlites: SqliteDisk[] = [];
  const knowsAge = chance.is(500);
  const diskOf = (watcher: LawWatcher): KeepingDisk => {
    if (run.sqlite !== true) return knowsAge ? agingDisk(watcher) : modelDisk(watcher);
    const disk = sqliteDisk(watcher);
    sqlites.push(disk);
    return disk;
  };
  const meterChance = new Chance(run.seed ^ 0x3e7e4);
  const metering = drawMetering(meterChance);
  const world = new World({
    seed: run.seed,
    stations,
    vehicles,
    faults,
    settings: { ...drawSettings(chance), ...(metering && drawEnergy(meterChance)) },
    metering,
    tasksPerVehicleHour: TASKS_PER_VEHICLE_HOUR,
    asBytes: chance.is(125),
    fullCheckEvery: run.fullCheckEvery ?? 25,
    programs: PROGRAMS,
    withHistory: true,
    sampleEveryMs: 5_000,
    disk: diskOf,
  });
  world.start();
  await world.settle();
  await world.runUntil(hours * 3_600_000);
  world.calm();
  await world.settle();
  const calmMs = world.agenda.nowMs;
  await world.runUntil(calmMs + QUIET_MS, () => isAllQuiet(world));
  await world.runUntil(world.agenda.nowMs + 30_000);
  check(world);
  world.stop();
  for (const sqlite of sqlites) {
    try {
      if (world.violations.length === 0) sqlite.compare();
    } catch (error) {
      world.violated((error as Error).message);
    } finally {
      sqlite.remove();
    }
  }
  return { seed: run.seed, violations: world.violations, counts: countsOf(world) };
}

/** By day and by night. */
const TARIFFS: readonly Tariff[] = [
  {
    name: 'day',
    currency: 'EUR',
    window: { cron: '0 6 * * *', timeZone: 'UTC', durationMs: 16 * 3_600_000 },
    cpuHourMicros: 2_000_000,
    gpuHourMicros: 30_000_000,
    operatorShareMillis: 150,
    energyKwhMicros: 40_000_000,
  },
  {
    name: 'night',
    currency: 'CHF',
    cpuHourMicros: 1_000_001,
    gpuHourMicros: 20_000_000,
    operatorShareMillis: 0,
    energyKwhMicros: 25_000_000,
  },
];

/** Short leases and graces beside long ones, so that every order of events comes up. */
function drawSettings(chance: Chance): Settings {
  return {
    ...TEST_SETTINGS,
    leaseMs: chance.pick([9_000, 15_000, 30_000]),
    capacityStaleMs: chance.pick([30_000, 60_000]),
    unverifiedGraceMs: chance.pick([5_000, 30_000]),
    revokeGraceMs: chance.pick([200, 2_000]),
    checkpoints: chance.is(600),
    checkpointGraceMs: chance.pick([1_000, 10_000]),
    progressMinMs: chance.pick([1_000, 120_000]),
    restMs: chance.pick([1_000, 10_000]),
    subPools: chance.is(700),
    ageBoundMs: chance.pick([5_000, 60_000]),
    preemptAfterMs: chance.pick([4_000, 60_000]),
    // Wall clocks are set by days here; what is forgotten cannot be held against what was told.
    retentionMs: 3650 * 86_400_000,
    tariffs: chance.is(500) ? TARIFFS : [],
    ...(chance.is(300) ? { overstayAfterMs: 60_000 } : {}),
    credits: chance.pick(['off', 'keep', 'send'] as const),
    ...(chance.is(200) ? { power: { ...DEFAULT_POWER, ...drawLimit(chance) } } : {}),
  };
}

/** More than a run takes, and less: what a meter leaves must matter. */
function drawEnergy(chance: Chance): Pick<Settings, 'computingPowerMaxMw'> {
  return { computingPowerMaxMw: chance.pick([2_000_000, 500_000, 100_000]) };
}

/** About as much as some of the cars draw, and a few cores. */
function drawLimit(chance: Chance): Partial<PowerSettings> {
  const limitMw = chance.whole(2, 5) * CAR_DRAWS_MW + chance.pick([4_000, 20_000, 100_000]);
  return { caps: true, stationLimitMw: limitMw, connectorMaxMw: CAR_DRAWS_MW };
}

function isAllQuiet(world: World): boolean {
  const isAnswered = world.requesters.every(({ openCount }) => openCount === 0);
  return isAnswered && world.stations.every(({ agent }) => agent.isUp && agent.state.tasks.size === 0);
}

function check(world: World): void {
  if (world.violations.length > 0) return;
  for (const requester of world.requesters)
    if (requester.openCount > 0)
      world.violated(`law 8: ${requester.clientId} has ${requester.openCount} requests without an end`);
  for (const [index, station] of world.stations.entries()) {
    const watcher = world.watchers[index];
    if (watcher === undefined || !station.agent.isUp)
      world.violated('the agent is not up although nothing fails');
    else {
      watcher.checkAll(station.agent);
      checkTold(world, index, watcher);
    }
  }
}

function checkTold(world: World, index: number, { disk }: LawWatcher): void {
  const station = world.stationOf(index);
  const there = world.requesters.filter(
    (requester, at) => requester.isConnected && world.stationOf(at) === station,
  );
  const found = checkHistory({
    history: world.histories.get(station) ?? [],
    store: { tasks: tasksOn(disk) },
    isOver: true,
    present: new Set(there.map(({ clientId }) => clientId)),
  });
  for (const { promise, detail, atMs } of found)
    world.violated(`history: ${promise}: ${detail}${atMs === undefined ? '' : ` (${Math.round(atMs)} ms)`}`);
}

function tasksOn(disk: SimulatedDisk): TaskHistory[] {
  return [...disk.tasks.keys()].flatMap((taskId) => disk.history(taskId) ?? []);
}

function countsOf(world: World): Counts {
  const disks = world.watchers.map(({ disk }) => disk);
  const sum = (of: (disk: SimulatedDisk) => number): number =>
    disks.reduce((total, disk) => total + of(disk), 0);
  return {
    asked: world.requesters.reduce((total, { askedCount }) => total + askedCount, 0),
    accepted: sum(({ tasks }) => tasks.size),
    completed: sum(({ tasks }) => [...tasks.values()].filter(({ end }) => end?.state === 'completed').length),
    attempts: sum(({ attempts }) => [...attempts.values()].reduce((total, list) => total + list.length, 0)),
    steps: world.watchers.reduce((total, { steps }) => total + steps, 0),
    deaths: world.stations.reduce((total, { agent }) => total + agent.deaths, 0),
    messages: [...world.histories.values()].reduce((total, { length }) => total + length, 0),
    simulatedMs: world.agenda.nowMs,
  };
}
