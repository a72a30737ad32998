/** Warm children and the life of a runtime. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import type { RuntimeKind } from '@plugpool/proto';
import { encodeTensors, float32Tensor } from '../../vehicle-client/runtimes/onnx/tensors.ts';
import type { Job, Runtime } from '../../vehicle-client/runtimes/port.ts';
import { createRuntimes } from '../../vehicle-client/runtimes/registry.ts';
import { probeBwrap } from '../../vehicle-client/runtimes/sandbox.ts';
import type { SandboxChoice } from '../../vehicle-client/runtimes/sandbox.ts';
import * as onnxModels from '../fixtures/onnx/models.ts';
import * as modules from '../fixtures/wasm/modules.ts';

const bwrap = await probeBwrap();
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'plugpool-test-'));
after(() => fs.rmSync(folder, { recursive: true, force: true }));

let images = 0;

function jobFor(image: Uint8Array, over: Partial<Job> = {}): Job {
  const imagePath = path.join(folder, String((images += 1)));
  fs.writeFileSync(imagePath, image);
  const limits = { cpuMs: 20_000, wallMs: 60_000, memoryMib: 64, outputBytes: 1000 };
  const seed = Buffer.alloc(16);
  return {
    name: 'test',
    imagePath,
    args: [],
    env: {},
    input: new Uint8Array(),
    limits,
    seed,
    threads: 1,
    gpu: false,
    ...over,
  };
}

interface Started {
  readonly runtimes: ReadonlyMap<RuntimeKind, Runtime>;
  readonly runtime: Runtime;
  readonly startsMs: number[];
  readonly sandboxes: string[];
}

interface StartOptions {
  readonly warm?: number;
  readonly sandbox?: SandboxChoice;
  readonly executionProviders?: readonly string[];
}

async function started(
  kind: RuntimeKind,
  { warm = 1, sandbox = 'process', executionProviders = [] }: StartOptions = {},
): Promise<Started> {
  const [startsMs, sandboxes]: [number[], string[]] = [[], []];
  const runtimes = createRuntimes({
    kinds: ['wasm', 'onnx', 'echo'],
    sandbox,
    warmChildren: { wasm: warm, onnx: warm },
    executionProviders,
    events: { started: (_, ms) => startsMs.push(ms), sandboxChosen: (chosen) => sandboxes.push(chosen) },
  });
  const runtime = runtimes.get(kind)!;
  await runtime.start(new AbortController().signal);
  return { runtimes, runtime, startsMs, sandboxes };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Far beyond what any of these events takes: a test that fails ends, and takes its children with it. */
const PATIENCE_MS = 20_000;

async function until(condition: () => boolean): Promise<void> {
  const patience = AbortSignal.timeout(PATIENCE_MS);
  while (!condition()) {
    patience.throwIfAborted();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

for (const sandbox of ['bwrap', 'process'] as const) {
  const skip = sandbox === 'bwrap' && !bwrap.ok ? `bubblewrap cannot be used: ${bwrap.reason}` : false;

  describe(`warm children in the sandbox "${sandbox}"`, { skip, timeout: 60_000 }, () => {
    it('are used once and replaced', async () => {
      const { runtime } = await started('wasm', { sandbox });
      const warm = runtime.idlePids();
      assert(warm.length > 0);
      const job = runtime.run(jobFor(modules.exitsWith(0)));
      await until(() => job.pids().length > 0);
      assert.deepEqual(job.pids(), warm);
      assert((await job.outcome).ok);
      await until(() => runtime.idlePids().length === warm.length && warm.every((pid) => !isAlive(pid)));
      assert(runtime.idlePids().every((pid) => !warm.includes(pid)));
      await runtime.stop();
    });

    it('leave nothing behind when the runtime stops, nor do jobs that run', async () => {
      const { runtime } = await started('wasm', { sandbox, warm: 2 });
      await until(() => runtime.idlePids().length >= 2);
      const jobs = [runtime.run(jobFor(modules.loops())), runtime.run(jobFor(modules.sleepsForAnHour()))];
      await until(() => jobs.every((job) => job.pids().length > 0));
      const pids = [...runtime.idlePids(), ...jobs.flatMap((job) => job.pids())];
      await runtime.stop();
      const outcomes = await Promise.all(jobs.map((job) => job.outcome));
      assert.deepEqual(
        outcomes.map((outcome) => !outcome.ok && outcome.failure.code),
        ['revoked', 'revoked'],
      );
      assert.deepEqual(pids.filter(isAlive), []);
    });

    it('are the first that the kernel ends where memory is short', async () => {
      const { runtime } = await started('wasm', { sandbox });
      const scores = runtime
        .idlePids()
        .map((pid) => fs.readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8').trim());
      assert(scores.includes('1000'), scores.join());
      await runtime.stop();
    });

    it('are replaced where one was ended by somebody else', async () => {
      const { runtime } = await started('wasm', { sandbox });
      for (const pid of runtime.idlePids()) process.kill(pid, 'SIGKILL');
      await until(() => runtime.idlePids().length === 0);
      assert((await runtime.run(jobFor(modules.exitsWith(0))).outcome).ok);
      await runtime.stop();
    });

    it('of a runtime with a device still compute on the CPU, and blame the device, not the model', async () => {
      const { runtime } = await started('onnx', { sandbox, warm: 0, executionProviders: ['cuda'] });
      const input = encodeTensors([float32Tensor('x', [1, 3], [1, 2, 3])]);
      const job = jobFor(onnxModels.addsOneTwoThree(), {
        input,
        limits: { cpuMs: 20_000, wallMs: 60_000, memoryMib: 256, outputBytes: 1000 },
      });
      assert((await runtime.run(job).outcome).ok);
      const onDevice = await runtime.run({ ...job, gpu: true }).outcome;
      // A machine that has the device computes; any other says that it is not the model's fault.
      assert(onDevice.ok || onDevice.failure.code === 'runtime_crashed', JSON.stringify(onDevice));
      await runtime.stop();
    });
  });
}

describe('a runtime', { timeout: 60_000 }, () => {
  it('runs without warm children, and tells how long each start took', async () => {
    const { runtime, startsMs, sandboxes } = await started('wasm', { warm: 0 });
    assert.deepEqual(runtime.idlePids(), []);
    assert((await runtime.run(jobFor(modules.exitsWith(0))).outcome).ok);
    assert.deepEqual([startsMs.length, sandboxes], [1, ['process']]);
    assert(startsMs[0]! > 0);
    await runtime.stop();
  });

  it('can be killed before its child is there, and suspended before it begins', async () => {
    const { runtime } = await started('wasm', { warm: 0 });
    const killed = runtime.run(jobFor(modules.loops()));
    killed.kill();
    const suspended = runtime.run(jobFor(modules.exitsWith(0)));
    suspended.suspend();
    suspended.resume();
    const outcome = await killed.outcome;
    assert(!outcome.ok && outcome.failure.code === 'revoked');
    assert((await suspended.outcome).ok);
    await runtime.stop();
  });

  it('does not start once it was told not to', async () => {
    const { runtimes } = await started('echo');
    for (const runtime of runtimes.values()) await assert.rejects(runtime.start(AbortSignal.abort()));
  });

  it('removes what a client that was killed had staged, and nothing of one that lives', async () => {
    const { runtime } = await started('wasm');
    const staged = () => fs.readdirSync(os.tmpdir()).filter((name) => name.startsWith('plugpool-runtime-'));
    const own = staged().find((name) => name.includes(`-${process.pid}-`))!;
    const orphan = own.replace(`-${process.pid}-`, `-${2 ** 30}-`);
    fs.mkdirSync(path.join(os.tmpdir(), orphan));
    const { runtime: other } = await started('wasm');
    assert(!staged().includes(orphan) && staged().includes(own));
    await Promise.all([runtime.stop(), other.stop()]);
    assert(!staged().some((name) => name.includes(`-${process.pid}-`)));
  });

  it('of the kind echo returns its input', async () => {
    const { runtime } = await started('echo');
    const input = Buffer.from('the same');
    const same = await runtime.run(jobFor(new Uint8Array(), { input })).outcome;
    assert(same.ok);
    assert.deepEqual(same.output, input);
    const tooMuch = await runtime.run(jobFor(new Uint8Array(), { input: Buffer.alloc(1001) })).outcome;
    assert(!tooMuch.ok && tooMuch.failure.code === 'output_limit');
    await runtime.stop();
  });
});
