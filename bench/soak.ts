/**
 * A pile with 500 vehicles for ten minutes: 20 reconnect each second, 64 tasks are under way. Errors, latency beside that of 50 vehicles
 * in the same run, memory and file handles of the agent as they move.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { Stage } from '../scripts/stage.ts';
import { addEcho, charge, untilLending } from './echo-pile.ts';
import { numbersFrom } from './options.ts';
import { memoryOf } from './proc.ts';
import { slopeOf, type Sample } from './soak/slope.ts';

const FEW = 50;
const RECONNECTS_PER_SEC = 20;
const IN_FLIGHT = 64;
const SAMPLE_EVERY_MS = 2_000;
const CONNECT_MS_MAX = 120_000;
const TEN_MINUTES_MS = 600_000;
const MINUTE_MS = 60_000;
/**
 * Twice as many as closed ones are remembered: until their maps have their size memory grows, and then it must not. V8 compiles anew
 * for a minute or two what so many more connections need.
 */
const WARM_TASKS = 220_000;

interface Stretch {
  readonly tasks: number;
  readonly tasksPerSec: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly errors: number;
  readonly firstError: string | null;
}

interface SoakFigures {
  readonly vehicles: number;
  readonly minutes: number;
  readonly reconnections: number;
  readonly connectionErrors: number;
  readonly firstConnectionError: string | null;
  /** The same with a tenth of the vehicles, before and after. */
  readonly few: readonly Stretch[];
  readonly many: Stretch;
  readonly p99Ratio: number;
  readonly memory: { readonly firstMib: number; readonly lastMib: number; readonly slopeMibPer10Min: number };
  readonly handles: { readonly first: number; readonly last: number; readonly most: number };
}

/** A program that answers each line with a line. */
class Answering {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(program: string, args: readonly string[]) {
    const file = path.join(import.meta.dirname, 'soak', program);
    this.#child = spawn(process.execPath, [file, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
    if (this.#child.stdout === null) throw new Error(`${program} has no output`);
    this.#lines = createInterface(this.#child.stdout)[Symbol.asyncIterator]();
  }

  async nextLine(): Promise<string> {
    const { value, done } = (await this.#lines.next()) as IteratorResult<string, undefined>;
    if (done === true) throw new Error('a program of the bench ended');
    return value;
  }

  async ask<Answer>(question: object): Promise<Answer> {
    this.#child.stdin?.write(`${JSON.stringify(question)}\n`);
    return JSON.parse(await this.nextLine()) as Answer;
  }

  async end(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.stdin?.end('end\n');
    await Promise.race([ended, delay(5_000)]);
    this.#child.kill('SIGKILL');
  }
}

export async function run(args: readonly string[], json: boolean): Promise<void> {
  const {
    minutes,
    vehicles,
    'warm-tasks': warmTasks,
  } = numbersFrom(args, { minutes: 10, vehicles: 500, 'warm-tasks': WARM_TASKS });
  const stage = new Stage({ agentConfig: { logLevel: 'warn' } });
  const started: Answering[] = [];
  try {
    await stage.startAgent();
    await addEcho(stage);
    await charge(
      stage,
      Array.from({ length: vehicles }, (_, index) => `vehicle-${index + 1}`),
    );
    const fleet = new Answering('light-vehicles.ts', [stage.url, String(vehicles)]);
    started.push(fleet);
    await become(fleet, FEW, (RECONNECTS_PER_SEC * FEW) / vehicles);
    await untilLending(stage, FEW, CONNECT_MS_MAX);
    const requester = new Answering('steady-requester.ts', [
      stage.url,
      stage.vehicleDir('requester'),
      String(IN_FLIGHT),
    ]);
    started.push(requester);
    await requester.nextLine();
    const figures = await soak(stage, fleet, requester, { minutes, vehicles, warmTasks });
    if (json) process.stdout.write(`${JSON.stringify(figures)}\n`);
    else print(figures);
  } finally {
    for (const each of started.toReversed()) await each.end();
    await stage.stop();
  }
}

interface FleetAnswer {
  readonly reconnections: number;
  readonly errors: number;
  readonly first: string | null;
}

function become(fleet: Answering, connected: number, reconnectsPerSec: number): Promise<FleetAnswer> {
  return fleet.ask({ connected, reconnectsPerSec });
}

async function soak(
  stage: Stage,
  fleet: Answering,
  requester: Answering,
  {
    minutes,
    vehicles,
    warmTasks,
  }: { readonly minutes: number; readonly vehicles: number; readonly warmTasks: number },
): Promise<SoakFigures> {
  const stretch = (): Promise<Stretch> => requester.ask({});
  const fewReconnects = (RECONNECTS_PER_SEC * FEW) / vehicles;
  const fewMs = (minutes * MINUTE_MS) / 10;
  await warmUp(requester);
  await delay(fewMs);
  const before = await stretch();
  await become(fleet, vehicles, RECONNECTS_PER_SEC);
  await untilLending(stage, vehicles, CONNECT_MS_MAX).catch(() => undefined);
  await Promise.all([warmUp(requester, warmTasks), delay(2 * fewMs)]);
  const samples = await sample(stage.agentPid, minutes * MINUTE_MS);
  const many = await stretch();
  const { reconnections, errors, first } = await become(fleet, FEW, fewReconnects);
  await warmUp(requester);
  await delay(fewMs);
  const few = [before, await stretch()];
  const fewP99Ms = few.reduce((sum, { p99Ms }) => sum + p99Ms, 0) / few.length;
  return {
    vehicles,
    minutes,
    reconnections,
    connectionErrors: errors,
    firstConnectionError: first,
    few,
    many,
    p99Ratio: many.p99Ms / fewP99Ms,
    ...levels(samples),
  };
}

/** A stretch that is not counted: a process that has compiled little yet, and what is remembered of closed tasks. */
async function warmUp(requester: Answering, tasks = 5_000): Promise<void> {
  for (let done = 0; done < tasks; done += (await requester.ask<Stretch>({})).tasks) await delay(1_000);
  await requester.ask({});
}

interface Level extends Sample {
  readonly handles: number;
}

/**
 * Resident memory: the share of Node's own program that a process is charged for (PSS) moves by 10 MiB as other programs on Node
 * come and go.
 */
async function sample(pid: number, forMs: number): Promise<Level[]> {
  const beganMs = performance.now();
  const samples: Level[] = [];
  while (performance.now() - beganMs < forMs) {
    await delay(SAMPLE_EVERY_MS);
    samples.push({
      atMs: performance.now() - beganMs,
      value: memoryOf(pid).rssMib,
      handles: readdirSync(`/proc/${pid}/fd`).length,
    });
  }
  return samples;
}

function levels(samples: readonly Level[]): Pick<SoakFigures, 'memory' | 'handles'> {
  const counts = samples.map(({ handles }) => handles);
  return {
    memory: {
      firstMib: samples[0]?.value ?? NaN,
      lastMib: samples.at(-1)?.value ?? NaN,
      slopeMibPer10Min: slopeOf(samples) * TEN_MINUTES_MS,
    },
    handles: { first: counts[0] ?? NaN, last: counts.at(-1) ?? NaN, most: Math.max(...counts) },
  };
}

function print(figures: SoakFigures): void {
  const { few, many, memory, handles } = figures;
  const line = ({ tasks, tasksPerSec, p50Ms, p99Ms, errors, firstError }: Stretch): string =>
    `${tasks} tasks, ${tasksPerSec.toFixed(0)}/s, p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms, ` +
    `${errors} errors${firstError === null ? '' : ` (${firstError})`}`;
  process.stdout.write(
    `${few.map((each) => `${FEW} vehicles: ${line(each)}\n`).join('')}` +
      `${figures.vehicles} vehicles, ${figures.minutes} min: ${line(many)}; p99 ${figures.p99Ratio.toFixed(2)} times as long\n` +
      `${figures.reconnections} reconnections, ${figures.connectionErrors} errors` +
      `${figures.firstConnectionError === null ? '' : ` (${figures.firstConnectionError})`}\n` +
      `memory ${memory.firstMib.toFixed(1)} to ${memory.lastMib.toFixed(1)} MiB resident, ${memory.slopeMibPer10Min.toFixed(2)} MiB in 10 min\n` +
      `file handles ${handles.first} to ${handles.last}, ${handles.most} at most\n`,
  );
}
