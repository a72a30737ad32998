/** Where a process under test is to be killed: written for it to read, and looked at when it is gone. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CRASH_DIR_VARIABLE, type Armed, type CrashPoint } from './crash-points.ts';

/** A point that is not passed by then is passed by nobody any more. */
const CRASH_MS_MAX = 20_000;

export class CrashPlan {
  readonly #dir = mkdtempSync(path.join(tmpdir(), 'plugpool-crash-'));

  /** Of the process that is to be killed. */
  get env(): Readonly<Record<string, string>> {
    return { [CRASH_DIR_VARIABLE]: this.#dir };
  }

  /** From now on passages count. */
  arm(armed: Armed): void {
    for (const name of ['crashed', 'passed']) rmSync(this.#file(name), { force: true });
    writeFileSync(this.#file('armed.new'), JSON.stringify(armed));
    renameSync(this.#file('armed.new'), this.#file('armed'));
  }

  /** Resolves when the process was killed there; fails where it was not, or ended by anything else. `log` is shown then. */
  async crashedAt(
    point: CrashPoint,
    ended: Promise<NodeJS.Signals | undefined>,
    log: () => string,
  ): Promise<void> {
    const signal = await withinMs(ended, CRASH_MS_MAX, `"${point}" was never passed`);
    assert.equal(signal, 'SIGKILL', `the process ended by itself:\n${log()}`);
    assert.equal(readFileSync(this.#file('crashed'), 'utf8'), point);
    rmSync(this.#file('armed'));
  }

  /** Whether the process has come past that point since it was armed for whatever point. */
  hasPassed(point: CrashPoint): boolean {
    const file = this.#file('passed');
    return existsSync(file) && readFileSync(file, 'utf8').split('\n').includes(point);
  }

  remove(): void {
    rmSync(this.#dir, { recursive: true });
  }

  #file(name: string): string {
    return path.join(this.#dir, name);
  }
}

async function withinMs<Value>(value: Promise<Value>, ms: number, otherwise: string): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${ms / 1000} s: ${otherwise}`)), ms);
  });
  try {
    return await Promise.race([value, late]);
  } finally {
    clearTimeout(timer);
  }
}
