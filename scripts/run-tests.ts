/**
 * Runs the tests: all of them, or those whose path contains one of the words given (`npm test -- lease codec`). Options of
 * `node --test` pass through (`npm test -- --test-name-pattern='old fence'`).
 */
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { forwardSignals } from './forward-signals.ts';

const ROOT = join(import.meta.dirname, '..');
const TIMEOUT_MS = 60_000;

function chooseFiles(words: readonly string[]): string[] {
  return globSync('test/**/*.test.ts', { cwd: ROOT })
    .filter((file) => words.length === 0 || words.some((word) => file.includes(word.replace(/^\.\//, ''))))
    .sort();
}

function main(argv: readonly string[]): void {
  const options = argv.filter((arg) => arg.startsWith('-'));
  const words = argv.filter((arg) => !arg.startsWith('-'));
  const files = chooseFiles(words);
  if (files.length === 0) {
    process.stderr.write(`no test file has any of these in its path: ${words.join(' ')}\n`);
    process.exitCode = 2;
    return;
  }
  const child = spawn(
    process.execPath,
    [
      '--test',
      '--test-reporter=spec',
      `--test-timeout=${TIMEOUT_MS}`,
      `--test-concurrency=${availableParallelism()}`,
      ...options,
      ...files,
    ],
    { cwd: ROOT, stdio: 'inherit' },
  );
  forwardSignals(child);
  child.on('exit', (code) => {
    process.exitCode = code ?? 1;
  });
}

main(process.argv.slice(2));
