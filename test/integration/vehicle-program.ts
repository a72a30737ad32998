/** The program of a vehicle as a process, and a pile that follows a script for it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { temporaryDirectory } from './vehicle-fixtures.ts';
import { ScriptedPile } from './vehicle-scripted-pile.ts';

export const BIN = join(import.meta.dirname, '../../vehicle-client/bin/plugpool-vehicle.js');

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `plugpool-vehicle` with these arguments; ended with the test at the latest. */
export function start(
  t: TestContext,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): { child: ChildProcess; ended: Promise<Ended> } {
  const inherited = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('PLUGPOOL_')),
  );
  const child = spawn(process.execPath, [BIN, ...args], {
    env: { ...inherited, XDG_STATE_HOME: temporaryDirectory(t), ...env },
  });
  t.after(() => child.kill('SIGKILL'));
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr }));
  return { child, ended };
}

export async function pileFor(t: TestContext): Promise<ScriptedPile> {
  const pile = await ScriptedPile.start();
  t.after(() => pile.stop());
  return pile;
}
