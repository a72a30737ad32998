/** What a program keeps in `/checkpoint`: it leaves the sandbox as it is written, and the next run goes on from it, whatever ended the first. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { RunLimits } from '@plugpool/proto';
import { imagePathOf, IMAGE_SOURCES } from '../../algorithms/build.ts';
import { rangeInput, rangeOdds, type RangeQuestion } from '../../algorithms/range-odds/reference.ts';
import {
  CHECKPOINT_BYTES_MAX,
  packCheckpoint,
  unpackCheckpoint,
} from '../../vehicle-client/runtimes/checkpoint-archive.ts';
import type { Job, JobOutcome, KeptRun, RunningJob } from '../../vehicle-client/runtimes/port.ts';
import { chooseSandbox, probeBwrap } from '../../vehicle-client/runtimes/sandbox.ts';
import type { SandboxedRuntime } from '../../vehicle-client/runtimes/sandboxed-runtime.ts';
import { wasmRuntime } from '../../vehicle-client/runtimes/wasm/runtime.ts';
import * as modules from '../fixtures/wasm/modules.ts';

const LIMITS: RunLimits = { cpuMs: 60_000, wallMs: 120_000, memoryMib: 64, outputBytes: 1024 * 1024 };
const bwrap = await probeBwrap();
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'plugpool-test-'));
after(() => fs.rmSync(folder, { recursive: true, force: true }));

const rangeOddsImage = imagePathOf(IMAGE_SOURCES.find(({ name }) => name === 'range-odds')!);
const TRIP: RangeQuestion = { trips: 400, seed: 7, km: 320, batteryWh: 50_000, whPerKm: 150, spreadWh: 120 };
const LONG: RangeQuestion = { ...TRIP, trips: 600_000, keepEvery: 10_000 };

let images = 0;

function imageFile(module: Uint8Array): string {
  const imagePath = path.join(folder, `${(images += 1)}.wasm`);
  fs.writeFileSync(imagePath, module);
  return imagePath;
}

function jobFor(imagePath: string, input: Uint8Array, over: Partial<Job> = {}): Job {
  return {
    name: 'test',
    imagePath,
    args: [],
    env: {},
    input,
    checkpoint: {},
    limits: LIMITS,
    seed: Buffer.alloc(16, 7),
    threads: 1,
    gpu: false,
    ...over,
  };
}

function outputOf(outcome: JobOutcome): string {
  assert(outcome.ok, `it failed: ${JSON.stringify(outcome)}`);
  return Buffer.from(outcome.output).toString();
}

/** Looks again at each turn of the event loop. */
async function until<Value>(look: () => Value | undefined): Promise<Value> {
  for (;;) {
    const value = look();
    if (value !== undefined) return value;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function archiveOf(text: string, name = 'state'): Uint8Array {
  const packed = packCheckpoint([{ path: name, bytes: Buffer.from(text) }]);
  assert(packed.ok);
  return packed.archive;
}

function keptFiles(running: RunningJob): Record<string, string> {
  const unpacked = unpackCheckpoint(running.kept()?.archive ?? new Uint8Array());
  if (!unpacked.ok) return {};
  return Object.fromEntries(unpacked.files.map((file) => [file.path, Buffer.from(file.bytes).toString()]));
}

function statOf(pid: number): string {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1');
  return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
}

for (const kind of ['bwrap', 'process'] as const) {
  const skip = kind === 'bwrap' && !bwrap.ok ? `bubblewrap cannot be used: ${bwrap.reason}` : false;

  describe(`checkpoints in the sandbox "${kind}"`, { skip, timeout: 180_000 }, () => {
    let runtime: SandboxedRuntime;

    before(async () => {
      const sandbox = chooseSandbox(kind);
      runtime = wasmRuntime({ sandbox: () => sandbox, warmChildren: 1, started: () => undefined });
      await runtime.start(new AbortController().signal);
    });
    after(() => runtime.stop());

    it('gives what the reference gives, with nobody to keep anything', async () => {
      const { checkpoint: _none, ...job } = jobFor(rangeOddsImage, rangeInput(TRIP));
      const running = runtime.run(job);
      assert.equal(outputOf(await running.outcome), rangeOdds(TRIP));
      assert.equal(running.kept(), undefined);
    });

    it('a run that is killed again and again ends with the same bytes, and has computed everything about once', async () => {
      const whole = await runtime.run(jobFor(rangeOddsImage, rangeInput(LONG))).outcome;
      let state: Uint8Array | undefined;
      let cpuMs = 0;
      let output: string | undefined;
      for (let attempt = 0; output === undefined; attempt++) {
        const checkpoint = state === undefined ? {} : { state };
        const running = runtime.run(jobFor(rangeOddsImage, rangeInput(LONG), { checkpoint }));
        if (attempt === 4) output = outputOf(await running.outcome);
        else {
          // One at once, the others after some more: the places at which it ends are the machine's choice.
          let seen: KeptRun | undefined;
          for (let news = 0; news < 1 + 3 * attempt; news++)
            seen = await until(() => (running.kept() === seen ? undefined : running.kept()));
          running.kill();
          await running.outcome;
          state = running.kept()?.archive;
        }
        const ended = await running.outcome;
        cpuMs += ended.used.cpuMs;
      }
      assert.equal(output, outputOf(whole));
      assert.ok(cpuMs < 2 * whole.used.cpuMs, `${cpuMs} ms for what takes ${whole.used.cpuMs} ms`);
    });

    it('what is half written is never taken', async () => {
      const running = runtime.run(jobFor(imageFile(modules.keepsInTwoSteps()), new Uint8Array()));
      assert.equal(outputOf(await running.outcome), 'ok');
      assert.deepEqual(keptFiles(running), { state: 'one' });
    });

    it('shows a program what the run before kept, and keeps it where nothing else is kept', async () => {
      const state = archiveOf('from before');
      const running = runtime.run(
        jobFor(imageFile(modules.copiesStateFile()), new Uint8Array(), { checkpoint: { state } }),
      );
      assert.equal(outputOf(await running.outcome), 'from before');
      assert.equal(running.kept(), undefined);
    });

    it('a state that is larger than the memory of the run ends it with the reason', async () => {
      const packed = packCheckpoint([{ path: 'state', bytes: new Uint8Array(4 * 1024 * 1024) }]);
      assert(packed.ok);
      const job = jobFor(imageFile(modules.copiesStateFile()), new Uint8Array(), {
        checkpoint: { state: packed.archive },
        limits: { ...LIMITS, memoryMib: 2 },
      });
      const outcome = await runtime.run(job).outcome;
      assert(!outcome.ok);
      assert.equal(outcome.failure.code, 'memory_limit');
    });

    it('a state above the bound is not kept, and the program is told on its standard error', async () => {
      const job = jobFor(imageFile(modules.keepsBytes(CHECKPOINT_BYTES_MAX)), new Uint8Array());
      const running = runtime.run(job);
      const outcome = await running.outcome;
      assert(!outcome.ok);
      assert.equal(running.kept(), undefined);
      assert.match(outcome.failure.stderrTail, /\/checkpoint is not kept while it holds \d+ bytes/);
    });

    it('a state that is written anew a thousand times takes the room of two', async () => {
      const job = jobFor(imageFile(modules.keepsOften(1_000, 1024 * 1024)), new Uint8Array(), {
        limits: { ...LIMITS, memoryMib: 8 },
      });
      const running = runtime.run(job);
      assert.equal(outputOf(await running.outcome), 'ok');
      assert.equal(Object.values(keptFiles(running))[0]?.length, 1024 * 1024);
    });

    it('a run that is suspended stands still, whole, and its limits of time with it', async () => {
      const limits = { ...LIMITS, wallMs: 60_000 };
      const running = runtime.run(jobFor(rangeOddsImage, rangeInput(LONG), { limits }));
      await until(() => running.kept());
      running.suspend();
      const pids = running.pids();
      assert.ok(pids.length > 0);
      await until(() => (pids.some((pid) => statOf(pid) === 'T') ? true : undefined));
      const cpuMs = running.cpuMs();
      const kept = running.kept();
      const untilMs = performance.now() + 300;
      await until(() => (performance.now() >= untilMs ? true : undefined));
      assert.ok(running.cpuMs() - cpuMs < 5, 'it computed while it was suspended');
      assert.ok(running.kept()?.used.wallMs !== undefined && kept !== undefined);
      running.resume();
      await until(() => (pids.every((pid) => statOf(pid) !== 'T') ? true : undefined));
      const outcome = await running.outcome;
      outputOf(outcome);
      assert.ok(outcome.used.wallMs > 0);
    });

    it('a run that is killed while it is suspended is gone', async () => {
      const running = runtime.run(jobFor(rangeOddsImage, rangeInput(LONG)));
      await until(() => running.kept());
      running.suspend();
      running.stop();
      const outcome = await running.outcome;
      assert(!outcome.ok);
      assert.equal(outcome.failure.code, 'revoked');
      assert.ok(running.kept() !== undefined, 'what it kept outlives it');
    });
  });
}
