/** Runs ONNX models on ONNX Runtime: on the CPU, or on the device whose execution provider the vehicle's owner names. */
import type { Job } from '../port.ts';
import type { Sandbox } from '../sandbox.ts';
import { SandboxedRuntime } from '../sandboxed-runtime.ts';
import type { ChildProgram } from '../stage.ts';

const MIB_BYTES = 1024 * 1024;
/** ONNX Runtime's own libraries and threads, at work. */
const ENGINE_MIB = 128;
/** A model is there three times while its session is made: as received, parsed, and optimised. */
const MODEL_COPIES = 3;

const CPU_CHILD: ChildProgram = {
  entry: 'onnx/child',
  sources: ['child-channel', 'child-protocol', 'onnx/child', 'onnx/tensors'],
  copiedPackages: [],
  boundPackages: ['onnxruntime-node', 'onnxruntime-common'],
  nodeFlags: [
    '--v8-pool-size=0',
    '--max-old-space-size=128',
    '--disallow-code-generation-from-strings',
    '--disable-sigusr1',
    '--no-warnings',
  ],
  usesGpu: false,
  // Otherwise it leaves a device id and telemetry files in the home and the temporary directory.
  env: { ORT_DISABLE_TELEMETRY: '1' },
};

export interface OnnxRuntimeOptions {
  readonly sandbox: () => Promise<Sandbox>;
  readonly warmChildren: number;
  /** Used for jobs with a GPU, best first (`cuda`, `tensorrt`, `coreml` …); the CPU comes after them by itself. */
  readonly executionProviders: readonly string[];
  readonly started: (startMs: number) => void;
}

export function onnxRuntime(options: OnnxRuntimeOptions): SandboxedRuntime {
  const program = { ...CPU_CHILD, usesGpu: options.executionProviders.length > 0 };
  return new SandboxedRuntime({ ...options, kind: 'onnx', program, overheadMib });
}

function overheadMib(job: Job, imageBytes: number): number {
  const copies = 3 * job.input.byteLength + 3 * job.limits.outputBytes + MODEL_COPIES * imageBytes;
  return ENGINE_MIB + copies / MIB_BYTES;
}
