/** The best that could be placed, exactly: an integer program solved by HiGHS, priority after priority. */
import { placesOf, valueOf, type Placement } from './fits.ts';
import { priorityOf, type Scene, type SceneRequest } from './instance.ts';

/** As the `highs` package gives it. */
export interface Solver {
  solve(
    problem: string,
    options: Readonly<Record<string, number | boolean | string>>,
  ): {
    readonly Status: string;
    readonly ObjectiveValue: number;
    readonly Columns: Readonly<Record<string, { readonly Primal?: number }>>;
  };
}

export async function loadSolver(): Promise<Solver> {
  // The package's types are those of its CommonJS build, in which the function is the module.
  const { default: load } = (await import('highs')) as unknown as { default: () => Promise<Solver> };
  return load();
}

/** How many parts of a request stand at a place. */
interface Column {
  readonly name: string;
  readonly place: Placement;
}

interface Term {
  readonly factor: number;
  readonly name: string;
}

/** Values are scaled by this, so that the solver's tolerances are far below any of them. */
const SCALE = 1e-3;

/** The worth for each priority: the most of the highest, then the most of the next without giving any of it up, and so on. */
export function optimumOf(scene: Scene, solver: Solver): [number, number, number, number] {
  const columns = scene.requests.flatMap((request, r) =>
    placesOf(request, scene).map((place, p) => ({ name: `x${r}_${p}`, place })),
  );
  const kept = rulesOf(scene, columns);
  const best: [number, number, number, number] = [0, 0, 0, 0];
  for (const priority of [3, 2, 1, 0] as const) {
    const terms = columns
      .filter(({ place }) => priorityOf(place.request) === priority)
      .map(({ name, place }) => ({ factor: valueOf(place.request) * SCALE, name }));
    if (terms.length === 0) continue;
    const most = solve(solver, terms, kept, scene, columns);
    best[priority] = most / SCALE;
    kept.push(`${sumOf(terms)} >= ${most * (1 - 1e-9) - 1e-9}`);
  }
  return best;
}

function solve(
  solver: Solver,
  terms: readonly Term[],
  rules: readonly string[],
  scene: Scene,
  columns: readonly Column[],
): number {
  const whole = columns.map(({ name }) => name);
  const all = scene.requests.map((_, r) => `y${r}`);
  const problem = [
    'Maximize',
    ` obj: ${sumOf(terms)}`,
    'Subject To',
    ...rules.map((rule, n) => ` c${n}: ${rule}`),
    'Bounds',
    ...columns.map(({ name, place }) => ` 0 <= ${name} <= ${place.request.parts}`),
    'General',
    ` ${whole.join(' ')}`,
    'Binary',
    ` ${all.join(' ')}`,
    'End',
  ].join('\n');
  const solution = solver.solve(problem, { mip_rel_gap: 0, mip_abs_gap: 1e-9, output_flag: false });
  if (solution.Status !== 'Optimal')
    throw new Error(`the optimum of seed ${scene.seed} was not found: ${solution.Status}`);
  return terms.reduce(
    (sum, { factor, name }) => sum + factor * Math.round(solution.Columns[name]?.Primal ?? 0),
    0,
  );
}

/** No request has more parts placed than it has, those that start together all or none, and no donor is overdrawn. */
function rulesOf(scene: Scene, columns: readonly Column[]): string[] {
  const rules = scene.requests.flatMap((request, r) => partsRule(request, `y${r}`, columns));
  for (const donor of scene.donors) {
    const here = columns.filter(({ place }) => place.donor === donor);
    const bound = (of: (place: Placement) => number, most: number): void => {
      const terms = here.map(({ name, place }) => ({ factor: of(place), name }));
      const used = terms.filter(({ factor }) => factor > 0);
      if (used.length > 0) rules.push(`${sumOf(used)} <= ${most}`);
    };
    bound(({ demand }) => demand.cpuMillicores, donor.cpuMillicores);
    bound(({ demand }) => demand.memoryMib, donor.memoryMib);
    for (const { deviceId, shareMillis, vramMib } of donor.gpus) {
      const onDevice = (of: 'shareMillis' | 'vramMib') => (place: Placement) =>
        place.gpuDeviceId === deviceId ? (place.demand.gpu?.[of] ?? 0) : 0;
      bound(onDevice('shareMillis'), shareMillis);
      bound(onDevice('vramMib'), vramMib);
    }
  }
  return rules;
}

function partsRule(request: SceneRequest, all: string, columns: readonly Column[]): string[] {
  const own = columns.filter(({ place }) => place.request === request);
  if (own.length === 0) return [];
  const parts = sumOf(own.map(({ name }) => ({ factor: 1, name })));
  return request.allAtOnce ? [`${parts} - ${request.parts} ${all} = 0`] : [`${parts} <= ${request.parts}`];
}

function sumOf(terms: readonly Term[]): string {
  return terms.map(({ factor, name }) => `${factor} ${name}`).join(' + ');
}
