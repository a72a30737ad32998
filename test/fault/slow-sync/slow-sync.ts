/**
 * A disk that syncs slowly, for a process that is yet to be started: a small library, compiled here and now, that makes each
 * `fsync` and `fdatasync` of its files wait. Linux alone has LD_PRELOAD, and not every machine a compiler: then it says why not.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const SOURCE = path.join(import.meta.dirname, 'slow-sync.c');
const COMPILE_MS_MAX = 60_000;

export interface SlowSync {
  /** To be added to the environment of the process that shall have the slow disk; its children have it too. */
  readonly env: Readonly<Record<'LD_PRELOAD' | 'SLOW_SYNC_FILE', string>>;
  /** From the next sync on, of every process that was started with `env`; 0 is as fast as the disk is. */
  setDelayMs(delayMs: number): void;
  /** Removes what was made; the processes must have ended. */
  remove(): void;
}

export type SlowSyncResult =
  { readonly ok: true; readonly disk: SlowSync } | { readonly ok: false; readonly why: string };

export function slowSync(delayMs: number): SlowSyncResult {
  if (process.platform !== 'linux')
    return { ok: false, why: `LD_PRELOAD is Linux's, this is ${process.platform}` };
  const dir = mkdtempSync(path.join(tmpdir(), 'plugpool-slow-sync-'));
  const library = path.join(dir, 'slow-sync.so');
  const failure = compile(library);
  if (failure !== undefined) {
    rmSync(dir, { recursive: true });
    return { ok: false, why: failure };
  }
  const delayFile = path.join(dir, 'delay-ms');
  const setDelayMs = (ms: number): void => writeWhole(delayFile, String(ms));
  setDelayMs(delayMs);
  return {
    ok: true,
    disk: {
      env: { LD_PRELOAD: library, SLOW_SYNC_FILE: delayFile },
      setDelayMs,
      remove: () => rmSync(dir, { recursive: true }),
    },
  };
}

/** Undefined: it worked. */
function compile(library: string): string | undefined {
  const flags = ['-std=gnu11', '-O1', '-Wall', '-Werror', '-shared', '-fPIC', '-o', library, SOURCE, '-ldl'];
  try {
    execFileSync('cc', flags, { stdio: ['ignore', 'ignore', 'pipe'], timeout: COMPILE_MS_MAX });
    return undefined;
  } catch (error) {
    const { code, stderr } = error as { readonly code?: string; readonly stderr?: Buffer };
    if (code === 'ENOENT') return 'there is no C compiler (cc; on Debian: apt-get install gcc libc6-dev)';
    return `cc could not compile slow-sync.c: ${String(stderr ?? error).trim()}`;
  }
}

/** A reader sees the number before or the number after, never half of one. */
function writeWhole(file: string, text: string): void {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}
