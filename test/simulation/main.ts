/**
 * `npm run sim`: one seed of a simulated station, or many. A failure prints what was broken and the one command that replays it,
 * and the exit code is 1.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { simulate, type Outcome, type Run } from './simulate.ts';

const USAGE = `usage: npm run sim -- --seed N [--piles P] [--vehicles V] [--hours H] [--sqlite]
       npm run sim -- --seeds COUNT [--from N] [--jobs J] [--bail] [--piles P] [--vehicles V] [--hours H] [--sqlite]

  --seed      the run of this seed, with what it did
  --seeds     so many runs, the seeds from --from (1) on, in --jobs threads at once (as many as there are cores)
  --bail      ends at the first run that breaks something
  --piles     stations, each with an agent and a store of its own (1)
  --vehicles  that lend and ask (5)
  --sqlite    on the production store, in a temporary folder, instead of the model of it
  --hours     of simulated time with faults; the quiet time comes after it (0.15)
`;

/** Failures that are told in full before the rest is only counted. */
const TOLD_MAX = 10;

class UsageError extends Error {}

type Shape = Pick<Run, 'stations' | 'vehicles' | 'hours' | 'sqlite'>;

/** What a thread is given: every `stride`th seed. */
export interface Share {
  readonly from: number;
  readonly to: number;
  readonly stride: number;
  readonly shape: Shape;
}

interface Many {
  readonly from: number;
  readonly count: number;
  readonly jobs: number;
  readonly bail: boolean;
}

function numberOf(name: string, text: string | undefined, least: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < least)
    throw new UsageError(`--${name} must be a number from ${least} on, not "${text}"`);
  return value;
}

function wholeOf(name: string, text: string | undefined, least: number): number | undefined {
  const value = numberOf(name, text, least);
  if (value !== undefined && !Number.isSafeInteger(value))
    throw new UsageError(`--${name} must be a whole number, not "${text}"`);
  return value;
}

function optionsOf(argv: readonly string[]) {
  const text = { type: 'string' } as const;
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        seed: text,
        seeds: text,
        from: text,
        jobs: text,
        bail: { type: 'boolean', default: false },
        sqlite: { type: 'boolean', default: false },
        piles: text,
        vehicles: text,
        hours: text,
      },
    });
    return values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function shapeOf(values: ReturnType<typeof optionsOf>): Shape {
  const stations = wholeOf('piles', values.piles, 1);
  const vehicles = wholeOf('vehicles', values.vehicles, 1);
  const hours = numberOf('hours', values.hours, 0);
  return {
    ...(stations === undefined ? {} : { stations }),
    ...(vehicles === undefined ? {} : { vehicles }),
    ...(hours === undefined ? {} : { hours }),
    ...(values.sqlite ? { sqlite: true } : {}),
  };
}

/** The one command that runs it again. */
export function replayOf(seed: number, { stations, vehicles, hours, sqlite }: Shape): string {
  const flags = [
    ...(stations === undefined ? [] : [`--piles ${stations}`]),
    ...(vehicles === undefined ? [] : [`--vehicles ${vehicles}`]),
    ...(hours === undefined ? [] : [`--hours ${hours}`]),
    ...(sqlite === true ? ['--sqlite'] : []),
  ];
  return ['npm run sim -- --seed', seed, ...flags].join(' ');
}

function tell({ seed, violations }: Outcome, shape: Shape): void {
  for (const violation of violations) process.stdout.write(`seed ${seed}: ${violation}\n`);
  process.stdout.write(`replay it: ${replayOf(seed, shape)}\n`);
}

async function runOne(seed: number, shape: Shape): Promise<number> {
  const startedMs = performance.now();
  const outcome = await simulate({ seed, ...shape });
  const { counts } = outcome;
  process.stdout.write(
    `seed ${seed}: ${(counts.simulatedMs / 3_600_000).toFixed(2)} h in ${Math.round(performance.now() - startedMs)} ms; ` +
      `${counts.asked} asked, ${counts.accepted} accepted, ${counts.completed} completed in ${counts.attempts} attempts; ` +
      `${counts.deaths} deaths of the agent, ${counts.steps} steps, ${counts.messages} messages\n`,
  );
  if (outcome.violations.length === 0) return 0;
  tell(outcome, shape);
  return 1;
}

async function runMany({ from, count, jobs, bail }: Many, shape: Shape): Promise<number> {
  const startedMs = performance.now();
  let failed = 0;
  let done = 0;
  let simulatedMs = 0;
  const stop = new AbortController();
  const heard = (outcome: Outcome): void => {
    done += 1;
    simulatedMs += outcome.counts.simulatedMs;
    if (outcome.violations.length === 0 || stop.signal.aborted) return;
    failed += 1;
    if (bail) stop.abort();
    if (failed <= TOLD_MAX) tell(outcome, shape);
  };
  const shares = Array.from({ length: Math.min(jobs, count) }, (_, index) => ({
    from: from + index,
    to: from + count,
    stride: Math.min(jobs, count),
    shape,
  }));
  await Promise.all(shares.map((share) => runShare(share, heard, stop.signal)));
  const took = ((performance.now() - startedMs) / 1000).toFixed(1);
  const hours = (simulatedMs / 3_600_000).toFixed(0);
  process.stdout.write(
    `${done} seeds, ${hours} h, in ${took} s: ${failed === 0 ? 'all kept' : `${failed} failed`}\n`,
  );
  return failed === 0 ? 0 : 1;
}

function runShare(share: Share, heard: (outcome: Outcome) => void, stop: AbortSignal): Promise<void> {
  const worker = new Worker(new URL('./seeds-worker.ts', import.meta.url), { workerData: share });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  worker.on('message', heard);
  worker.on('error', reject);
  worker.on('exit', (code) => {
    if (code === 0 || stop.aborted) resolve();
    else reject(new Error(`a thread ended with ${code}`));
  });
  stop.addEventListener('abort', () => void worker.terminate());
  return promise;
}

async function main(argv: readonly string[]): Promise<number> {
  try {
    const values = optionsOf(argv);
    const seed = wholeOf('seed', values.seed, 0);
    const seeds = wholeOf('seeds', values.seeds, 1);
    if ((seed === undefined) === (seeds === undefined)) throw new UsageError('say either --seed or --seeds');
    const shape = shapeOf(values);
    if (seed !== undefined) return await runOne(seed, shape);
    const jobs = wholeOf('jobs', values.jobs, 1) ?? availableParallelism();
    const from = wholeOf('from', values.from, 0) ?? 1;
    return await runMany({ from, count: seeds ?? 1, jobs, bail: values.bail }, shape);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n${USAGE}`);
    return 2;
  }
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
