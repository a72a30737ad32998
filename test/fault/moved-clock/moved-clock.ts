/** A system clock that can be moved under a process which is yet to be started; the real one is left alone. */
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { compilePreload } from '../preload-library.ts';

const SOURCE = path.join(import.meta.dirname, 'moved-clock.c');

export interface MovedClock {
  /** To be added to the environment of the process whose clock it shall be; its children have it too. */
  readonly env: Readonly<Record<'LD_PRELOAD' | 'MOVED_CLOCK_FILE', string>>;
  /** From now on, of every process that was started with `env`: off by so much from the real clock. */
  moveToMs(offsetMs: number): void;
  /** Removes what was made; the processes must have ended. */
  remove(): void;
}

export type MovedClockResult =
  { readonly ok: true; readonly clock: MovedClock } | { readonly ok: false; readonly why: string };

export function movedClock(): MovedClockResult {
  const compiled = compilePreload(SOURCE);
  if (!compiled.ok) return compiled;
  const { dir, path: library } = compiled.library;
  const offsetFile = path.join(dir, 'offset-ms');
  const file = openSync(offsetFile, 'w');
  // In place: the processes have the file mapped.
  const moveToMs = (ms: number): void => {
    const bytes = Buffer.alloc(8);
    new BigInt64Array(bytes.buffer, bytes.byteOffset, 1)[0] = BigInt(ms);
    writeSync(file, bytes, 0, bytes.length, 0);
  };
  moveToMs(0);
  return {
    ok: true,
    clock: {
      env: { LD_PRELOAD: library, MOVED_CLOCK_FILE: offsetFile },
      moveToMs,
      remove: () => {
        closeSync(file);
        rmSync(dir, { recursive: true });
      },
    },
  };
}
