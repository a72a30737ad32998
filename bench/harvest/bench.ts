/**
 * How much of the idle computing power of real charging sessions each scheduler harvests, and how much work it loses: ours, by
 * the production `step`, beside the known schemes and beside the clairvoyant, which is ours told every true departure.
 */
import { writeFileSync } from 'node:fs';
import type { SessionRow } from '@plugpool/firmware-bridge';
import { DEFAULT_DWELL } from '../../agent/core/dwell/dwell-model.ts';
import type { Settings } from '../../agent/core/settings.ts';
import { GENERATE_DEFAULTS, generateSessions } from '../sessions/generate-sessions.ts';
import { readStays } from '../sessions/read-stays.ts';
import { GENERATE_TASKS_DEFAULTS, generateTasks } from '../tasks/generate-tasks.ts';
import { readTasks, type TaskRow } from '../tasks/read-tasks.ts';
import { makeBaselines } from './baselines/rules.ts';
import { curvePoints, type CurvePoint } from './curve.ts';
import { curveSvg } from './curve-svg.ts';
import { harvestOptions, type HarvestOptions } from './options.ts';
import { PilePolicy } from './pile-policy.ts';
import type { Policy } from './policy.ts';
import { print } from './print.ts';
import { makeWindow, type SceneOptions, type Window } from './scene.ts';
import { figuresOf, type Figures, type Tally } from './tally.ts';
import { runWorld } from './world.ts';

interface PolicyRun extends Figures {
  readonly policy: string;
}

export interface Measured {
  readonly policy: string;
  readonly tally: Tally;
  readonly elapsedMs: number;
}

/** From starting wherever there is room to starting almost only what is sure to end. */
const CURVE_BARS = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98];

interface CurveRun {
  readonly bar: number;
  readonly run: Measured;
}

export interface Harvest {
  readonly window: Window;
  readonly clairvoyant: Measured;
  readonly runs: readonly Measured[];
  /** Empty where it was not asked for. */
  readonly curve: readonly CurveRun[];
}

export async function run(args: readonly string[], json: boolean): Promise<void> {
  const options = harvestOptions(args);
  const harvest = await measureAll(options);
  if (options.svgFile !== undefined) writeFileSync(options.svgFile, curveSvg(curvePoints(harvest)));
  if (json) process.stdout.write(`${JSON.stringify(documentOf(harvest))}\n`);
  else print(options, harvest);
}

export async function measureAll(options: HarvestOptions): Promise<Harvest> {
  const { scene } = options;
  const window = await windowOf(options);
  const told = ours('clairvoyant', window, scene, { dwell: { ...DEFAULT_DWELL, mode: 'told' } });
  const clairvoyant = measure(window, scene, told, true);
  const runs = policiesOf(window, options).map((policy) => measure(window, scene, policy, false));
  const curve = options.curve ? measureCurve(window, scene) : [];
  return { window, clairvoyant, runs, curve };
}

async function windowOf(options: HarvestOptions): Promise<Window> {
  return makeWindow(await sessionsOf(options), await tasksOf(options), options.scene);
}

async function sessionsOf({ sessionsFile, profile, scene }: HarvestOptions): Promise<readonly SessionRow[]> {
  if (sessionsFile === undefined) return generateSessions({ ...GENERATE_DEFAULTS, profile });
  const { rows, repairs } = await readStays(sessionsFile, scene.powerKw);
  tellRepairs('sessions', Object.entries(repairs));
  return rows;
}

async function tasksOf({ tasksFile }: HarvestOptions): Promise<readonly TaskRow[]> {
  if (tasksFile === undefined) return generateTasks(GENERATE_TASKS_DEFAULTS);
  const { rows, repairs } = await readTasks(tasksFile);
  tellRepairs('tasks', [...repairs]);
  return rows;
}

function tellRepairs(file: string, repairs: readonly (readonly [what: string, count: number])[]): void {
  for (const [what, count] of repairs) if (count > 0) process.stderr.write(`${file}: ${count} × ${what}\n`);
}

function ours(
  name: string,
  { tasks, startMs }: Window,
  { whole, payers }: SceneOptions,
  settings: Partial<Settings> = {},
): Policy {
  return new PilePolicy(name, { whole, tasks, startMs, payers, settings });
}

function barSettings(bar: number | undefined): Partial<Settings> {
  if (bar === undefined) return {};
  const millis = Math.round(bar * 1000);
  return { stayBarMillis: [millis, millis, millis, millis] };
}

function policiesOf(window: Window, { scene, only, bar }: HarvestOptions): Policy[] {
  const settings = barSettings(bar);
  const policies = [
    ours('plugpool', window, scene, settings),
    ours('plugpool-no-sub-pools', window, scene, { ...settings, subPools: false }),
    ...makeBaselines(),
  ];
  return policies.filter(({ name }) => only === undefined || only.includes(name));
}

/** Ours again at other bars: what more patience gains in badput, and costs in goodput. */
function measureCurve(window: Window, scene: SceneOptions): CurveRun[] {
  return CURVE_BARS.map((bar) => {
    const policy = ours(`bar ${bar}`, window, scene, barSettings(bar));
    return { bar, run: measure(window, scene, policy, false) };
  });
}

function measure(window: Window, scene: SceneOptions, policy: Policy, told: boolean): Measured {
  const { stays, tasks, past } = window;
  const startedMs = performance.now();
  policy.learn(past);
  const tally = runWorld({ stays, tasks, whole: scene.whole, told }, policy);
  return { policy: policy.name, tally, elapsedMs: performance.now() - startedMs };
}

interface HarvestDocument {
  readonly sessions: number;
  readonly tasks: number;
  readonly load: number;
  readonly policies: readonly PolicyRun[];
  /** With `--curve` alone. */
  readonly curve?: readonly CurvePoint[];
}

export function documentOf(harvest: Harvest): HarvestDocument {
  const { window, runs, clairvoyant, curve } = harvest;
  return {
    sessions: window.stays.length,
    tasks: window.tasks.length,
    load: window.load,
    policies: runs.map(({ policy, tally }) => ({ policy, ...figuresOf(tally, clairvoyant.tally) })),
    ...(curve.length === 0 ? {} : { curve: curvePoints(harvest) }),
  };
}
