/**
 * The process in which one ONNX model runs, once. The code is ours and ONNX Runtime's; only the model and its input are a
 * stranger's. The model is opened from memory, so that it has no directory from which external data could be read.
 */
import { createRequire } from 'node:module';
import { performance } from 'node:perf_hooks';
import type { FailureCode } from '@plugpool/proto';
import type * as OnnxRuntime from 'onnxruntime-node';
import type { InferenceSession, OnnxValue, Tensor } from 'onnxruntime-node';
import { announceReady, finish, noteGpuMs, noteStarted, receiveJob } from '../child-channel.ts';
import type { ReceivedJob } from '../child-channel.ts';
import { decodeTensors, encodeTensors, isTensorType } from './tensors.ts';
import type { NamedTensor, TensorType } from './tensors.ts';

const LOG_ERRORS_ONLY = 3;
const CPU_PROVIDER = 'cpu';

interface ElementArray {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer, byteOffset: number, length: number): ArrayBufferView;
}

/** What ONNX Runtime takes for each element type. */
const ELEMENTS: Readonly<Record<TensorType, ElementArray>> = {
  float32: Float32Array,
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
  float16: Uint16Array,
  float64: Float64Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
};

// ONNX Runtime's JavaScript part takes a Float16Array where the engine has one, and its native part then finds no bytes in it;
// without one both take a Uint16Array.
Reflect.deleteProperty(globalThis, 'Float16Array');

/** The parent passes where it shows ONNX Runtime to this process. */
const ort = createRequire(import.meta.url)(process.argv[2]!) as typeof OnnxRuntime;

announceReady();
await run(receiveJob());

async function run(received: ReceivedJob): Promise<never> {
  const { job } = received;
  const inputs = decodeInput(received.input);
  noteStarted();
  const session = await openModel(received);
  checkInputs(session, inputs);
  const startedMs = performance.now();
  const outputs = await compute(session, inputs);
  if (providersFor(received).some((name) => name !== CPU_PROVIDER)) noteGpuMs(performance.now() - startedMs);
  const output = encodeOutput(session, outputs);
  if (output.byteLength > job.limits.outputBytes) {
    return fail(
      'output_limit',
      `the output has ${output.byteLength} bytes; its limit is ${job.limits.outputBytes}`,
    );
  }
  return finish({ ok: true, output: [output] });
}

function decodeInput(input: Uint8Array): NamedTensor[] {
  try {
    return decodeTensors(input);
  } catch (error) {
    return fail('input_invalid', messageOf(error));
  }
}

function providersFor({ job }: ReceivedJob): string[] {
  return job.gpu ? [...job.executionProviders, CPU_PROVIDER] : [CPU_PROVIDER];
}

async function openModel(received: ReceivedJob): Promise<InferenceSession> {
  try {
    return await createSession(received, providersFor(received));
  } catch (error) {
    if (received.job.gpu && (await opensOnCpu(received))) {
      return fail('runtime_crashed', `the device cannot run the model: ${messageOf(error)}`);
    }
    return fail(blame(error, 'image_invalid'), messageOf(error));
  }
}

/** Tells a fault of the model from one of this vehicle's device: the latter another donor may not have. */
async function opensOnCpu(received: ReceivedJob): Promise<boolean> {
  return createSession(received, [CPU_PROVIDER]).then(
    () => true,
    () => false,
  );
}

function createSession({ job, image }: ReceivedJob, executionProviders: string[]): Promise<InferenceSession> {
  return ort.InferenceSession.create(image, {
    executionProviders,
    // 0 would mean every core.
    intraOpNumThreads: Math.max(1, job.threads),
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: LOG_ERRORS_ONLY,
    // Idle threads wait instead of spinning: CPU time that computes nothing would be charged.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
}

function checkInputs(session: InferenceSession, inputs: readonly NamedTensor[]): void {
  const given = new Map(inputs.map((tensor) => [tensor.name, tensor]));
  const unknown = inputs.find((tensor) => !session.inputNames.includes(tensor.name));
  if (unknown) {
    fail('input_invalid', `the model has no input "${unknown.name}", only ${session.inputNames.join(', ')}`);
  }
  for (const expected of session.inputMetadata) {
    const tensor = given.get(expected.name);
    if (!tensor) fail('input_invalid', `the model's input "${expected.name}" is not given`);
    if (!expected.isTensor) fail('image_invalid', `the model's input "${expected.name}" is no tensor`);
    const fits = tensor.dtype === expected.type && shapeFits(tensor.dims, expected.shape);
    if (!fits) fail('input_invalid', mismatch(tensor, expected.type, expected.shape));
  }
}

/** A dimension with a name instead of a number takes any size. */
function shapeFits(dims: readonly number[], shape: readonly (number | string)[]): boolean {
  return (
    dims.length === shape.length &&
    shape.every((size, index) => typeof size === 'string' || size === dims[index])
  );
}

function mismatch(tensor: NamedTensor, type: string, shape: readonly (number | string)[]): string {
  const expected = `${type} [${shape.join(', ')}]`;
  return `input "${tensor.name}" is ${tensor.dtype} [${tensor.dims.join(', ')}]; the model takes ${expected}`;
}

async function compute(
  session: InferenceSession,
  inputs: readonly NamedTensor[],
): Promise<InferenceSession.OnnxValueMapType> {
  const feeds = Object.fromEntries(inputs.map((tensor) => [tensor.name, toOrt(tensor)]));
  try {
    return await session.run(feeds);
  } catch (error) {
    return fail(blame(error, 'trap'), messageOf(error));
  }
}

function toOrt(tensor: NamedTensor): Tensor {
  const Elements = ELEMENTS[tensor.dtype];
  const { buffer, byteOffset, byteLength } = tensor.data;
  const elements = new Elements(buffer, byteOffset, byteLength / Elements.BYTES_PER_ELEMENT);
  return new ort.Tensor(tensor.dtype as 'float32', elements as Float32Array, tensor.dims);
}

function encodeOutput(session: InferenceSession, outputs: InferenceSession.OnnxValueMapType): Uint8Array {
  try {
    return encodeTensors(session.outputNames.map((name) => fromOrt(name, outputs[name])));
  } catch (error) {
    return fail('trap', messageOf(error));
  }
}

function fromOrt(name: string, value: OnnxValue | undefined): NamedTensor {
  const { type, dims, data } = value as Tensor;
  if (!isTensorType(type)) throw new Error(`output "${name}" holds ${type}, which a tensor container cannot`);
  const elements = data as Float32Array<ArrayBuffer>;
  return {
    name,
    dtype: type,
    dims,
    data: new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength),
  };
}

/** Memory that ONNX Runtime did not get is not the model's form. */
function blame(error: unknown, otherwise: FailureCode): FailureCode {
  return /bad_alloc|bad allocation|failed to allocate/i.test(messageOf(error)) ? 'memory_limit' : otherwise;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function fail(code: FailureCode, detail: string): never {
  return finish({ ok: false, code, detail });
}
