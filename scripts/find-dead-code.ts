/** Finds exports that nothing uses: no other file, no test, not even the rest of their own file. */
import { globSync, readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { analyzeTsConfig } from 'ts-unused-exports';

const ROOT = join(import.meta.dirname, '..');

/** Used from outside of the TypeScript sources: public entries, what the launchers call, and generated code. */
const USED_ELSEWHERE = [
  /^[^/]+\/index\.ts$/,
  /^agent\/main\.ts$/,
  /^[^/]+\/cli\/main\.ts$/,
  /^firmware-bridge\/ocpp\/relay\/main\.ts$/,
  /\.d\.ts$/,
  /^proto\/generated\//,
];

/** The analysis does not follow `await import('./x.ts')`; these are the texts in which that happens. */
const dynamicImporters = globSync(
  '{proto,firmware-bridge,agent,vehicle-client,test,bench,scripts,algorithms}/**/*.ts',
  {
    cwd: ROOT,
    exclude: (path) => /(^|\/)(node_modules|dist|generated)$/.test(path),
  },
)
  .map((path) => readFileSync(join(ROOT, path), 'utf8'))
  .filter((text) => /\bimport\(/.test(text));

function occurrences(name: string, text: string): number {
  return (text.match(new RegExp(`\\b${name.replaceAll('$', '\\$')}\\b`, 'g')) ?? []).length;
}

function isUsed(name: string, file: string, text: string): boolean {
  if (occurrences(name, text) > 1) return true;
  return dynamicImporters.some(
    (importer) => importer.includes(`/${basename(file)}')`) && occurrences(name, importer) > 0,
  );
}

function findDeadExports(): string[] {
  const { unusedExports } = analyzeTsConfig(join(import.meta.dirname, 'tsconfig.dead-code.json'));
  return Object.entries(unusedExports).flatMap(([path, unused]) => {
    const file = relative(ROOT, path);
    if (USED_ELSEWHERE.some((pattern) => pattern.test(file))) return [];
    const text = readFileSync(path, 'utf8');
    return unused
      .filter(({ exportName }) => !isUsed(exportName, file, text))
      .map(({ exportName }) => `${file}: ${exportName} is used nowhere`);
  });
}

const dead = findDeadExports();
for (const line of dead) process.stdout.write(`${line}\n`);
process.exitCode = dead.length === 0 ? 0 : 1;
