/**
 * How good the matcher's decisions are: random small scenes decided by the production `step`, beside the exact optimum. Each
 * scene has up to 12 donors and 12 requests, of which all arrive while one commit is under way.
 */
import { numbersFrom, percentile } from '../options.ts';
import { decide } from './decided.ts';
import { infeasibleAmong, placesOf, valueOf, worthOf } from './fits.ts';
import { sceneOf, type Scene } from './instance.ts';
import { loadSolver, optimumOf, type Solver } from './optimum.ts';

type Worth = readonly [number, number, number, number];

export interface Judged {
  readonly seed: number;
  /** Of the optimum's worth: the mean over the priorities that the optimum serves, each counted as 1 at most. */
  readonly share: number;
  /** The same for each priority; undefined where the optimum serves none of it. */
  readonly shares: readonly (number | undefined)[];
  /** Not everything that could run alone can run together. */
  readonly isContested: boolean;
  /** A higher priority was given up for a lower one, or the optimum is none. */
  readonly isAboveOptimum: boolean;
  readonly infeasible: number;
  readonly stepMs: number;
}

/** Undefined where nothing can be placed at all. */
export function judge(seed: number, solver: Solver): Judged | undefined {
  const scene = sceneOf(seed);
  const optimum = optimumOf(scene, solver);
  const { placements, stepMs } = decide(scene);
  const infeasible = infeasibleAmong(placements, scene).length;
  if (infeasible === 0 && optimum.every((worth) => worth === 0)) return undefined;
  const ours = worthOf(placements);
  const shares = optimum.map((best, priority) =>
    best === 0 ? undefined : Math.min(1, (ours[priority] ?? 0) / best),
  );
  return {
    seed,
    share: meanOf(shares.filter((share) => share !== undefined)),
    shares,
    isContested: sum(optimum) < sum(alone(scene)) * (1 - ROUNDING),
    isAboveOptimum: isAbove(ours, optimum),
    infeasible,
    stepMs,
  };
}

const ROUNDING = 1e-6;

/** What would be placed were each request alone. */
function alone(scene: Scene): number[] {
  return scene.requests.map((request) =>
    placesOf(request, scene).length === 0 ? 0 : valueOf(request) * request.parts,
  );
}

/** Read from the highest priority, the first that differs is the larger in `ours`. */
function isAbove(ours: Worth, optimum: Worth): boolean {
  for (const priority of [3, 2, 1, 0] as const) {
    const difference = ours[priority] - optimum[priority];
    if (Math.abs(difference) > ROUNDING * Math.max(1, optimum[priority])) return difference > 0;
  }
  return false;
}

export async function run(args: readonly string[], json: boolean): Promise<void> {
  const { instances, seed } = numbersFrom(args, { instances: 1000, seed: 1 });
  const solver = await loadSolver();
  const judged: Judged[] = [];
  for (let next = seed; judged.length < instances; next += 1) {
    const one = judge(next, solver);
    if (one !== undefined) judged.push(one);
  }
  const figures = figuresOf(judged);
  if (json) process.stdout.write(`${JSON.stringify(figures)}\n`);
  else print(figures);
}

function figuresOf(judged: readonly Judged[]): Figures {
  const contested = judged.filter(({ isContested }) => isContested);
  const stepsMs = judged.map(({ stepMs }) => stepMs).sort((a, b) => a - b);
  const shares = judged.map(({ share }) => share);
  return {
    instances: judged.length,
    meanShare: meanOf(shares),
    minShare: Math.min(...shares),
    infeasible: sum(judged.map(({ infeasible }) => infeasible)),
    contested: contested.length,
    meanShareContested: meanOf(contested.map(({ share }) => share)),
    belowOptimum: shares.filter((share) => share < 1 - ROUNDING).length,
    aboveOptimum: judged.filter(({ isAboveOptimum }) => isAboveOptimum).length,
    meanShareByPriority: [0, 1, 2, 3].map((priority) =>
      meanOf(judged.flatMap((each) => each.shares[priority] ?? [])),
    ),
    worstSeed: judged.reduce((worst, each) => (each.share < worst.share ? each : worst)).seed,
    stepP50Ms: percentile(stepsMs, 0.5),
    stepP99Ms: percentile(stepsMs, 0.99),
  };
}

interface Figures {
  readonly instances: number;
  readonly meanShare: number;
  readonly minShare: number;
  /** Placements that break capacity or a rule, by the oracle's own reading. */
  readonly infeasible: number;
  readonly contested: number;
  readonly meanShareContested: number;
  readonly belowOptimum: number;
  /** Must be 0. */
  readonly aboveOptimum: number;
  readonly meanShareByPriority: readonly number[];
  readonly worstSeed: number;
  readonly stepP50Ms: number;
  readonly stepP99Ms: number;
}

function print(figures: Figures): void {
  const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
  process.stdout.write(
    [
      `${figures.instances} scenes, ${figures.contested} of them contested`,
      `of the optimum: mean ${percent(figures.meanShare)}, contested ${percent(figures.meanShareContested)}, ` +
        `least ${percent(figures.minShare)} (seed ${figures.worstSeed})`,
      `by priority 0 to 3: ${figures.meanShareByPriority.map(percent).join(', ')}`,
      `below the optimum in ${figures.belowOptimum}, above it in ${figures.aboveOptimum} (must be none)`,
      `placements that break a rule: ${figures.infeasible}`,
      `the deciding step: p50 ${figures.stepP50Ms.toFixed(2)} ms, p99 ${figures.stepP99Ms.toFixed(2)} ms`,
      '',
    ].join('\n'),
  );
}

function sum(of: readonly number[]): number {
  return of.reduce((total, each) => total + each, 0);
}

function meanOf(of: readonly number[]): number {
  return of.length === 0 ? 1 : sum(of) / of.length;
}
