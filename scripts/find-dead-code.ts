/** Finds exports that nothing uses: no other file, no test, not even the rest of their own file. */
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { analyzeTsConfig } from 'ts-unused-exports';

const ROOT = join(import.meta.dirname, '..');

/** Used from outside of the TypeScript sources: public entries, what the launchers call, and generated code. */
const USED_ELSEWHERE = [
  /^[^/]+\/index\.ts$/,
  /^agent\/main\.ts$/,
  /^[^/]+\/cli\/main\.ts$/,
  /\.d\.ts$/,
  /^proto\/generated\//,
];

function occursAgain(name: string, text: string): boolean {
  return (text.match(new RegExp(`\\b${name.replaceAll('$', '\\$')}\\b`, 'g')) ?? []).length > 1;
}

const found = Object.entries(
  analyzeTsConfig(join(import.meta.dirname, 'tsconfig.dead-code.json')).unusedExports,
).flatMap(([path, unused]) => {
  const file = relative(ROOT, path);
  if (USED_ELSEWHERE.some((pattern) => pattern.test(file))) return [];
  const text = readFileSync(path, 'utf8');
  return unused
    .filter(({ exportName }) => !occursAgain(exportName, text))
    .map(({ exportName, location }) => `${file}:${location.line} ${exportName} is used nowhere`);
});
for (const line of found) process.stdout.write(`${line}\n`);
process.exitCode = found.length === 0 ? 0 : 1;
