/** docs/protocol.md says what the code does: bytes, codes, limits, bodies. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { decodeDownFrame, decodeUpFrame } from '@plugpool/proto';
import * as proto from '@plugpool/proto';
import { DOWN_READERS, UP_READERS } from '../../proto/codec/bodies.ts';
import { FAILURE_CODES, REFUSAL_CODES, REVOKE_REASONS } from '../../proto/codec/values.ts';
import { FIELDS } from '../../proto/generated/fields.ts';
import { EXAMPLES, annotate, titleOf } from './proto-examples.ts';

const DOCUMENT = readFileSync(join(import.meta.dirname, '../../docs/protocol.md'), 'utf8');

/** The lines between a heading and the next one of its level or above. */
function section(heading: string): string {
  const level = /^#+/.exec(heading)?.[0].length ?? 0;
  const after = DOCUMENT.split(`\n${heading}\n`)[1];
  assert.ok(after !== undefined, `docs/protocol.md has no "${heading}"`);
  return after.split(new RegExp(`\n#{1,${level}} `))[0] ?? '';
}

/** The codes in the first column of a table. */
function firstColumn(text: string): string[] {
  return [...text.matchAll(/^\| `([^`]+)`/gm)].map(([, name]) => name ?? '');
}

describe('the byte example of', () => {
  for (const example of EXAMPLES) {
    const { way, envelope } = example;
    const block = /```hex\n([\s\S]*?)\n```/.exec(section(`### ${titleOf(example)}`))?.[1] ?? '';

    test(`${titleOf(example)} is what the codec writes`, () => {
      assert.equal(block, annotate(example));
    });

    test(`${titleOf(example)} is decoded to what it says`, () => {
      const bytes = Buffer.from(block.replaceAll(/#.*$/gm, '').replaceAll(/\s/g, ''), 'hex');
      const decoded = way === 'up' ? decodeUpFrame(bytes) : decodeDownFrame(bytes);
      assert.deepEqual(decoded, { ok: true, envelopes: [envelope], rejected: [] });
    });
  }
});

test('every code of the closed lists has its meaning, and no other stands there', () => {
  assert.deepEqual(firstColumn(section('### Refusals')).sort(), [...REFUSAL_CODES].sort());
  assert.deepEqual(firstColumn(section('### Failures of an attempt')).sort(), [...FAILURE_CODES].sort());
  assert.deepEqual(firstColumn(section('### Revocations')).sort(), [...REVOKE_REASONS].sort());
});

test('every kind of body is listed, by its name in the schema', () => {
  const documented = firstColumn(section('## Bodies'));
  const inSchema = Object.keys(FIELDS.Body).filter((name) => name !== 'correlation_id');
  assert.deepEqual(documented.sort(), inSchema.sort());
  assert.equal(Object.keys({ ...UP_READERS, ...DOWN_READERS }).length, inSchema.length);
});

test('every limit is listed with its value, and no other stands there', () => {
  const rows = section('## Limits').matchAll(/^\| `([A-Z0-9_]+)` +\| ((?:[^|]|\\\|)*?) +\|/gm);
  const documented = [...rows].map(([, name, value]) => `${name ?? ''} ${value ?? ''}`);
  const limits = Object.entries(proto).flatMap(([name, value]) => {
    if (value instanceof RegExp) return [`${name} \`${value.source.replaceAll('|', String.raw`\|`)}\``];
    const isLimit = typeof value === 'number' && name !== 'PROTOCOL_VERSION';
    return isLimit ? [`${name} ${value.toLocaleString('en-US')}`] : [];
  });
  assert.deepEqual(documented.sort(), limits.sort());
});
