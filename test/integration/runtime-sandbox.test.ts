/** What a process in the sandbox can reach: a look around from inside, with the very arguments that children are started with. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { chooseSandbox, probeBwrap, SandboxUnavailable } from '../../vehicle-client/runtimes/sandbox.ts';
import type { ChildCommand, SandboxKind } from '../../vehicle-client/runtimes/sandbox.ts';
import { stageProgram } from '../../vehicle-client/runtimes/stage.ts';
import type { ChildProgram, StagedProgram } from '../../vehicle-client/runtimes/stage.ts';
import { WASM_CHILD, wasmRuntime } from '../../vehicle-client/runtimes/wasm/runtime.ts';

const run = promisify(execFile);
const bwrap = await probeBwrap();
const skip = bwrap.ok ? false : `bubblewrap cannot be used: ${bwrap.reason}`;
const PROGRAM: ChildProgram = { ...WASM_CHILD, nodeFlags: [...WASM_CHILD.nodeFlags, '--eval'] };

/** The command of a real child with a script in the place of the child's own file. */
function withScript(command: ChildCommand, script: string): ChildCommand {
  return { ...command, args: [...command.args.slice(0, command.args.indexOf('--eval') + 1), script] };
}

function look(command: ChildCommand): Promise<unknown> {
  const child = spawn(command.file, command.args, {
    env: command.env,
    cwd: command.cwd,
    stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
  });
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout!.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0 ? resolve(JSON.parse(text)) : reject(new Error(`exit code ${code}`)),
    );
  });
}

/** Evaluates an expression where a child would run. */
async function seenFrom(kind: SandboxKind, staged: StagedProgram, expression: string): Promise<unknown> {
  const command = await (await chooseSandbox(kind)).command(PROGRAM, staged);
  return look(withScript(command, `const fs = require('fs'); console.log(JSON.stringify(${expression}))`));
}

const tried = (statement: string) =>
  `(() => { try { return ${statement} } catch (error) { return error.code } })()`;

describe('a process in bubblewrap', { skip, timeout: 60_000 }, () => {
  let staged: StagedProgram;
  const seen = (expression: string) => seenFrom('bwrap', staged, expression);

  before(async () => {
    staged = await stageProgram(PROGRAM);
  });
  after(() => staged.remove());

  it('sees Node, its libraries, its own program and nothing else', async () => {
    const files = (await seen(
      `fs.readdirSync('/', { recursive: true }).filter((file) => !fs.statSync('/' + file).isDirectory())`,
    )) as string[];
    const strangers = files.filter((file) => !/^(node$|app\/|lib|usr\/lib)/.test(file));
    assert.deepEqual(strangers, []);
    assert(files.includes('node') && files.includes('app/wasm/child.js'));
    assert(files.length < 40, `${files.length} files`);
  });

  it('cannot write anywhere', async () => {
    for (const place of ['/x', '/app/x', '/tmp/x', '/dev/shm/x', '/app/wasm/child.js']) {
      const code = await seen(tried(`fs.writeFileSync('${place}', 'x')`));
      assert(['EROFS', 'ENOENT', 'EACCES'].includes(String(code)), `${place}: ${String(code)}`);
    }
  });

  it('has no environment, no process beside it, and is nobody', async () => {
    process.env['PLUGPOOL_TEST_SECRET'] = 'secret';
    const facts = await seen(
      `[Object.keys(process.env).filter((name) => name !== 'PWD'), process.pid, process.ppid, process.getuid(), process.getgid()]`,
    );
    delete process.env['PLUGPOOL_TEST_SECRET'];
    assert.deepEqual(facts, [[], 1, 0, 65_534, 65_534]);
  });

  it('reaches no listener of this machine and has no interface but an idle loopback', async () => {
    const server = net.createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as net.AddressInfo;
    const command = await (await chooseSandbox('bwrap')).command(PROGRAM, staged);
    const script = `require('net').connect(${port}, '127.0.0.1')
      .on('connect', () => console.log('"connected"')).on('error', (error) => console.log(JSON.stringify(error.code)))`;
    try {
      const answer = await look(withScript(command, script));
      assert(answer === 'ECONNREFUSED' || answer === 'ENETUNREACH', String(answer));
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
    const interfaces = await seen(
      `Object.keys(require('os').networkInterfaces()).filter((name) => name !== 'lo')`,
    );
    assert.deepEqual(interfaces, []);
  });

  it('dies with the process that started it', { timeout: 10_000 }, (test) =>
    diesWithParent('bwrap', staged, test.signal),
  );
});

describe('a process without bubblewrap', { timeout: 60_000 }, () => {
  let staged: StagedProgram;
  const seen = (expression: string) => seenFrom('process', staged, expression);

  before(async () => {
    staged = await stageProgram(PROGRAM);
  });
  after(() => staged.remove());

  it('reads no file beside its own program, writes none and starts no program', async () => {
    assert.equal(await seen(tried(`fs.readFileSync('/etc/passwd', 'utf8')`)), 'ERR_ACCESS_DENIED');
    assert.equal(await seen(tried(`fs.writeFileSync('x', 'x')`)), 'ERR_ACCESS_DENIED');
    assert.equal(await seen(tried(`require('child_process').execFileSync('true')`)), 'ERR_ACCESS_DENIED');
    assert.equal(
      await seen(tried(`typeof new (require('worker_threads').Worker)('', { eval: true })`)),
      'ERR_ACCESS_DENIED',
    );
  });

  it('has no environment and an empty directory', async () => {
    process.env['PLUGPOOL_TEST_SECRET'] = 'secret';
    const facts = await seen(`[Object.keys(process.env), fs.readdirSync('.')]`);
    delete process.env['PLUGPOOL_TEST_SECRET'];
    assert.deepEqual(facts, [[], []]);
  });

  const noSetpriv = fs.existsSync('/usr/bin/setpriv') ? false : 'setpriv (util-linux) is not installed';
  it('dies with the process that started it', { skip: noSetpriv, timeout: 10_000 }, (test) =>
    diesWithParent('process', staged, test.signal),
  );
});

describe('the choice of a sandbox', { timeout: 60_000 }, () => {
  const withoutBwrap = async <T>(what: () => Promise<T>): Promise<T> => {
    const before = process.env['PATH'];
    process.env['PATH'] = path.join(os.tmpdir(), 'there-is-no-such-folder');
    try {
      return await what();
    } finally {
      process.env['PATH'] = before;
    }
  };

  it('refuses strangers where bubblewrap is missing, and says what to do', async () => {
    const runtime = wasmRuntime({
      sandbox: () => chooseSandbox('bwrap'),
      warmChildren: 1,
      started: () => undefined,
    });
    const start = withoutBwrap(() => runtime.start(new AbortController().signal));
    await assert.rejects(start, (error: Error) => {
      assert(error instanceof SandboxUnavailable);
      assert.match(error.message, /no program "bwrap" on the PATH/);
      assert.match(error.hint, /apt install bubblewrap.*--sandbox process/);
      return true;
    });
  });

  it('falls back to a process only where that was asked for, and says why', async () => {
    const sandbox = await withoutBwrap(() => chooseSandbox('bwrap-else-process'));
    assert.equal(sandbox.kind, 'process');
    assert.match(sandbox.reason, /no program "bwrap"/);
  });

  it('works for a user who is not root', { skip: skip || notRoot() }, async () => {
    const script = `import(${JSON.stringify(path.resolve(import.meta.dirname, '../../vehicle-client/runtimes/sandbox.ts'))})
      .then((sandbox) => sandbox.probeBwrap()).then((probed) => console.log(JSON.stringify(probed)))`;
    const { stdout } = await run('setpriv', [
      ...['--reuid', '65534', '--regid', '65534', '--clear-groups'],
      ...[process.execPath, '--eval', script],
    ]);
    assert.equal((JSON.parse(stdout) as { ok: boolean }).ok, true, stdout);
  });
});

/** Starts a child from a parent of its own, and kills that one. */
async function diesWithParent(kind: SandboxKind, staged: StagedProgram, signal: AbortSignal): Promise<void> {
  const command = await (await chooseSandbox(kind)).command(PROGRAM, staged);
  const { file, args, env, cwd } = withScript(command, 'setInterval(() => {}, 1000); console.log()');
  const script = `const { file, args, env, cwd } = ${JSON.stringify({ file, args, env, cwd })};
    const stdio = ['ignore', 'pipe', 'inherit', 'pipe'];
    const child = require('child_process').spawn(file, args, { env, cwd, stdio, detached: true });
    // Bubblewrap writes what it has to say in pieces, and the child may speak before it.
    let info = ${kind === 'bwrap'} ? '' : '{ "child-pid": ' + child.pid + ' }';
    let hasSpoken = false;
    const report = () => hasSpoken && info.includes('}') && process.stdout.write(info);
    child.stdio[3].on('data', (chunk) => ((info += chunk), report()));
    child.stdout.once('data', () => ((hasSpoken = true), report()));`;
  const parent = spawn(process.execPath, ['--eval', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  let pid: number | undefined;
  try {
    pid = await childPidFrom(parent.stdout);
    assert(isComputing(pid));
    parent.kill('SIGKILL');
    // The kernel ends it soon, but in its own time; a child that stays is ended by the time-out.
    while (isComputing(pid)) {
      signal.throwIfAborted();
      await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    parent.kill('SIGKILL');
    if (pid !== undefined && isComputing(pid)) process.kill(pid, 'SIGKILL');
  }
}

async function childPidFrom(stream: Readable): Promise<number> {
  let info = '';
  for await (const chunk of stream.setEncoding('utf8') as AsyncIterable<string>) {
    info += chunk;
    if (info.includes('}')) break;
  }
  return (JSON.parse(info) as { 'child-pid': number })['child-pid'];
}

function isComputing(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

function notRoot(): string | false {
  return process.getuid?.() === 0 ? false : 'the tests already run as another user than root';
}
