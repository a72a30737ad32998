/** A copy of this checkout in a temporary folder, to break: its sources are copied, what is installed is linked to. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Mutation } from './mutations.ts';

export const ROOT = join(import.meta.dirname, '..', '..');
const WORKSPACES = ['proto', 'firmware-bridge', 'agent', 'vehicle-client'];
const COPIED = [...WORKSPACES, 'test', 'scripts', 'docs', 'package.json', 'tsconfig.json'];
/** What a failing proof said last. */
const TAIL_CHARS = 2_000;

export interface ProofResult {
  readonly passed: boolean;
  readonly tookMs: number;
  readonly tail: string;
}

export class CheckoutCopy {
  readonly root: string;
  readonly #abort = new AbortController();

  constructor() {
    this.root = mkdtempSync(join(tmpdir(), 'plugpool-mutation-'));
    // Whoever stops the run leaves nothing behind.
    process.once('exit', () => this.remove());
    for (const name of COPIED)
      cpSync(join(ROOT, name), join(this.root, name), {
        recursive: true,
        filter: (path) => !path.includes('/node_modules') && !path.includes('/dist'),
      });
    this.#linkInstalled();
  }

  /** Each package by itself: those of the project must be the copy's own. */
  #linkInstalled(): void {
    const modules = join(this.root, 'node_modules');
    mkdirSync(join(modules, '@plugpool'), { recursive: true });
    for (const name of readdirSync(join(ROOT, 'node_modules')))
      if (name !== '@plugpool') symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
    for (const workspace of WORKSPACES) {
      symlinkSync(join(this.root, workspace), join(modules, '@plugpool', workspace));
      const own = join(ROOT, workspace, 'node_modules');
      if (existsSync(own)) symlinkSync(own, join(this.root, workspace, 'node_modules'));
    }
  }

  /** Returns what puts it back. */
  apply(mutation: Mutation): () => void {
    const path = join(this.root, mutation.file);
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, mutated(text, mutation));
    return () => {
      writeFileSync(path, text);
    };
  }

  async prove(proof: readonly string[], timeoutMs: number): Promise<ProofResult> {
    const startedMs = performance.now();
    const child = spawn(process.execPath, proof, {
      cwd: this.root,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
      signal: this.#abort.signal,
    });
    let said = '';
    const hear = (chunk: Buffer): void => {
      said = (said + chunk.toString()).slice(-TAIL_CHARS);
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.on('error', () => undefined);
    const [code] = (await once(child, 'close')) as [number | null];
    return { passed: code === 0, tookMs: performance.now() - startedMs, tail: said };
  }

  remove(): void {
    this.#abort.abort();
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** The text with the edit; throws where the place is not there exactly once. */
export function mutated(text: string, { name, file, find, replace }: Mutation): string {
  const times = text.split(find).length - 1;
  if (times !== 1)
    throw new Error(
      `"${name}": what it replaces stands ${times} times in ${file}; it must stand there once. Look for where it went`,
    );
  return text.replace(find, () => replace);
}
