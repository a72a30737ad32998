/** A pile that is killed again and again at named points. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { RealPile } from '../real-pile/real-pile.ts';
import { CRASH_DIR_VARIABLE, type Armed, type CrashPoint } from './crash-points.ts';

/** A point that is not passed by then is passed by nobody any more. */
const CRASH_MS_MAX = 20_000;

export class CrashScene {
  readonly pile: RealPile;
  readonly #dir = mkdtempSync(path.join(tmpdir(), 'plugpool-crash-'));

  constructor() {
    const wrapping = new URL('./wrap-ports.ts', import.meta.url).href;
    this.pile = new RealPile({
      // As agent/bin starts it, but in one process from the beginning.
      agentNodeArgs: ['--max-semi-space-size=4', '--max-old-space-size=512', '--import', wrapping],
      agentEnv: { [CRASH_DIR_VARIABLE]: this.#dir },
      agentConfig: { housekeeping: { cron: '* * * * * *' } },
    });
  }

  /** From now on passages count. */
  arm(armed: Armed): void {
    rmSync(this.#file('crashed'), { force: true });
    writeFileSync(this.#file('armed.new'), JSON.stringify(armed));
    renameSync(this.#file('armed.new'), this.#file('armed'));
  }

  /** Resolves when the agent was killed there; fails where it was not, or ended by anything else. */
  async crashedAt(point: CrashPoint): Promise<void> {
    const ended = await withinMs(this.pile.stage.agentEnded(), CRASH_MS_MAX, `"${point}" was never passed`);
    assert.equal(ended, 'SIGKILL', `the agent ended by itself:\n${this.pile.logTail()}`);
    assert.equal(readFileSync(this.#file('crashed'), 'utf8'), point);
    rmSync(this.#file('armed'));
  }

  async stop(): Promise<void> {
    await this.pile.stop();
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
