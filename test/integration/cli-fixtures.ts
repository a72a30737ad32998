/** What the tests of the operator's side share: a pile in this process, commands against it, and programs of their own. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import type { TestContext } from 'node:test';
import { configOf, startAgent, type ConfigInput, type RunningAgent } from '@plugpool/agent';
import { runCli } from '../../agent/cli/program.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const BINS = { agent: 'agent/bin/plugpool-agent.js', operator: 'agent/bin/plugpool.js' } as const;

export function newDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'plugpool-cli-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export interface Pile extends RunningAgent {
  readonly dataDir: string;
}

/** Stops with the test. */
export async function startPile(t: TestContext, input: ConfigInput = {}): Promise<Pile> {
  const dataDir = newDirectory(t);
  const running = await startAgent(configOf({ dataDir, listen: 'mqtt://127.0.0.1:0', ...input }));
  t.after(() => running.stop());
  return { ...running, dataDir };
}

export interface CliOutcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `plugpool …` in this process. */
export function plugpool(dataDir: string, ...argv: string[]): Promise<CliOutcome> {
  return interruptible(dataDir, argv, () => () => undefined);
}

/** The same, where somebody at the terminal may interrupt it. */
export async function interruptible(
  dataDir: string,
  argv: readonly string[],
  onInterrupt: (callback: () => void) => () => void,
): Promise<CliOutcome> {
  const [stdout, stderr] = [new Collected(), new Collected()];
  const context = {
    stdout,
    stderr,
    env: { PLUGPOOL_DATA_DIR: dataDir },
    paint: (_: string, text: string) => text,
    onInterrupt,
  };
  const code = await runCli(argv, context);
  return { code, stdout: stdout.text, stderr: stderr.text };
}

/** With `--json`: the one document. */
export async function plugpoolJson(dataDir: string, ...argv: string[]): Promise<unknown> {
  const { code, stdout, stderr } = await plugpool(dataDir, ...argv, '--json');
  assert.equal(stdout.trim().split('\n').length, 1, stdout);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

class Collected extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

export interface Program {
  readonly child: ChildProcess;
  readonly outcome: Promise<CliOutcome & { readonly signal: NodeJS.Signals | null }>;
  /** Resolves with the line on standard error that has this text; rejects when the program ends without it. */
  said(text: string): Promise<string>;
}

/** A program in a process of its own, killed with the test. */
export function startProgram(
  t: TestContext,
  bin: keyof typeof BINS,
  argv: readonly string[],
  { nodeArgs = [], env = {} }: { nodeArgs?: readonly string[]; env?: NodeJS.ProcessEnv } = {},
): Program {
  const child = spawn(process.execPath, [...nodeArgs, join(ROOT, BINS[bin]), ...argv], {
    env: { PATH: process.env['PATH'], HOME: newDirectory(t), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const outcome = new Promise<CliOutcome & { signal: NodeJS.Signals | null }>((resolve) =>
    child.once('close', (code, signal) => resolve({ code: code ?? -1, signal, stdout, stderr })),
  );
  const said = (text: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const line = stderr.split('\n').find((one) => one.includes(text));
        if (line !== undefined) resolve(line);
      };
      child.stderr.on('data', look);
      look();
      void outcome.then(() => reject(new Error(`it ended without saying "${text}":\n${stderr}`)));
    });
  return { child, outcome, said };
}
