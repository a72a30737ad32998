/**
 * The process in which one WASI module runs, once. It is started ahead, waits for its job, runs it, reports and is killed.
 * Everything it needs comes through its standard input; it opens no file after its own sources.
 */
import v8 from 'node:v8';
import type { Fd } from '@bjorn3/browser_wasi_shim';
import type { FailureCode } from '@plugpool/proto';
import { announceReady, finish, noteStarted, receiveJob, sendKept, writeStderr } from '../child-channel.ts';
import type { ReceivedJob } from '../child-channel.ts';
import { unpackCheckpoint } from '../checkpoint-archive.ts';
import { KeptState } from './kept-state.ts';
import { capMemory } from './memory-cap.ts';
import { checkProgram, WASI_MODULE } from './program-check.ts';
import { CheckpointPreopen, TaskPreopen } from './task-directories.ts';
import { FileQuota, OpenTaskFile, Sink, TaskFile } from './task-files.ts';
import { taskWasi } from './task-wasi.ts';
import type { WasiCalls } from './task-wasi.ts';

const MIB_BYTES = 1024 * 1024;
const PAGE_BYTES = 64 * 1024;
/** Up to here optimising each function before its first call costs milliseconds; a large C program would wait for 30 and more. */
const OPTIMISED_BYTES_MAX = 64 * 1024;
/** Above this page an address has its sign bit set when it arrives in JavaScript. */
const SIGNED_PAGES_MAX = 32 * 1024;

/** `(module (memory (export "memory") 0) (func (export "_start")))` */
const SMALLEST_COMMAND = Uint8Array.from(
  Buffer.from(
    '0061736d01000000010401600000030201000503010000071302066d656d6f72790200065f737461727400000a040102000b',
    'hex',
  ),
);

interface Program {
  readonly module: WebAssembly.Module;
  readonly maxPages: number;
  readonly memoryLowered: boolean;
}

interface Streams {
  readonly fds: Fd[];
  readonly stdout: TaskFile;
  readonly outputDirectory: TaskPreopen;
  readonly kept: KeptState;
}

interface CommandExports {
  readonly memory: WebAssembly.Memory;
  readonly _start: () => void;
}

warmUp();
announceReady();
run(receiveJob());

/** A first run of each step is a millisecond slower than a second one; that one is spent while nobody waits. */
function warmUp(): void {
  const { calls } = taskWasi({
    args: [],
    env: [],
    seed: new Uint8Array(16),
    fds: [],
    between: undefined,
    exit: unreachable,
    raise: unreachable,
  });
  const { module, maxPages } = compile(SMALLEST_COMMAND, 1, new Set(Object.keys(calls)));
  const imports = addressable(calls, maxPages) as WebAssembly.ModuleImports;
  (
    new WebAssembly.Instance(module, { [WASI_MODULE]: imports }).exports as unknown as CommandExports
  )._start();
}

function unreachable(): never {
  throw new Error('the warm-up module calls nothing');
}

function run(received: ReceivedJob): never {
  const streams = openStreams(received);
  const end: { exports?: CommandExports } = {};
  const program = { current: undefined as Program | undefined };
  const fail = (code: FailureCode, detail: string) =>
    finish({ ok: false, ...blameMemory({ code, detail }, program.current, end.exports) });
  const { shim, calls } = taskWasi({
    args: received.job.args,
    env: received.job.env,
    seed: Buffer.from(received.job.seedHex, 'hex'),
    fds: streams.fds,
    between: received.job.keepsState ? () => streams.kept.sendOwed() : undefined,
    exit: (code) =>
      code === 0 ? succeed(streams, received) : fail('exit_nonzero', `exit code ${code >>> 0}`),
    raise: (signal) => fail('trap', `the program raised WASI signal ${signal}`),
  });
  program.current = compile(received.image, received.job.limits.memoryMib, new Set(Object.keys(calls)));
  try {
    const instance = new WebAssembly.Instance(program.current.module, {
      [WASI_MODULE]: addressable(calls, program.current.maxPages),
    });
    end.exports = instance.exports as unknown as CommandExports;
    shim.inst = { exports: end.exports };
    noteStarted();
    end.exports._start();
  } catch (error) {
    fail(...describe(error, end.exports !== undefined));
  }
  return succeed(streams, received);
}

/** Ends the process itself where the module is none that may run. */
function compile(image: Uint8Array<ArrayBuffer>, memoryMib: number, calls: ReadonlySet<string>): Program {
  const capped = capMemory(image, memoryMib);
  if (!capped.ok && capped.code === 'memory_limit') return finish(capped);
  const module = compileBytes(capped.ok ? capped.bytes : image);
  const checked = checkProgram(module, calls);
  if (!checked.ok) return finish(checked);
  if (!capped.ok) return finish(capped);
  return { module, maxPages: capped.maxPages, memoryLowered: capped.lowered };
}

/**
 * V8 begins with quick code and replaces it between calls, never within one: a loop that runs for minutes in one call stays
 * slow. Small modules, which such programs mostly are, are therefore optimised at once.
 */
function compileBytes(bytes: Uint8Array<ArrayBuffer>): WebAssembly.Module {
  if (bytes.byteLength <= OPTIMISED_BYTES_MAX) v8.setFlagsFromString('--no-liftoff');
  else v8.setFlagsFromString('--liftoff');
  try {
    return new WebAssembly.Module(bytes);
  } catch (error) {
    return finish({ ok: false, code: 'image_invalid', detail: (error as Error).message });
  }
}

function openStreams({ job, input, state }: ReceivedJob): Streams {
  const quota = new FileQuota(job.limits.memoryMib * MIB_BYTES);
  const stdout = new TaskFile(new Uint8Array(), new FileQuota(Number.MAX_SAFE_INTEGER));
  const outputDirectory = new TaskPreopen('/output', new Map(), quota);
  const inputFile = new TaskFile(input, undefined);
  const checkpoint = new CheckpointPreopen(quota, () => job.keepsState && kept.changed());
  const kept = new KeptState({
    monoNs: () => process.hrtime.bigint(),
    files: () => checkpoint.files(),
    send: sendKept,
    complain: (why) => writeStderr(Buffer.from(`plugpool: /checkpoint is not kept while it holds ${why}\n`)),
  });
  restore(checkpoint, state);
  return {
    stdout,
    outputDirectory,
    kept,
    fds: [
      new OpenTaskFile(inputFile),
      new Sink((data) => collect(stdout, data, job.limits.outputBytes)),
      new Sink(writeStderr),
      new TaskPreopen('/input', new Map([['stdin', inputFile]]), undefined),
      outputDirectory,
      checkpoint,
    ],
  };
}

/** The parent has unpacked it once already, to see that it can be: what fails here is memory. */
function restore(checkpoint: CheckpointPreopen, state: Uint8Array): void {
  if (state.byteLength === 0) return;
  const unpacked = unpackCheckpoint(state);
  if (!unpacked.ok) return finish({ ok: false, code: 'checkpoint_invalid', detail: unpacked.why });
  if (unpacked.files.every((file) => checkpoint.put(file))) return;
  finish({ ok: false, code: 'memory_limit', detail: 'the kept state is larger than its limit of memory' });
}

function collect(stdout: TaskFile, data: Uint8Array, limitBytes: number): void {
  const size = stdout.bytes.byteLength;
  if (size + data.byteLength > limitBytes) return exceedOutput(limitBytes);
  stdout.write(data, size);
}

/** The result is `/output/result` where the program wrote one, and its standard output otherwise. */
function succeed(streams: Streams, { job }: ReceivedJob): never {
  const result = streams.outputDirectory.dir.contents.get('result');
  const output = result instanceof TaskFile ? result.bytes : streams.stdout.bytes;
  if (output.byteLength > job.limits.outputBytes) return exceedOutput(job.limits.outputBytes);
  return finish({ ok: true, output: [output] });
}

function exceedOutput(limitBytes: number): never {
  return finish({ ok: false, code: 'output_limit', detail: `the output is larger than ${limitBytes} bytes` });
}

function describe(error: unknown, started: boolean): [FailureCode, string] {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof WebAssembly.LinkError) return ['import_forbidden', message];
  if (error instanceof WebAssembly.RuntimeError) return ['trap', message];
  if (error instanceof RangeError && /call stack/i.test(message)) return ['trap', 'stack overflow'];
  if (error instanceof RangeError && !started) return ['memory_limit', message];
  if (error instanceof RangeError || error instanceof TypeError) {
    return ['trap', `a WASI call was given what is outside the module's memory (${message})`];
  }
  return ['trap', message];
}

/**
 * A program that cannot get memory traps, aborts or exits with a code of its own; that it was memory shows only in how much it
 * has. Allocators grow in steps of up to the double, so half of the cap makes a trap suspicious, and an exit only all but all.
 */
function blameMemory(
  failure: { readonly code: FailureCode; readonly detail: string },
  program: Program | undefined,
  exports: CommandExports | undefined,
): { readonly code: FailureCode; readonly detail: string } {
  if (!program?.memoryLowered || !exports) return failure;
  const share = exports.memory.buffer.byteLength / (program.maxPages * PAGE_BYTES);
  const suspicious =
    (failure.code === 'trap' && share >= 1 / 2) || (failure.code === 'exit_nonzero' && share >= 15 / 16);
  if (!suspicious) return failure;
  const hasMib = Math.round(exports.memory.buffer.byteLength / MIB_BYTES);
  const maxMib = (program.maxPages * PAGE_BYTES) / MIB_BYTES;
  return {
    code: 'memory_limit',
    detail: `${failure.detail}, with ${hasMib} of at most ${maxMib} MiB of memory in use`,
  };
}

/** Addresses above 2 GiB arrive as negative numbers, which the shim takes for what they are not. */
function addressable(calls: WasiCalls, maxPages: number): WasiCalls {
  if (maxPages <= SIGNED_PAGES_MAX) return calls;
  const unsigned = (value: unknown) => (typeof value === 'number' ? value >>> 0 : value);
  const wrapped = Object.entries(calls).map(([name, call]) => [
    name,
    (...args: unknown[]) => call(...(args.map(unsigned) as never[])),
  ]);
  return Object.fromEntries(wrapped) as WasiCalls;
}
