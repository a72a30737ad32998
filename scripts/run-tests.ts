/**
 * Runs the tests: all of them, or those whose path contains one of the words given (`npm test -- lease codec`). Options of
 * `node --test` pass through (`npm test -- --test-name-pattern='old fence'`). Files named `*.alone.test.ts` need the machine for
 * themselves: they come last, one after the other.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { forwardSignals } from './forward-signals.ts';

const ROOT = join(import.meta.dirname, '..');
const TIMEOUT_MS = 60_000;
const EXIT_INTERRUPTED = 130;

function chooseFiles(words: readonly string[]): string[] {
  return globSync('test/**/*.test.ts', { cwd: ROOT })
    .filter((file) => words.length === 0 || words.some((word) => file.includes(word.replace(/^\.\//, ''))))
    .sort();
}

/** Resolves with the exit code. */
async function run(
  files: readonly string[],
  concurrency: number,
  options: readonly string[],
): Promise<number> {
  if (files.length === 0) return 0;
  const child = spawn(
    process.execPath,
    [
      '--test',
      '--test-reporter=spec',
      `--test-timeout=${TIMEOUT_MS}`,
      `--test-concurrency=${concurrency}`,
      ...options,
      ...files,
    ],
    { cwd: ROOT, stdio: 'inherit' },
  );
  forwardSignals(child);
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}

async function main(argv: readonly string[]): Promise<number> {
  const options = argv.filter((arg) => arg.startsWith('-'));
  const words = argv.filter((arg) => !arg.startsWith('-'));
  const files = chooseFiles(words);
  if (files.length === 0) {
    process.stderr.write(`no test file has any of these in its path: ${words.join(' ')}\n`);
    return 2;
  }
  const alone = files.filter((file) => file.endsWith('.alone.test.ts'));
  const together = files.filter((file) => !alone.includes(file));
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => interrupted.abort());
  const first = await run(together, availableParallelism(), options);
  // Both are run and reported even if the first fails.
  const second = interrupted.signal.aborted ? EXIT_INTERRUPTED : await run(alone, 1, options);
  return first === 0 ? second : first;
}

process.exitCode = await main(process.argv.slice(2));
