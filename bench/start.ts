/**
 * From grant to the first instruction: `run()` of the wasm runtime is called, the module's `_start` is entered. In between lie
 * reading the image from disk, taking a warm child or starting a cold one, handing image and job over its standard input,
 * checking, capping and compiling the module, and making its instance. Both ends are read from the machine's one monotonic
 * clock, the first by the parent and the second by the child.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createRuntimes } from '../vehicle-client/runtimes/registry.ts';
import type { Job, Runtime } from '../vehicle-client/runtimes/port.ts';
import { probeBwrap, type SandboxKind } from '../vehicle-client/runtimes/sandbox.ts';
import { numbersFrom, percentile } from './options.ts';
import { isWaiting } from './proc.ts';

/** `(module (memory (export "memory") 1) (func (export "_start")))` */
const SMALLEST_COMMAND = Buffer.from(
  '0061736d01000000010401600000030201000503010001071302066d656d6f72790200065f737461727400000a040102000b',
  'hex',
);
const REAL_COMMAND = path.join(import.meta.dirname, '../algorithms/route-plan/build/route-plan-astar.wasm');
/** After a run its child ends, and the next warm one comes up; neither is to be part of the next measurement. */
const SETTLE_MS = 100;
const POLL_MS = 20;
/** A child that has waited at so many looks in a row waits for its job. */
const WAITING_LOOKS = 5;

interface StartRun {
  readonly child: 'warm' | 'cold';
  readonly sandbox: SandboxKind;
  readonly module: 'smallest' | 'route-plan-astar';
  readonly runs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export async function run(args: readonly string[], json: boolean): Promise<void> {
  const { runs: count } = numbersFrom(args, { runs: 50 });
  const directory = mkdtempSync(path.join(tmpdir(), 'plugpool-bench-'));
  const smallest = path.join(directory, 'smallest.wasm');
  writeFileSync(smallest, SMALLEST_COMMAND);
  const runs: StartRun[] = [];
  try {
    for (const sandbox of await usableSandboxes())
      for (const child of ['warm', 'cold'] as const)
        for (const [module, image] of [
          ['smallest', smallest],
          ['route-plan-astar', REAL_COMMAND],
        ] as const)
          runs.push({ child, sandbox, module, ...(await measure(sandbox, child, image, count)) });
  } finally {
    rmSync(directory, { recursive: true });
  }
  if (json) process.stdout.write(`${JSON.stringify({ runs })}\n`);
  else print(runs);
}

async function usableSandboxes(): Promise<readonly SandboxKind[]> {
  const probed = await probeBwrap();
  if (probed.ok) return ['bwrap', 'process'];
  process.stderr.write(`bubblewrap cannot be used here and is left out: ${probed.reason}\n`);
  return ['process'];
}

async function measure(
  sandbox: SandboxKind,
  child: StartRun['child'],
  imagePath: string,
  count: number,
): Promise<Pick<StartRun, 'runs' | 'p50Ms' | 'p99Ms'>> {
  const startsMs: number[] = [];
  const runtimes = createRuntimes({
    kinds: ['wasm'],
    sandbox,
    warmChildren: { wasm: child === 'warm' ? 1 : 0, onnx: 0 },
    executionProviders: [],
    events: { started: (_kind, startMs) => startsMs.push(startMs) },
  });
  const runtime = runtimes.get('wasm') as Runtime;
  await runtime.start(new AbortController().signal);
  try {
    // The first run fills the file cache and warms this process up; it is not counted.
    for (let index = 0; index <= count; index += 1) {
      await delay(SETTLE_MS);
      if (child === 'warm') await untilWarm(runtime);
      await runtime.run(jobOf(imagePath)).outcome;
    }
  } finally {
    await runtime.stop();
  }
  if (startsMs.length !== count + 1) throw new Error(`${count + 1 - startsMs.length} runs never started`);
  const sorted = startsMs.slice(1).sort((a, b) => a - b);
  return { runs: count, p50Ms: percentile(sorted, 0.5), p99Ms: percentile(sorted, 0.99) };
}

async function untilWarm(runtime: Runtime): Promise<void> {
  for (let looks = 0; looks < WAITING_LOOKS;) {
    await delay(POLL_MS);
    const pids = runtime.idlePids();
    looks = pids.length > 0 && pids.every(isWaiting) ? looks + 1 : 0;
  }
}

function jobOf(imagePath: string): Job {
  return {
    name: 'start',
    imagePath,
    args: [],
    env: {},
    input: new Uint8Array(),
    limits: { cpuMs: 10_000, wallMs: 10_000, memoryMib: 64, outputBytes: 65_536 },
    seed: new Uint8Array(16),
    threads: 1,
    gpu: false,
  };
}

function print(runs: readonly StartRun[]): void {
  for (const { child, sandbox, module, p50Ms, p99Ms } of runs)
    process.stdout.write(
      `${child} child, ${sandbox.padEnd(7)} ${module.padEnd(16)} p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms\n`,
    );
}
