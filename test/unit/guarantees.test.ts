/** The page of guarantees names the tests that would fail if a promise were broken: every one of them exists, and every promise has one. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import {
  AGENT_POINTS,
  CHECKPOINT_POINTS,
  CREDIT_POINTS,
  DONOR_POINTS,
  REQUESTER_POINTS,
} from '../fault/crash/crash-points.ts';

const ROOT = path.join(import.meta.dirname, '..', '..');
const PAGE = readFileSync(path.join(ROOT, 'docs/guarantees.md'), 'utf8');
/** `test/….test.ts`: "name", "name" */
const NAMED = /`(test\/[\w./-]+\.test\.ts)`: ((?:"[^"]+"(?:, )?)+)/g;

const POINTS = {
  ...AGENT_POINTS,
  ...CHECKPOINT_POINTS,
  ...CREDIT_POINTS,
  ...DONOR_POINTS,
  ...REQUESTER_POINTS,
};

interface NamedTest {
  readonly file: string;
  readonly name: string;
}

function namedTests(text: string): NamedTest[] {
  return [...text.matchAll(NAMED)].flatMap(([, file = '', names = '']) =>
    [...names.matchAll(/"([^"]+)"/g)].map(([, name = '']) => ({ file, name })),
  );
}

function section(title: string): string {
  const from = PAGE.indexOf(`\n## ${title}\n`);
  assert.ok(from >= 0, `there is no section "${title}"`);
  const to = PAGE.indexOf('\n## ', from + 1);
  return PAGE.slice(from, to < 0 ? undefined : to);
}

/** Rows of the tables of a section, without their heads. */
function rows(title: string): string[][] {
  return section(title)
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| -'))
    .map((line) =>
      line
        .slice(1, -1)
        .split(' | ')
        .map((cell) => cell.trim()),
    )
    .filter(([first]) => !['it is promised that', 'what comes', 'point'].includes(first ?? ''));
}

/** The names of a file's tests; what a template puts in is free. */
function testNames(file: string): RegExp[] {
  const source = readFileSync(path.join(ROOT, file), 'utf8');
  const names = source.matchAll(/\b(?:test|it)\(\s*(?:'((?:[^'\\]|\\.)+)'|"((?:[^"\\]|\\.)+)"|`([^`]+)`)/g);
  return [...names].map(([, single, double, template]) => patternOf(single ?? double ?? template ?? ''));
}

function patternOf(name: string): RegExp {
  const literal = name.replaceAll(/\\(.)/g, '$1').split(/\$\{[^}]*\}/);
  return new RegExp(`^${literal.map((part) => part.replaceAll(/[$()*+.?[\\\]^{|}]/g, '\\$&')).join('.*')}$`);
}

test('every test that the page of guarantees names exists', () => {
  const named = namedTests(PAGE);
  assert.ok(named.length > 40, 'the names are found');
  const missing = named.filter(
    ({ file, name }) =>
      !existsSync(path.join(ROOT, file)) || !testNames(file).some((pattern) => pattern.test(name)),
  );
  assert.deepEqual(missing, []);
});

test('every promise, and every line of what bad input gets, names a test', () => {
  for (const title of ['To a requester', 'To a donor', 'To the operator', 'What bad input gets']) {
    assert.notEqual(rows(title).length, 0, title);
    for (const row of rows(title))
      assert.notEqual(namedTests(row.at(-1) ?? '').length, 0, `${title}: no test is named for ${row[0]}`);
  }
});

test('the page lists the points at which processes are killed, all of them and as they are', () => {
  const listed = rows('Where the agent is killed').map(([point, what]) => [point, what]);
  assert.deepEqual(listed, Object.entries(POINTS));
});

test('a killed process is named by a point that there is', () => {
  const titles = Object.entries(POINTS).map(([point, what]) => `killed at ${point}: ${what}`);
  const unknown = namedTests(PAGE).filter(
    ({ name }) => name.startsWith('killed at ') && !titles.includes(name),
  );
  assert.deepEqual(unknown, []);
});
