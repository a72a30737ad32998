/** A small library of ours for a process that is yet to be started, compiled here and now: what the process asks of the system it asks of it. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const COMPILE_MS_MAX = 60_000;
const FLAGS = ['-std=gnu11', '-O1', '-Wall', '-Werror', '-shared', '-fPIC'];

export interface PreloadLibrary {
  /** A directory of its own, in which there is room for what the library reads. */
  readonly dir: string;
  /** What LD_PRELOAD is to be. */
  readonly path: string;
}

export type PreloadResult =
  { readonly ok: true; readonly library: PreloadLibrary } | { readonly ok: false; readonly why: string };

/** Linux alone has LD_PRELOAD, and not every machine a compiler: then it says why not. Whoever made it removes `dir`. */
export function compilePreload(source: string): PreloadResult {
  if (process.platform !== 'linux')
    return { ok: false, why: `LD_PRELOAD is Linux's, this is ${process.platform}` };
  const name = path.basename(source, '.c');
  const dir = mkdtempSync(path.join(tmpdir(), `plugpool-${name}-`));
  const library = path.join(dir, `${name}.so`);
  try {
    execFileSync('cc', [...FLAGS, '-o', library, source, '-ldl'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: COMPILE_MS_MAX,
    });
    return { ok: true, library: { dir, path: library } };
  } catch (error) {
    rmSync(dir, { recursive: true });
    return { ok: false, why: whyNot(name, error) };
  }
}

function whyNot(name: string, error: unknown): string {
  const { code, stderr } = error as { readonly code?: string; readonly stderr?: Buffer };
  if (code === 'ENOENT') return 'there is no C compiler (cc; on Debian: apt-get install gcc libc6-dev)';
  return `cc could not compile ${name}.c: ${String(stderr ?? error).trim()}`;
}
