/** The runtimes of this vehicle client, by kind. */
import type { RuntimeKind } from '@plugpool/proto';
import { EchoRuntime } from './echo/runtime.ts';
import { onnxRuntime } from './onnx/runtime.ts';
import type { Runtime } from './port.ts';
import { chooseSandbox } from './sandbox.ts';
import type { Sandbox, SandboxChoice, SandboxKind } from './sandbox.ts';
import { wasmRuntime } from './wasm/runtime.ts';

/** What a runtime tells its surroundings, for logs and benches. */
export interface RuntimeEvents {
  /** Once, before the first runtime that runs strangers' code has started. */
  readonly sandboxChosen?: (kind: SandboxKind, reason: string) => void;
  /** From `run` to the program's first instruction. */
  readonly started?: (kind: RuntimeKind, startMs: number) => void;
}

export interface RuntimeOptions {
  readonly kinds: readonly RuntimeKind[];
  readonly sandbox: SandboxChoice;
  /** Children started ahead, for each runtime. One of wasm costs some 20 MiB, one of onnx twice that. */
  readonly warmChildren: { readonly wasm: number; readonly onnx: number };
  /** ONNX Runtime's providers for jobs with a GPU, best first. */
  readonly executionProviders: readonly string[];
  readonly events?: RuntimeEvents;
}

/** Makes the runtimes without starting them; each is started and stopped by the caller. */
export function createRuntimes(options: RuntimeOptions): ReadonlyMap<RuntimeKind, Runtime> {
  const sandbox = oneSandbox(options);
  return new Map(options.kinds.map((kind) => [kind, createRuntime(kind, options, sandbox)]));
}

function createRuntime(kind: RuntimeKind, options: RuntimeOptions, sandbox: () => Promise<Sandbox>): Runtime {
  const started = (startMs: number) => options.events?.started?.(kind, startMs);
  switch (kind) {
    case 'echo':
      return new EchoRuntime();
    case 'wasm':
      return wasmRuntime({ sandbox, warmChildren: options.warmChildren.wasm, started });
    case 'onnx':
      return onnxRuntime({
        sandbox,
        warmChildren: options.warmChildren.onnx,
        executionProviders: options.executionProviders,
        started,
      });
  }
}

/** Bubblewrap is tried once for all runtimes. */
function oneSandbox(options: RuntimeOptions): () => Promise<Sandbox> {
  let chosen: Promise<Sandbox> | undefined;
  return () => {
    chosen ??= choose(options);
    return chosen;
  };
}

async function choose(options: RuntimeOptions): Promise<Sandbox> {
  const sandbox = await chooseSandbox(options.sandbox);
  options.events?.sandboxChosen?.(sandbox.kind, sandbox.reason);
  return sandbox;
}
