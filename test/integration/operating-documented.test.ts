/** docs/operating.md and docs/cli-json.md know every verb that the operator's program has. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { newDirectory, plugpool } from './cli-fixtures.ts';

const DOCS = join(import.meta.dirname, '../../docs');

/** As the help of each group lists them; a group that has verbs is none itself. */
async function verbsUnder(dataDir: string, group: readonly string[]): Promise<string[]> {
  const { stdout } = await plugpool(dataDir, ...group, '--help');
  const listed = stdout.split('\nCommands:\n')[1] ?? '';
  const names = [...listed.matchAll(/^ {2}([a-z]+)/gm)].map(([, name = '']) => name);
  const verbs = names.filter((name) => name !== 'help');
  if (verbs.length === 0) return [group.join(' ')];
  return (await Promise.all(verbs.map((verb) => verbsUnder(dataDir, [...group, verb])))).flat();
}

test('every verb of the operator is in the table of what is for what, and its JSON is promised', async (t) => {
  const verbs = await verbsUnder(newDirectory(t), []);
  assert.ok(verbs.includes('backup') && verbs.includes('ledger settle'), verbs.join(', '));
  const table = readFileSync(join(DOCS, 'operating.md'), 'utf8').split('## Stopping')[0] ?? '';
  const json = readFileSync(join(DOCS, 'cli-json.md'), 'utf8');
  for (const verb of verbs) {
    assert.match(table, new RegExp(`\`${verb}[\` ]`), `docs/operating.md does not know ${verb}`);
    // The steps of `firmware`, and a list that the group shows too, share a heading.
    const [group = ''] = verb.split(' ');
    assert.match(json, new RegExp(`^### (${verb}|${group})$`, 'm'), `docs/cli-json.md does not know ${verb}`);
  }
});
