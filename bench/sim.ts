/**
 * How many station-hours a second of one core the simulator goes through: twenty vehicles, leases of 30 s, twenty tasks an hour a
 * vehicle, the laws checked all along; nothing fails, vehicles come and go as they do.
 */
import { NO_FAULTS } from '../test/simulation/faults.ts';
import { modelDisk } from '../test/simulation/model-disk.ts';
import { PROGRAMS } from '../test/simulation/programs.ts';
import { TEST_SETTINGS } from '../test/simulation/simulated-pile.ts';
import { World } from '../test/simulation/world.ts';
import { numbersFrom } from './options.ts';

const TASKS_PER_VEHICLE_HOUR = 20;
const STAY_HOURS = 4;
/** A capacity report is as rare as the pile takes it to be fresh, and the machine is looked at as rarely. */
const CAPACITY_STALE_MS = 1_800_000;
const SAMPLE_EVERY_MS = 600_000;
/** Every law at every so many steps; those of what a step changed at each. */
const FULL_CHECK_EVERY = 200_000;
/** Of 1 to 18 s on the reference core. */
const ASKED_FOR = ['quick', 'either'];

interface SimRun {
  readonly seed: number;
  readonly stationHours: number;
  readonly tasks: number;
  readonly steps: number;
  readonly cpuSeconds: number;
  readonly stationHoursPerCpuSecond: number;
  readonly cpuUsPerTask: number;
}

export async function run(args: readonly string[], json: boolean): Promise<void> {
  const { hours, vehicles, seeds } = numbersFrom(args, { hours: 100, vehicles: 20, seeds: 3 });
  // The first hours are those in which the compiler learns.
  await measure(0, Math.min(hours, 20), vehicles);
  const runs: SimRun[] = [];
  for (let seed = 1; seed <= seeds; seed += 1) runs.push(await measure(seed, hours, vehicles));
  if (json) process.stdout.write(`${JSON.stringify({ runs })}\n`);
  else for (const each of runs) print(each);
}

async function measure(seed: number, hours: number, vehicles: number): Promise<SimRun> {
  const world = new World({
    seed,
    stations: 1,
    vehicles,
    faults: { ...NO_FAULTS, leavesEveryMs: (STAY_HOURS * 3_600_000) / vehicles },
    settings: { ...TEST_SETTINGS, leaseMs: 30_000, capacityStaleMs: CAPACITY_STALE_MS },
    tasksPerVehicleHour: TASKS_PER_VEHICLE_HOUR,
    asBytes: false,
    fullCheckEvery: FULL_CHECK_EVERY,
    programs: PROGRAMS.filter(({ id }) => ASKED_FOR.includes(id)),
    withHistory: false,
    sampleEveryMs: SAMPLE_EVERY_MS,
    disk: modelDisk,
  });
  const start = process.cpuUsage();
  world.start();
  await world.settle();
  await world.runUntil(hours * 3_600_000);
  const { user, system } = process.cpuUsage(start);
  world.stop();
  if (world.violations.length > 0) throw new Error(world.violations[0]);
  const cpuSeconds = (user + system) / 1e6;
  const [watcher] = world.watchers;
  const tasks = watcher?.disk.tasks.size ?? 0;
  return {
    seed,
    stationHours: hours,
    tasks,
    steps: watcher?.steps ?? 0,
    cpuSeconds,
    stationHoursPerCpuSecond: hours / cpuSeconds,
    cpuUsPerTask: (cpuSeconds * 1e6) / tasks,
  };
}

function print({
  seed,
  stationHours,
  tasks,
  steps,
  cpuSeconds,
  stationHoursPerCpuSecond,
  cpuUsPerTask,
}: SimRun): void {
  process.stdout.write(
    `seed ${seed}: ${stationHours} station-hours, ${tasks} tasks, ${steps} steps in ${cpuSeconds.toFixed(2)} s of CPU: ` +
      `${stationHoursPerCpuSecond.toFixed(1)} station-hours a second, ${cpuUsPerTask.toFixed(0)} µs a task\n`,
  );
}
