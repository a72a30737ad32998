/** Runs WASI preview 1 commands. */
import { CHECKPOINT_BYTES_MAX } from '../checkpoint-archive.ts';
import type { Job } from '../port.ts';
import type { Sandbox } from '../sandbox.ts';
import { SandboxedRuntime } from '../sandboxed-runtime.ts';
import type { ChildProgram } from '../stage.ts';

const MIB_BYTES = 1024 * 1024;
/** V8 and Node above an idle child, at work. */
const ENGINE_MIB = 64;
/** Compiled code and its tables, for each byte of a module. */
const CODE_FACTOR = 16;

export const WASM_CHILD: ChildProgram = {
  entry: 'wasm/child',
  sources: [
    'checkpoint-archive',
    'child-channel',
    'child-protocol',
    'wasm/child',
    'wasm/kept-state',
    'wasm/memory-cap',
    'wasm/program-check',
    'wasm/task-directories',
    'wasm/task-files',
    'wasm/task-wasi',
  ],
  copiedPackages: ['@bjorn3/browser_wasi_shim'],
  boundPackages: [],
  nodeFlags: [
    // One thread to compile hot functions beside the program; four would idle in every warm child.
    '--v8-pool-size=1',
    // The host's own objects, and those of a module that uses the engine's garbage collector.
    '--max-old-space-size=64',
    '--max-semi-space-size=1',
    '--no-addons',
    '--disallow-code-generation-from-strings',
    '--disable-sigusr1',
    '--no-warnings',
  ],
  usesGpu: false,
  env: {},
};

export interface WasmRuntimeOptions {
  readonly sandbox: () => Promise<Sandbox>;
  readonly warmChildren: number;
  readonly started: (startMs: number) => void;
}

export function wasmRuntime(options: WasmRuntimeOptions): SandboxedRuntime {
  return new SandboxedRuntime({
    ...options,
    kind: 'wasm',
    program: WASM_CHILD,
    executionProviders: [],
    overheadMib,
  });
}

/** Files that the program writes are within its limit, together with its memory. */
function overheadMib(job: Job, imageBytes: number): number {
  // The state that it came from is held twice, and packed twice more while it is sent.
  const stateBytes = job.checkpoint ? 4 * CHECKPOINT_BYTES_MAX : 0;
  const copies =
    2 * job.input.byteLength + 3 * job.limits.outputBytes + CODE_FACTOR * imageBytes + stateBytes;
  return ENGINE_MIB + copies / MIB_BYTES;
}
