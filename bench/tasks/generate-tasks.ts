/**
 * Makes up tasks that look like real ones, so that benches need no file: `node bench/tasks/generate-tasks.ts [--seed N]
 * [--tasks N] [--days N] > FILE`.
 *
 * They have the shape of Alibaba's cluster-trace-gpu-v2023 once its demands are scaled to vehicles (cpu ÷ 4, memory ÷ 8): a
 * tenth lasts at most 71 s, half at most 540 s, nine tenths at most 4,157 s, none more than 4 h; half ask for a whole GPU, a
 * third for a share, a seventh for none; three fifths are latency-sensitive. Arrivals come in bursts.
 */
import { parseArgs } from 'node:util';
import { Chance } from '../sessions/chance.ts';
import { TASK_COLUMNS, type TaskRow } from './read-tasks.ts';

interface GenerateTasksOptions {
  readonly seed: number;
  readonly tasks: number;
  readonly days: number;
}

export const GENERATE_TASKS_DEFAULTS: GenerateTasksOptions = { seed: 1, tasks: 6800, days: 34 };

/** Values at given shares of the tasks; between them the logarithm is linear. */
type Quantiles = readonly (readonly [share: number, value: number])[];

/** What is peculiar to tasks that take a GPU whole, in part, or not at all. */
interface Kind {
  readonly share: number;
  readonly latencySensitive: number;
  readonly gpuMillis: Quantiles | undefined;
  readonly cpuMillicores: Quantiles;
  readonly memoryMib: Quantiles;
  readonly durationS: Quantiles;
}

const DURATION_S_MAX = 4 * 3600;

const KINDS: readonly Kind[] = [
  {
    share: 0.506,
    latencySensitive: 0.83,
    gpuMillis: [
      [0, 1000],
      [1, 1000],
    ],
    cpuMillicores: [
      [0, 250],
      [0.1, 788],
      [0.25, 2452],
      [0.5, 2825],
      [0.75, 3000],
      [0.9, 4100],
      [1, 12_000],
    ],
    memoryMib: [
      [0, 64],
      [0.1, 700],
      [0.25, 3072],
      [0.5, 6016],
      [0.75, 6144],
      [0.9, 8064],
      [1, 24_000],
    ],
    durationS: [
      [0, 10],
      [0.1, 77],
      [0.5, 660],
      [0.75, 1900],
      [0.9, 4249],
      [0.99, 12_300],
      [1, DURATION_S_MAX],
    ],
  },
  {
    share: 0.353,
    latencySensitive: 0.234,
    gpuMillis: [
      [0, 50],
      [0.1, 320],
      [0.25, 460],
      [0.5, 590],
      [0.64, 809],
      [0.65, 810],
      [1, 810],
    ],
    cpuMillicores: [
      [0, 250],
      [0.1, 788],
      [0.5, 1000],
      [0.75, 2000],
      [0.9, 2977],
      [1, 3000],
    ],
    memoryMib: [
      [0, 256],
      [0.1, 700],
      [0.5, 1325],
      [0.75, 3814],
      [0.9, 5888],
      [1, 5888],
    ],
    durationS: [
      [0, 5],
      [0.1, 54],
      [0.5, 434],
      [0.75, 1400],
      [0.9, 4290],
      [0.99, 12_300],
      [1, DURATION_S_MAX],
    ],
  },
  {
    share: 0.141,
    latencySensitive: 0.62,
    gpuMillis: undefined,
    cpuMillicores: [
      [0, 2000],
      [0.25, 3125],
      [0.5, 3850],
      [0.6, 8000],
      [1, 8000],
    ],
    memoryMib: [
      [0, 1024],
      [0.1, 3906],
      [0.5, 6400],
      [0.75, 7168],
      [1, 8192],
    ],
    durationS: [
      [0, 20],
      [0.1, 138],
      [0.5, 384],
      [0.9, 2981],
      [0.99, 11_000],
      [1, DURATION_S_MAX],
    ],
  },
];

/** Between arrivals, over the mean: most come soon after another. */
const GAP_SIGMA = 1.6;

/** By time of submission; the same for the same options. */
export function generateTasks({ seed, tasks, days }: GenerateTasksOptions): readonly TaskRow[] {
  const chance = new Chance(seed);
  const gaps = Array.from({ length: tasks }, () => chance.lognormal(1, GAP_SIGMA));
  const secondsPerGap = (days * 86_400) / gaps.reduce((sum, gap) => sum + gap, 0);
  let submittedS = 0;
  return gaps.map((gap, index) => {
    submittedS += gap * secondsPerGap;
    return {
      id: `task-${index + 1}`,
      submittedS: Math.round(submittedS * 1000) / 1000,
      ...taskOf(kindOf(chance.uniform()), chance),
    };
  });
}

function kindOf(at: number): Kind {
  let sum = 0;
  return KINDS.find((kind) => at < (sum += kind.share)) ?? (KINDS[0] as Kind);
}

function taskOf(kind: Kind, chance: Chance): Omit<TaskRow, 'id' | 'submittedS'> {
  // A program that takes many cores takes much memory: both stand at the same share.
  const size = chance.uniform();
  return {
    cpuMillicores: Math.round(valueAt(kind.cpuMillicores, size)),
    memoryMib: Math.round(valueAt(kind.memoryMib, size)),
    gpuMillis: kind.gpuMillis === undefined ? 0 : Math.round(valueAt(kind.gpuMillis, chance.uniform())),
    durationS: Math.round(valueAt(kind.durationS, chance.uniform())),
    class: chance.uniform() < kind.latencySensitive ? 'LS' : 'BE',
  };
}

function valueAt(quantiles: Quantiles, share: number): number {
  const above = Math.max(
    1,
    quantiles.findIndex(([at]) => at >= share),
  );
  const [fromShare, from] = quantiles[above - 1] as [number, number];
  const [toShare, to] = quantiles[above] as [number, number];
  return from * (to / from) ** ((share - fromShare) / (toShare - fromShare));
}

/** The form that the reader reads. */
export function tasksCsv(rows: readonly TaskRow[]): string {
  const lines = rows.map((row) =>
    [row.id, row.submittedS, row.cpuMillicores, row.memoryMib, row.gpuMillis, row.durationS, row.class].join(
      ',',
    ),
  );
  return `${[TASK_COLUMNS.join(','), ...lines].join('\n')}\n`;
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: `${GENERATE_TASKS_DEFAULTS.seed}` },
      tasks: { type: 'string', default: `${GENERATE_TASKS_DEFAULTS.tasks}` },
      days: { type: 'string', default: `${GENERATE_TASKS_DEFAULTS.days}` },
    },
  });
  const options = { seed: Number(values.seed), tasks: Number(values.tasks), days: Number(values.days) };
  if (!(options.seed >= 0) || !(options.tasks >= 1 && options.tasks <= 1_000_000) || !(options.days > 0)) {
    process.stderr.write('--seed is a number, --tasks one from 1 to 1000000, --days one above 0\n');
    process.exit(2);
  }
  process.stdout.write(tasksCsv(generateTasks(options)));
}
