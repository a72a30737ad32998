/** What one WASI module may do, sees and costs, in each sandbox; most of the modules here mean harm. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { RunLimits } from '@plugpool/proto';
import type { Job, JobOutcome } from '../../vehicle-client/runtimes/port.ts';
import { chooseSandbox, probeBwrap } from '../../vehicle-client/runtimes/sandbox.ts';
import type { SandboxedRuntime } from '../../vehicle-client/runtimes/sandboxed-runtime.ts';
import { wasmRuntime } from '../../vehicle-client/runtimes/wasm/runtime.ts';
import * as modules from '../fixtures/wasm/modules.ts';

const ERRNO_DQUOT = 19;
const ERRNO_MFILE = 33;
const ERRNO_NOENT = 44;
const ERRNO_NOTSUP = 58;
const ERRNO_PERM = 63;
const ERRNO_ROFS = 69;
const ERRNO_NOTCAPABLE = 76;
const REFUSED = 255;

const LIMITS: RunLimits = { cpuMs: 20_000, wallMs: 60_000, memoryMib: 64, outputBytes: 1024 * 1024 };
const bwrap = await probeBwrap();
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'plugpool-test-'));
after(() => fs.rmSync(folder, { recursive: true, force: true }));

let images = 0;

function jobFor(module: Uint8Array, over: Partial<Job> = {}): Job {
  const imagePath = path.join(folder, `${(images += 1)}.wasm`);
  fs.writeFileSync(imagePath, module);
  return {
    name: 'test',
    imagePath,
    args: [],
    env: {},
    input: new Uint8Array(),
    limits: LIMITS,
    seed: Buffer.alloc(16, 7),
    threads: 1,
    gpu: false,
    ...over,
  };
}

function limited(limits: Partial<RunLimits>): Partial<Job> {
  return { limits: { ...LIMITS, ...limits } };
}

function outputOf(outcome: JobOutcome): Buffer {
  assert(outcome.ok, `it failed: ${JSON.stringify(outcome)}`);
  return Buffer.from(outcome.output);
}

function failureOf(outcome: JobOutcome) {
  assert(!outcome.ok, 'it must fail');
  return outcome.failure;
}

for (const kind of ['bwrap', 'process'] as const) {
  const skip = kind === 'bwrap' && !bwrap.ok ? `bubblewrap cannot be used: ${bwrap.reason}` : false;

  describe(`the wasm runtime in the sandbox "${kind}"`, { skip, timeout: 180_000 }, () => {
    let runtime: SandboxedRuntime;
    const run = (module: Uint8Array, over?: Partial<Job>) => runtime.run(jobFor(module, over)).outcome;

    before(async () => {
      const sandbox = chooseSandbox(kind);
      runtime = wasmRuntime({ sandbox: () => sandbox, warmChildren: 1, started: () => undefined });
      await runtime.start(new AbortController().signal);
    });
    after(() => runtime.stop());

    it('copies standard input to standard output, byte for byte', async () => {
      const input = Uint8Array.from({ length: 300_000 }, (_, index) => (index * 7919) % 251);
      assert.deepEqual(outputOf(await run(modules.copiesStdin(), { input })), Buffer.from(input));
    });

    it('offers the input as /input/stdin too', async () => {
      const input = Buffer.from('the same bytes');
      assert.deepEqual(outputOf(await run(modules.copiesInputFile(), { input })), input);
    });

    it('takes /output/result for the result where the program wrote one', async () => {
      assert.equal(outputOf(await run(modules.writesResultFile())).toString(), 'the result');
    });

    it('passes a thousand arguments, and those that are not ASCII, whole', async () => {
      const args = ['Straße', '→', '', ...Array.from({ length: 1000 }, (_, index) => `argument ${index}`)];
      const printed = outputOf(await run(modules.printsArguments(), { args })).toString();
      assert.deepEqual(printed.split('\0'), ['plugpool-task', ...args, '']);
    });

    it('gives the environment of the job, and nothing of the vehicle', async () => {
      const given = outputOf(
        await run(modules.printsEnvironment(), { env: { PLUGPOOL_PART: '3', PLUGPOOL_PARTS: '16' } }),
      );
      assert.equal(given.toString(), 'PLUGPOOL_PART=3\0PLUGPOOL_PARTS=16\0');
      assert.equal(outputOf(await run(modules.printsEnvironment())).toString(), '');
    });

    it('gives the same randomness for the same seed and another for another', async () => {
      const [first, again, other] = await Promise.all(
        [1, 1, 2].map(async (byte) =>
          outputOf(await run(modules.printsRandom(), { seed: Buffer.alloc(16, byte) })),
        ),
      );
      assert.equal(first!.byteLength, 48);
      assert.deepEqual(first, again);
      assert.notDeepEqual(first, other);
    });

    it('shows two runs the same clocks, which move with every reading', async () => {
      const first = outputOf(await run(modules.printsClocks()));
      const again = outputOf(await run(modules.printsClocks()));
      assert.deepEqual(first, again);
      const startNs = first.readBigUInt64LE(0);
      const endNs = first.readBigUInt64LE(32);
      assert(endNs > startNs);
      assert.equal(new Date(Number(startNs / 1_000_000n)).toISOString(), '2020-01-01T00:00:00.000Z');
    });

    it('moves the clock by what the program slept', async () => {
      const readings = outputOf(await run(modules.sleepsByItsClock()));
      const sleptNs = readings.readBigUInt64LE(8) - readings.readBigUInt64LE(0);
      assert.equal(sleptNs, 3_000_000n + 10_000n);
    });

    it('ends an endless loop at its CPU-time limit and says what it used', async () => {
      const outcome = await run(modules.loops(), limited({ cpuMs: 200 }));
      assert.equal(failureOf(outcome).code, 'cpu_time_limit');
      assert(outcome.used.cpuMs >= 200, `${outcome.used.cpuMs} ms`);
    });

    it('ends a loop in the start section the same way', async () => {
      const outcome = await run(modules.loopsInStartSection(), limited({ cpuMs: 100 }));
      assert.equal(failureOf(outcome).code, 'cpu_time_limit');
    });

    it('ends a program that sleeps at its wall-time limit, having used next to no CPU', async () => {
      const outcome = await run(modules.sleepsForAnHour(), limited({ wallMs: 150 }));
      assert.equal(failureOf(outcome).code, 'wall_time_limit');
      assert(outcome.used.wallMs >= 150 && outcome.used.cpuMs < 100, JSON.stringify(outcome.used));
    });

    it('refuses memory beyond the limit and blames it for the trap that follows', async () => {
      const outcome = await run(modules.growsUntilRefusedThenTraps(), limited({ memoryMib: 16 }));
      assert.equal(failureOf(outcome).code, 'memory_limit');
      assert.match(failureOf(outcome).detail, /15 of at most 16 MiB/);
    });

    it('caps a maximum that the module declares itself', async () => {
      const within = await run(modules.growsBy(255, '1 65536'), limited({ memoryMib: 16 }));
      const beyond = await run(modules.growsBy(256, '1 65536'), limited({ memoryMib: 16 }));
      assert.deepEqual([...outputOf(within)], [1]);
      assert.deepEqual([...outputOf(beyond)], [REFUSED]);
    });

    it('leaves a maximum below the limit as it is', async () => {
      assert.deepEqual([...outputOf(await run(modules.growsBy(2, '1 2')))], [REFUSED]);
    });

    it('refuses a module that needs more memory to start than its limit', async () => {
      const failure = failureOf(await run(modules.needsPages(65_536)));
      assert.equal(failure.code, 'memory_limit');
      assert.match(failure.detail, /needs 4096 MiB/);
    });

    it('bounds what the engine itself keeps for a module', async () => {
      assert.equal(failureOf(await run(modules.fillsTheEnginesHeap())).code, 'memory_limit');
    });

    it('counts files against the memory limit', async () => {
      const filled = await run(modules.fillsOutputDirectory(), limited({ memoryMib: 8 }));
      const reserved = await run(modules.reservesTebibyte());
      assert.deepEqual([...outputOf(filled)], [ERRNO_DQUOT]);
      assert.deepEqual([...outputOf(reserved)], [ERRNO_DQUOT]);
    });

    it('bounds the descriptors of a program', async () => {
      assert.deepEqual([...outputOf(await run(modules.opensWithoutEnd()))], [ERRNO_MFILE]);
    });

    it('ends a flood of standard output at its limit', async () => {
      assert.equal(failureOf(await run(modules.floods(1))).code, 'output_limit');
    });

    it('keeps only the tail of a flood of standard error', async () => {
      const flooded = failureOf(await run(modules.floods(2), limited({ cpuMs: 200 })));
      assert.equal(flooded.code, 'cpu_time_limit');
      assert(Buffer.byteLength(flooded.stderrTail) <= 4096);
      assert.equal(outputOf(await run(modules.floodsStderrAndEnds())).toString(), 'ok');
    });

    it('shows what a program said before it was ended', async () => {
      const failure = failureOf(await run(modules.printsAndLoops(), limited({ cpuMs: 100 })));
      assert.equal(failure.stderrTail, 'was here\n');
    });

    it('reports a non-zero exit code, and zero as success', async () => {
      const failure = failureOf(await run(modules.exitsWith(3)));
      assert.deepEqual([failure.code, failure.detail], ['exit_nonzero', 'exit code 3']);
      assert.equal(outputOf(await run(modules.exitsWith(0))).byteLength, 0);
    });

    it('reports a trap, an overflow of the stack and an address outside the memory as traps', async () => {
      for (const module of [
        modules.traps(),
        modules.overflowsStack(),
        modules.asksRandomBeyondMemory(),
        modules.passesCountlessVectors(),
      ]) {
        assert.equal(failureOf(await run(module)).code, 'trap');
      }
    });

    it('names the import that a module may not have', async () => {
      const evil = failureOf(await run(modules.importsFunction('env', 'evil')));
      const unknown = failureOf(await run(modules.importsFunction('wasi_snapshot_preview1', 'sock_open')));
      const memory = failureOf(await run(modules.importsMemory()));
      assert.deepEqual([evil.code, unknown.code, memory.code], Array(3).fill('import_forbidden'));
      assert.match(evil.detail, /env\.evil \(function\)/);
      assert.match(unknown.detail, /sock_open/);
      assert.match(memory.detail, /env\.memory \(memory\)/);
    });

    it('lets sockets be imported, and none be used', async () => {
      assert.deepEqual([...outputOf(await run(modules.usesSockets()))], [ERRNO_NOTSUP, ERRNO_NOTSUP]);
    });

    it('opens nothing outside of the three directories in memory', async () => {
      const attempts: [number, string, number, number][] = [
        [3, '../../etc/passwd', 0, ERRNO_NOTCAPABLE],
        [3, '/etc/passwd', 0, ERRNO_NOTCAPABLE],
        [4, 'a/../../../etc/passwd', 0, ERRNO_NOTCAPABLE],
        [4, 'etc/passwd', 0, ERRNO_NOENT],
        [3, 'stdin', 0, ERRNO_PERM],
        [3, 'new', 1, ERRNO_ROFS],
      ];
      for (const [fd, name, oflags, expected] of attempts) {
        assert.deepEqual([...outputOf(await run(modules.opens(fd, name, oflags)))], [expected], name);
      }
    });

    it('refuses what is no WASI command', async () => {
      for (const module of [
        Buffer.from('no module at all'),
        new Uint8Array(),
        Buffer.concat([modules.traps(), Buffer.from([5, 200, 1])]),
        modules.hasNoStart(),
        modules.hasNoMemory(),
        modules.sharesMemory(),
      ]) {
        assert.equal(failureOf(await run(module)).code, 'image_invalid');
      }
    });

    it('says that an image is not there', async () => {
      const job = { ...jobFor(modules.traps()), imagePath: path.join(folder, 'absent.wasm') };
      assert.equal(failureOf(await runtime.run(job).outcome).code, 'image_unavailable');
    });

    it('leaves no process of a job behind that was killed', async () => {
      const started = Promise.withResolvers<void>();
      const sandbox = chooseSandbox(kind);
      const own = wasmRuntime({ sandbox: () => sandbox, warmChildren: 0, started: () => undefined });
      await own.start(new AbortController().signal);
      const running = own.run(jobFor(modules.loops()));
      const poll = setInterval(() => running.cpuMs() > 30 && started.resolve(), 5);
      await started.promise;
      clearInterval(poll);
      const pids = running.pids();
      assert(pids.length > 0 && pids.every(isAlive));
      // What is lent is idle time: the owner's own programs go first.
      for (const pid of pids) assert(os.getPriority(pid) > 0);
      running.kill();
      assert.equal(failureOf(await running.outcome).code, 'revoked');
      assert.deepEqual(pids.filter(isAlive), []);
      assert.deepEqual(running.pids(), []);
      await own.stop();
    });

    it('stands still while suspended and goes on where it was', { timeout: 30_000 }, async (test) => {
      const running = runtime.run(jobFor(modules.loops(), limited({ cpuMs: 300 })));
      const computing = Promise.withResolvers<void>();
      const poll = setInterval(() => running.cpuMs() > 30 && computing.resolve(), 5);
      await computing.promise;
      clearInterval(poll);
      running.suspend();
      await stopped(running.pids(), test.signal);
      const before = running.cpuMs();
      assert.equal(running.cpuMs(), before);
      running.resume();
      assert.equal(failureOf(await running.outcome).code, 'cpu_time_limit');
    });

    it('runs twenty at once from a pool of one, and charges none for the start of its child', async () => {
      const outcomes = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          run(modules.copiesStdin(), { input: Buffer.from(`input ${index}`) }),
        ),
      );
      outcomes.forEach((outcome, index) => assert.equal(outputOf(outcome).toString(), `input ${index}`));
      // A cold start costs more than 30 ms of CPU; copying a few bytes costs none to speak of.
      assert(
        outcomes.every((outcome) => outcome.used.cpuMs < 30),
        JSON.stringify(outcomes.map((one) => one.used)),
      );
    });

    it('runs a C program to the bytes that it gives natively', { skip: clangMissing() }, async () => {
      const source = path.resolve(import.meta.dirname, '../fixtures/wasm/word-count.c');
      const [native, image] = [path.join(folder, 'native'), path.join(folder, 'c.wasm')];
      execFileSync('clang', ['-O2', '-o', native, source, '-lm']);
      execFileSync('clang', ['--target=wasm32-wasi', '-O2', '-o', image, source]);
      const input = fs.readFileSync(source);
      const args = ['one', 'two words', '--three=ü'];
      const expected = execFileSync(native, args, { input });
      assert(expected.byteLength > 1000);
      assert.deepEqual(outputOf(await run(fs.readFileSync(image), { input, args })), expected);
    });
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** The computing process is in state T: the kernel has stopped it. */
async function stopped(pids: readonly number[], signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    const states = pids.map(
      (pid) => /^State:\s+(\w)/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1],
    );
    if (states.includes('T')) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function clangMissing(): string | false {
  try {
    execFileSync('clang', ['--target=wasm32-wasi', '-x', 'c', '-', '-o', '/dev/null'], {
      input: '#include <stdio.h>\nint main(void) { return puts(""); }',
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    return false;
  } catch {
    return 'clang for wasm32-wasi is not installed (Debian: apt install clang lld wasi-libc libclang-rt-14-dev-wasm32)';
  }
}
