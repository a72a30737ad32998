/** docs/firmware.md and the page of each kind know what the code knows, and what is there to be pasted is a configuration. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, test } from 'node:test';
import { parse } from 'yaml';
import { configOf, type ConfigInput } from '@plugpool/agent';
import { FIRMWARE_KINDS } from '../../agent/config/firmware/firmware-schema.ts';
import { EVENT_KINDS } from '../../firmware-bridge/check-event.ts';
import { RECORDINGS, type DoubtedReading } from '../../firmware-bridge/index.ts';

const DOCS = join(import.meta.dirname, '../../docs');
const FRAME = readFileSync(join(DOCS, 'firmware.md'), 'utf8');

const WHYS: Readonly<Record<DoubtedReading['why'], true>> = {
  outOfRange: true,
  ranBackwards: true,
  jumped: true,
  exceedsPower: true,
  beforeSession: true,
};

test('the page has every event, every reason to doubt, and every form of recording', () => {
  for (const word of [...Object.keys(EVENT_KINDS), ...Object.keys(WHYS), ...Object.keys(RECORDINGS)])
    assert.match(FRAME, new RegExp(`^\\|.*\`${word}\``, 'm'), `docs/firmware.md has no row for ${word}`);
});

for (const kind of FIRMWARE_KINDS)
  describe(`docs/firmware/${kind}.md`, () => {
    const path = join(DOCS, 'firmware', `${kind}.md`);
    const page = existsSync(path) ? readFileSync(path, 'utf8') : '';

    it('is linked, has a drawing, and says what is read, what is written, and what cannot be known', () => {
      assert.ok(FRAME.includes(`(firmware/${kind}.md)`));
      for (const heading of ['What it reads', 'What it writes', 'What it cannot know'])
        assert.match(page, new RegExp(`^## ${heading}$`, 'm'), heading);
      assert.match(page, /^```(text)?\n[^`]*(──|═══)/m);
    });

    it('has a configuration to paste that is one', () => {
      const blocks = [...page.matchAll(/^ *```yaml\n([^]*?)^ *```/gm)].map(([, text = '']) => text);
      const ours = blocks.filter((text) => text.includes(`kind: ${kind}`));
      assert.ok(ours.length > 0, 'there is none');
      for (const text of ours) configOf(parse(text) as ConfigInput);
    });
  });
