/** A pile and its vehicles as real processes on this machine, for the demo, the benches and the fault tests. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ControlClient, controlSocketPath } from '@plugpool/agent';
import { stringify } from 'yaml';

const ROOT = path.join(import.meta.dirname, '..');
const AGENT_BIN = path.join(ROOT, 'agent/bin/plugpool-agent.js');
const OPERATOR_BIN = path.join(ROOT, 'agent/bin/plugpool.js');
const VEHICLE_BIN = path.join(ROOT, 'vehicle-client/bin/plugpool-vehicle.js');
const READY_MS = 20_000;
const POLL_MS = 50;
const STOP_MS = 5_000;

export interface StageOptions {
  /** Where data directories and logs go; absent: a temporary directory that is removed at the end. */
  readonly dir?: string;
  /** Of the agent, beside what the stage sets itself. */
  readonly agentConfig?: Readonly<Record<string, unknown>>;
  /** Of Node, before the agent's program. */
  readonly agentNodeArgs?: readonly string[];
  /** Beside this process's own environment. */
  readonly agentEnv?: Readonly<Record<string, string>>;
}

interface SpawnOptions {
  /** Of Node, before the program. */
  readonly nodeArgs?: readonly string[];
  /** Beside this process's own environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts processes, ends those it started, and nothing else. */
export class Stage {
  readonly dir: string;
  readonly #temporary: boolean;
  #agentConfig: Readonly<Record<string, unknown>>;
  readonly #agentStart: SpawnOptions;
  readonly #processes = new Set<ChildProcess>();
  #agent: ChildProcess | undefined;
  #control: ControlClient | undefined;
  /** The control socket answers one question at a time. */
  #asked: Promise<unknown> = Promise.resolve();
  #port = 0;

  constructor(options: StageOptions = {}) {
    this.#temporary = options.dir === undefined;
    this.dir = options.dir ?? mkdtempSync(path.join(tmpdir(), 'plugpool-'));
    mkdirSync(this.dir, { recursive: true });
    this.#agentConfig = options.agentConfig ?? {};
    this.#agentStart = { nodeArgs: options.agentNodeArgs ?? [], env: options.agentEnv ?? {} };
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.#port}`;
  }

  get agentPid(): number {
    return this.#agent?.pid ?? 0;
  }

  get agentDataDir(): string {
    return path.join(this.dir, 'agent');
  }

  /** Of the next start. */
  configureAgent(config: Readonly<Record<string, unknown>>): void {
    this.#agentConfig = config;
  }

  /** Resolves when the operator's commands are answered. The port is kept over a restart. */
  async startAgent(): Promise<void> {
    if (this.#port === 0) this.#port = await freePort();
    const config = path.join(this.dir, 'agent.yaml');
    writeFileSync(config, stringify(this.#agentConfig));
    const args = ['--config', config, '--data-dir', this.agentDataDir, '--listen', this.url];
    this.#agent = this.#spawn('agent', AGENT_BIN, args, this.#agentStart);
    const agent = this.#agent;
    await this.until('the agent to answer', async () => {
      if (agent.exitCode !== null || agent.signalCode !== null)
        throw new Error(`the agent ended:\n${lastLines(this.logPath('agent'))}`);
      return this.ask('status').then(
        () => true,
        () => false,
      );
    });
  }

  /** Asks the running agent what the operator's commands ask. */
  ask(verb: string, args: object = {}): Promise<unknown> {
    const answer = this.#asked.then(() => this.#askNow(verb, args));
    this.#asked = answer.catch(() => undefined);
    return answer;
  }

  async #askNow(verb: string, args: object): Promise<unknown> {
    this.#control ??= new ControlClient(controlSocketPath(this.agentDataDir));
    try {
      return await this.#control.ask(verb, args);
    } catch (error) {
      // A connection that broke is made anew by the next question.
      this.#control.close();
      this.#control = undefined;
      throw error;
    }
  }

  /** The process is killed, as a power cut would. */
  async killAgent(): Promise<void> {
    const agent = this.#agent;
    if (agent === undefined) return;
    agent.kill('SIGKILL');
    await this.agentEnded();
  }

  /** Asks it to stop cleanly, and does not wait. */
  tellAgentToStop(): void {
    this.#agent?.kill('SIGTERM');
  }

  /** Resolves when the agent's process is gone, whoever ended it; with the signal that did. */
  async agentEnded(): Promise<NodeJS.Signals | undefined> {
    if (this.#agent !== undefined) await exited(this.#agent);
    this.#control?.close();
    this.#control = undefined;
    return this.#agent?.signalCode ?? undefined;
  }

  /** A `plugpool` command with `--json`; its document. Rejects with what it said on standard error. */
  async operator(args: readonly string[]): Promise<unknown> {
    const { code, stdout, stderr } = await this.run(OPERATOR_BIN, [
      ...args,
      '--json',
      '--data-dir',
      this.agentDataDir,
    ]);
    if (code !== 0) throw new Error(`plugpool ${args.join(' ')}: ${stderr.trim() || `exit code ${code}`}`);
    return JSON.parse(stdout) as unknown;
  }

  vehicleDir(vehicleId: string): string {
    return path.join(this.dir, vehicleId);
  }

  /** Starts a lending client; `config` is its configuration file. */
  startDonor(vehicleId: string, config: Readonly<Record<string, unknown>> = {}): ChildProcess {
    mkdirSync(this.vehicleDir(vehicleId), { recursive: true });
    const file = path.join(this.vehicleDir(vehicleId), 'config.yaml');
    writeFileSync(file, stringify(config));
    return this.#spawn(vehicleId, VEHICLE_BIN, [
      'donate',
      '--agent',
      this.url,
      '--vehicle',
      vehicleId,
      '--config',
      file,
      '--data-dir',
      this.vehicleDir(vehicleId),
    ]);
  }

  /** A `plugpool-vehicle` command to its end. */
  vehicle(args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    return this.run(VEHICLE_BIN, args);
  }

  /** Starts any other program that belongs to the scene; it must end on SIGTERM. */
  startProgram(name: string, program: string, args: readonly string[], options?: SpawnOptions): ChildProcess {
    return this.#spawn(name, program, args, options);
  }

  logPath(name: string): string {
    return path.join(this.dir, `${name}.log`);
  }

  async run(bin: string, args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    const child = spawn(process.execPath, [bin, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#processes.add(child);
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const [code] = (await once(child, 'close')) as [number | null];
    this.#processes.delete(child);
    return { code: code ?? 1, stdout, stderr };
  }

  async until(what: string, isSo: () => Promise<boolean>, withinMs = READY_MS): Promise<void> {
    const endMs = performance.now() + withinMs;
    while (!(await isSo())) {
      if (performance.now() > endMs) throw new Error(`waited ${withinMs / 1000} s in vain for ${what}`);
      await delay(POLL_MS);
    }
  }

  /** Asks all to stop, kills who does not, removes what is temporary. */
  async stop(): Promise<void> {
    await this.#asked;
    this.#control?.close();
    const running = [...this.#processes];
    for (const child of running) child.kill('SIGTERM');
    const all = Promise.all(running.map(exited));
    // Without holding the process: who waits for nobody else is not to wait for this.
    const inTime = await Promise.race([all.then(() => true), delay(STOP_MS, false, { ref: false })]);
    if (!inTime) for (const child of running) child.kill('SIGKILL');
    await all;
    if (this.#temporary) rmSync(this.dir, { recursive: true, force: true });
  }

  #spawn(name: string, bin: string, args: readonly string[], options?: SpawnOptions): ChildProcess {
    const log = openSync(this.logPath(name), 'a');
    const { nodeArgs = [], env = {} } = options ?? {};
    const child = spawn(process.execPath, [...nodeArgs, bin, ...args], {
      stdio: ['ignore', log, log],
      env: { ...process.env, ...env },
    });
    this.#processes.add(child);
    child.once('exit', () => this.#processes.delete(child));
    return child;
  }
}

async function exited(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await once(child, 'exit');
}

function lastLines(file: string): string {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-10).join('\n');
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
