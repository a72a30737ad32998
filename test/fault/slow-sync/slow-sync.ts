/**
 * A disk that syncs slowly, for a process that is yet to be started: a small library, compiled here and now, that makes each
 * `fsync` and `fdatasync` of its files wait.
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { compilePreload } from '../preload-library.ts';

const SOURCE = path.join(import.meta.dirname, 'slow-sync.c');

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
  const compiled = compilePreload(SOURCE);
  if (!compiled.ok) return compiled;
  const { dir, path: library } = compiled.library;
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

/** A reader sees the number before or the number after, never half of one. */
function writeWhole(file: string, text: string): void {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}
