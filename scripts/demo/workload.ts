/** Who asks for what in the demo: three vehicles that want more than the two donors have. */
import type { Requester } from '@plugpool/vehicle-client';
import { exampleAlgorithms, type ExampleAlgorithm } from '../../algorithms/catalogue.ts';
import type { Stage } from '../stage.ts';

export const ASKERS = ['family-car', 'delivery-van', 'taxi'] as const;
export type Asker = (typeof ASKERS)[number];

/** `algorithm` or `type`, and one of its inputs by name. */
export interface Wish {
  readonly asker: Asker;
  readonly algorithm?: string;
  readonly type?: string;
  readonly input: string;
}

export const FIRST_WISHES: readonly Wish[] = [
  { asker: 'family-car', type: 'route-plan', input: 'lisbon-tallinn' },
  { asker: 'delivery-van', algorithm: 'route-plan-anneal', input: 'berlin-tour-of-20' },
  { asker: 'taxi', algorithm: 'lidar-voxel-ground', input: '' },
  { asker: 'family-car', algorithm: 'sign-text-detect', input: '' },
  { asker: 'delivery-van', algorithm: 'route-plan-astar', input: 'porto-oulu-van' },
  { asker: 'taxi', algorithm: 'sign-text-detect', input: '' },
  { asker: 'family-car', algorithm: 'lidar-voxel-ground', input: '' },
  { asker: 'delivery-van', type: 'route-plan', input: 'berlin-tour-of-5' },
  { asker: 'taxi', algorithm: 'route-plan-astar', input: 'lisbon-tallinn' },
  { asker: 'delivery-van', algorithm: 'lidar-voxel-ground', input: '' },
];

/** Long ones, asked for shortly before the second donor leaves: whichever donor gets which, one is in the middle then. */
export const LONG_WISHES: readonly Wish[] = [
  { asker: 'delivery-van', algorithm: 'route-plan-anneal', input: 'europe-tour-of-40' },
  { asker: 'taxi', algorithm: 'route-plan-anneal', input: 'europe-tour-of-40' },
];

export const LAST_WISHES: readonly Wish[] = [
  { asker: 'family-car', algorithm: 'sign-text-detect', input: '' },
  { asker: 'taxi', algorithm: 'lidar-voxel-ground', input: '' },
];

export interface TaskRow {
  readonly id: string;
  readonly algorithm: string;
  readonly requester: string;
  readonly donor: string;
  readonly attempts: number;
  readonly state: string;
  readonly outputMatches: boolean;
  readonly ms: number;
  /** What is wrong; empty where nothing is. */
  readonly detail: string;
}

export class Workload {
  readonly #examples: readonly ExampleAlgorithm[];
  readonly #requesters: ReadonlyMap<Asker, Requester>;
  readonly rows: TaskRow[] = [];
  wished = 0;

  constructor(examples: readonly ExampleAlgorithm[], requesters: ReadonlyMap<Asker, Requester>) {
    this.#examples = examples;
    this.#requesters = requesters;
  }

  /** Asks for all of them at once; resolves when each has ended and its output was checked. */
  async ask(wishes: readonly Wish[]): Promise<void> {
    this.wished += wishes.length;
    await Promise.all(wishes.map((wish) => this.#askOne(wish)));
  }

  async #askOne(wish: Wish): Promise<void> {
    const example = this.#examples.find((one) => one.id === wish.algorithm || one.type === wish.type);
    const requester = this.#requesters.get(wish.asker);
    const input = example?.inputs.find((one) => wish.input === '' || one.name === wish.input);
    if (example === undefined || requester === undefined || input === undefined)
      throw new Error(
        `the catalogue has no ${wish.algorithm ?? wish.type ?? ''} with an input ${wish.input}`,
      );
    const program = wish.type === undefined ? { algorithm: example.id } : { type: wish.type };
    const bytes = await input.bytes();
    const startMs = performance.now();
    const task = await requester.request({ ...program, args: example.args, input: bytes });
    const about = { id: task.taskId, requester: wish.asker };
    try {
      const result = await task.result;
      const ms = Math.round(performance.now() - startMs);
      const verdict = await input.check(result.output);
      this.rows.push({
        ...about,
        algorithm: result.algorithmId,
        donor: result.donor,
        attempts: result.attempts,
        state: 'completed',
        outputMatches: verdict.ok,
        ms,
        detail: verdict.ok ? '' : verdict.detail,
      });
    } catch (error) {
      this.rows.push({
        ...about,
        algorithm: example.id,
        donor: '',
        attempts: 0,
        state: task.state,
        outputMatches: false,
        ms: Math.round(performance.now() - startMs),
        detail: error instanceof Error ? error.message : String(error),
      });
    }
  }
}

/** Adds every example to the catalogue of the agent, as an operator would. */
export async function addExamples(stage: Stage): Promise<readonly ExampleAlgorithm[]> {
  const examples = await exampleAlgorithms();
  for (const example of examples) await stage.operator(['algorithms', 'add', ...argumentsOf(example)]);
  return examples;
}

function argumentsOf(example: ExampleAlgorithm): string[] {
  const [preferred, otherwise] = example.demands;
  if (preferred === undefined) throw new Error(`${example.id} demands nothing`);
  const { gpu } = preferred;
  return [
    ...[example.imagePath, '--id', example.id, '--version', example.version, '--type', example.type],
    ...['--runtime', example.runtime, '--work-core-s', String(example.workCoreS)],
    ...['--cpu-millicores', String(preferred.cpuMillicores), '--memory-mib', String(preferred.memoryMib)],
    ...['--threads', String(preferred.threads), '--compare', example.compare],
    ...(gpu === undefined
      ? []
      : ['--gpu-millis', String(gpu.shareMillis), '--vram-mib', String(gpu.vramMib)]),
    ...(otherwise === undefined
      ? []
      : [
          ...['--or-cpu-millicores', String(otherwise.cpuMillicores)],
          ...['--or-memory-mib', String(otherwise.memoryMib)],
        ]),
  ];
}
