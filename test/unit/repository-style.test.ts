/** The house style that neither compiler nor linter checks. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { test } from 'node:test';

const ROOT = join(import.meta.dirname, '..', '..');
const SOURCES = globSync(
  '{proto,firmware-bridge,agent,vehicle-client,test,bench,scripts,algorithms}/**/*.{ts,js}',
  {
    cwd: ROOT,
    exclude: (path) => /(^|\/)(node_modules|dist|generated)$/.test(path),
  },
).sort();
const DOCUMENTS = globSync(['*.md', 'docs/**/*.md'], { cwd: ROOT }).sort();
/** A page on the core, or on the vehicle's client, names its files from there. */
const NAMED_FROM = ['.', 'agent/core', 'vehicle-client'];
const EMPTY_WORDS = /(^|-)(utils?|managers?|helpers?|common|misc)(-|$)/;

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

test('the sources are found', () => {
  assert.ok(SOURCES.includes('proto/domain.ts') && SOURCES.includes('scripts/with-install.js'));
});

test('every source file begins by saying what it is for', () => {
  assert.deepEqual(
    SOURCES.filter((path) => !/^(#!.*\n)?\/\*\*\s/.test(read(path))),
    [],
  );
});

test('file names are kebab-case, and none is called after nothing', () => {
  const names = SOURCES.map(
    (path) => [path, basename(path).replace(/((\.alone)?\.test|\.d)?\.(ts|js)$/, '')] as const,
  );
  assert.deepEqual(
    names
      .filter(([, name]) => !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name) || EMPTY_WORDS.test(name))
      .map(([path]) => path),
    [],
  );
});

test('no test is left to run alone', () => {
  const alone = /\b(test|it|describe|suite)\.only\(|\bonly:\s+true/;
  assert.deepEqual(
    SOURCES.filter((path) => path.endsWith('.test.ts') && alone.test(read(path))),
    [],
  );
});

test('nothing names the folder that the checkout lies in', () => {
  const documents = [...DOCUMENTS, ...globSync(['*.json', '.ci/run'], { cwd: ROOT })];
  assert.deepEqual(
    [...SOURCES, ...documents].filter((path) => read(path).includes(`${ROOT}/`)),
    [],
  );
});

test('what a document links to, or names by its path, is there', () => {
  const missing = DOCUMENTS.flatMap((document) => [
    ...targets(document, /\]\(([^)#:\s]+)(?:#[^)]*)?\)/g).filter(
      (target) => !existsSync(join(ROOT, dirname(document), target)),
    ),
    ...targets(document, /`([\w-]+(?:\/[\w.-]+)+\.ts)`/g).filter((path) =>
      NAMED_FROM.every((folder) => !existsSync(join(ROOT, folder, path))),
    ),
  ]);
  assert.deepEqual(missing, []);
});

function targets(document: string, pattern: RegExp): string[] {
  return [...read(document).matchAll(pattern)].map(([, target = '']) => target);
}

test('the rooms of the core are those that the architecture lists', () => {
  const rooms = globSync('agent/core/*/', { cwd: ROOT }).map((path) => basename(path));
  const listed = targets('docs/architecture.md', /^\| [^|]+\| \[([\w-]+)\/\]/gm);
  assert.deepEqual(listed.sort(), rooms.sort());
});

test('the lock file names no registry', () => {
  assert.doesNotMatch(read('package-lock.json'), /"resolved": "https?:/);
});
