/** Both versions of OCPP tell the made-up stay as every other form of recording does. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { RECORDINGS } from '../../firmware-bridge/index.ts';
import { schemaProblems } from '../ocpp-schemas.ts';
import { firmwareStories, theStay, theStayWithLinkLost } from './firmware-stories.ts';

const made = (name: string) => join(import.meta.dirname, 'recordings', name);

for (const form of ['ocpp16', 'ocpp201'] as const)
  firmwareStories(form, RECORDINGS[form], [
    { name: 'the made-up stay', file: made(`stay.${form}.jsonl`), stories: theStay({ soc: true }) },
    {
      name: 'the made-up stay with a lost link',
      file: made(`stay-link-lost.${form}.jsonl`),
      stories: theStayWithLinkLost({ soc: true, restatesCredential: true }),
    },
  ]);

interface Recorded {
  readonly frame: readonly [2, string, string, unknown] | readonly [3, string, unknown];
}

for (const [form, version] of [
  ['ocpp16', 'ocpp1.6'],
  ['ocpp201', 'ocpp2.0.1'],
] as const)
  test(`the made-up stay keeps the schemas of ${version}`, () => {
    const actions = new Map<string, string>();
    for (const line of readFileSync(made(`stay-link-lost.${form}.jsonl`), 'utf8')
      .trim()
      .split('\n')) {
      const { frame } = JSON.parse(line) as Recorded;
      if (frame[0] === 2) {
        actions.set(frame[1], frame[2]);
        assert.deepEqual(schemaProblems(version, frame[2], 'req', frame[3]), []);
      } else {
        const action = actions.get(frame[1]) ?? 'nothing';
        assert.deepEqual(schemaProblems(version, action, 'conf', frame[2]), []);
      }
    }
  });
