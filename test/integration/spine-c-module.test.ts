/**
 * A program that nobody here has seen before, compiled from C, on a pile that was started by hand: no configuration file, firmware
 * played by the operator, every part a process of its own. It gives the bytes that the same C gives natively.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { OWN_ROOT_PIDS } from './spine-scene.ts';

const ROOT = path.join(import.meta.dirname, '../..');
const SOURCE = path.join(import.meta.dirname, '../fixtures/c/track-report.c');
const BINS = {
  agent: path.join(ROOT, 'agent/bin/plugpool-agent.js'),
  operator: path.join(ROOT, 'agent/bin/plugpool.js'),
  vehicle: path.join(ROOT, 'vehicle-client/bin/plugpool-vehicle.js'),
} as const;

/** What these programs would find in the environment of whoever started the tests is not theirs. */
const ENV = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PLUGPOOL_')));

/** Runs until the test ends; resolves with the first line of the stream in which it says that it is there. */
async function keepRunning(
  t: TestContext,
  bin: keyof typeof BINS,
  args: readonly string[],
  says: { readonly on: 'stdout' | 'stderr'; readonly what: RegExp },
): Promise<string> {
  const child = spawn(process.execPath, [BINS[bin], ...args], {
    env: ENV,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(async () => {
    if (child.exitCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  });
  const lines: string[] = [];
  const heard = Promise.withResolvers<string>();
  for (const stream of ['stdout', 'stderr'] as const)
    createInterface({ input: child[stream] }).on('line', (line) => {
      lines.push(line);
      if (stream === says.on && says.what.test(line)) heard.resolve(line);
    });
  child.once('exit', (code) => heard.reject(new Error(`it ended with ${code}:\n${lines.join('\n')}`)));
  return heard.promise;
}

async function run(bin: keyof typeof BINS, args: readonly string[]) {
  const child = spawn(process.execPath, [BINS[bin], ...args], {
    env: ENV,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  return { code, stdout, stderr };
}

function wasiCompilerMissing(): string | false {
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

/** A drive of 4,000 points, above what one message carries. */
function trackOf(points: number): string {
  return Array.from({ length: points }, (_, i) => {
    const at = i / points;
    const latitude = 52.5 + 0.3 * Math.sin(at * 7) + at;
    const longitude = 13.4 + 0.4 * Math.cos(at * 11) - at / 2;
    const speed = 60 + 55 * Math.sin(at * 40);
    return `${latitude.toFixed(7)},${longitude.toFixed(7)},${speed.toFixed(3)}\n`;
  }).join('');
}

test(
  'a module compiled from C is added, lent for and run by hand, and gives what the same C gives natively',
  {
    skip: wasiCompilerMissing(),
  },
  async (t) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'plugpool-c-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const [native, image] = [path.join(folder, 'native'), path.join(folder, 'track-report.wasm')];
    // No fused multiply-add natively: WebAssembly has none.
    const options = ['-O2', '-ffp-contract=off', SOURCE];
    execFileSync('clang', [...options, '-o', native, '-lm']);
    execFileSync('clang', ['--target=wasm32-wasi', ...options, '-o', image]);
    const input = path.join(folder, 'track.csv');
    writeFileSync(input, trackOf(4_000));
    const programArgs = ['420', '300', '50', '99.5'];
    const expected = execFileSync(native, programArgs, { input: readFileSync(input) });
    assert(expected.length > 64 * 1024);

    const dataDir = path.join(folder, 'pile');
    const started = await keepRunning(t, 'agent', ['--data-dir', dataDir, '--listen', 'mqtt://127.0.0.1:0'], {
      on: 'stderr',
      what: /listens on /,
    });
    const url = /mqtt:\/\/[\d.]+:\d+/.exec(started)?.[0] ?? '';
    const operator = (...args: string[]) => run('operator', [...args, '--data-dir', dataDir]);

    const added = await operator(
      ...['algorithms', 'add', image, '--id', 'track-report', '--version', '1.0.0', '--runtime', 'wasm'],
      ...['--cpu-millicores', '500', '--memory-mib', '64', '--work-core-s', '1'],
    );
    assert.equal(added.code, 0, added.stderr);
    assert.match(added.stdout, /added track-report 1\.0\.0/);

    const lending = keepRunning(
      t,
      'vehicle',
      [
        ...['donate', '--agent', url, '--vehicle', 'lender', '--data-dir', path.join(folder, 'lender')],
        ...['--sandbox', 'bwrap-else-process', ...OWN_ROOT_PIDS.flatMap((pid) => ['--own-pid', String(pid)])],
      ],
      { on: 'stdout', what: /connected to station/ },
    );
    const charged = await operator(
      'firmware',
      'charge',
      '--connector',
      '1',
      '--vehicle',
      'lender',
      '--soc',
      '80',
    );
    assert.equal(charged.code, 0, charged.stderr);
    await lending;

    const output = path.join(folder, 'report');
    const asks = ['--agent', url, '--vehicle', 'asker', '--data-dir', path.join(folder, 'asker')];
    const ask = (...args: string[]) =>
      run('vehicle', ['run', 'track-report', ...asks, '--input', input, '--output', output, ...args]);
    const ran = await ask('--', ...programArgs);
    assert.equal(ran.code, 0, ran.stderr);
    assert.equal(ran.stdout, '');
    assert(readFileSync(output).equals(expected), 'the same bytes');

    // What it refuses, it refuses in its own words, wherever it runs.
    rmSync(output);
    const refused = await ask('--json', '--', '1', '1');
    assert.equal(refused.code, 1);
    const { error } = JSON.parse(refused.stdout) as { error: { code: string; message: string } };
    assert.equal(error.code, 'exit_nonzero');
    assert.match(error.message, /usage: track-report WIDTH HEIGHT/);

    const tasks = JSON.parse((await operator('tasks', '--json')).stdout) as {
      tasks: { state: string; donor: string }[];
    };
    assert.deepEqual(
      tasks.tasks.map(({ state, donor }) => [state, donor]),
      [
        ['failed', 'lender'],
        ['completed', 'lender'],
      ],
    );
  },
);
