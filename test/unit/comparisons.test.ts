/** Results on the disk are compared one pair after the other, and a pair that cannot be read holds nobody up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest, InstanceId, Payload } from '@plugpool/proto';
import { sameJsonInThread } from '../../agent/adapters/json-thread/json-thread.ts';
import { Comparisons } from '../../agent/comparisons.ts';
import type { Effects } from '../../agent/core/effects.ts';

type Asked = Effects['compares'][number];

const BYTES = Uint8Array.of(1, 2, 3);
const INLINE: Payload = { where: 'inline', bytes: BYTES };

function onDisk(name: string): Payload {
  return { where: 'blob', blob: { digest: name as Digest, sizeBytes: BYTES.length } };
}

/** A disk whose readings are answered by hand, and what becomes of the pairs. */
function scene() {
  const readings: { readonly digest: Digest; readonly answer: (bytes: Uint8Array | Error) => void }[] = [];
  const said: unknown[] = [];
  const json: unknown[] = [];
  const answerJson: ((isSame: boolean) => void)[] = [];
  const comparisons = new Comparisons({
    blobs: {
      read: (digest) =>
        new Promise((resolve, reject) => {
          const answer = (bytes: Uint8Array | Error): void =>
            bytes instanceof Error ? reject(bytes) : resolve(bytes);
          readings.push({ digest, answer });
        }),
    },
    sameJson: (texts, tolerance, signal) =>
      new Promise((resolve, reject) => {
        texts.forEach((text) => json.push({ text: Buffer.from(text).toString(), tolerance }));
        signal.addEventListener('abort', () => reject(new Error('stopped')));
        answerJson.push(resolve);
      }),
    compared: (pair, isSame) => said.push({ pair, isSame }),
    failed: (pair, error) => said.push({ pair, error }),
  });
  const push = (name: string, compare: Asked['compare'] = { by: 'bytes' }): Asked['pair'] => {
    const pair = { one: `${name}-1` as InstanceId, other: `${name}-2` as InstanceId };
    comparisons.push({ pair, payloads: [onDisk(name), INLINE], compare });
    return pair;
  };
  return { readings, said, push, json, answerJson, comparisons };
}

async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

test('the second pair is read when the first is decided', async () => {
  const { readings, said, push } = scene();
  const [first, second] = [push('first'), push('second')];
  await settled();
  assert.deepEqual(
    readings.map(({ digest }) => digest),
    ['first'],
  );
  readings[0]?.answer(BYTES);
  await settled();
  readings[1]?.answer(Uint8Array.of(1, 2, 4));
  await settled();
  assert.deepEqual(said, [
    { pair: first, isSame: true },
    { pair: second, isSame: false },
  ]);
});

test('a pair that cannot be read is not the same, is told as a failure, and the next is compared', async () => {
  const { readings, said, push } = scene();
  const [lost, found] = [push('lost'), push('found')];
  const error = new Error('the file is gone');
  await settled();
  readings[0]?.answer(error);
  await settled();
  readings[1]?.answer(BYTES);
  await settled();
  assert.deepEqual(said, [
    { pair: lost, error },
    { pair: lost, isSame: false },
    { pair: found, isSame: true },
  ]);
});

const JSON_NEAR = { by: 'numbers', format: 'json', tolerance: 0.5 } as const;

test('JSON is read whole and compared where it blocks nobody', async () => {
  const { readings, said, push, json, answerJson } = scene();
  const pair = push('numbers', JSON_NEAR);
  await settled();
  readings[0]?.answer(Buffer.from('[1]'));
  await settled();
  assert.deepEqual(json, [
    { text: '[1]', tolerance: 0.5 },
    { text: Buffer.from(BYTES).toString(), tolerance: 0.5 },
  ]);
  assert.deepEqual(said, []);
  answerJson[0]?.(true);
  await settled();
  assert.deepEqual(said, [{ pair, isSame: true }]);
});

test('what an agent that stops gives up is called neither the same nor different', async () => {
  const { readings, said, push, comparisons } = scene();
  push('under way', JSON_NEAR);
  push('waiting');
  await settled();
  readings[0]?.answer(Buffer.from('[1]'));
  await settled();
  await comparisons.stop();
  assert.deepEqual(said, []);
  assert.equal(readings.length, 1);
});

const text = (json: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(json));

test('a thread says whether two JSON texts are the same within a tolerance, and one that ends early says nothing', async () => {
  const { signal } = new AbortController();
  const one = text({ a: [1, 2], b: 'x' });
  const other = text({ b: 'x', a: [1.0001, 2] });
  assert.equal(await sameJsonInThread({ texts: [one, other], tolerance: 1e-3 }, signal), true);
  assert.equal(await sameJsonInThread({ texts: [one, other], tolerance: 1e-6 }, signal), false);
  const stopping = new AbortController();
  const given = sameJsonInThread({ texts: [one, other], tolerance: 1e-6 }, stopping.signal);
  stopping.abort();
  await assert.rejects(given, /without an answer/);
  await assert.rejects(sameJsonInThread({ texts: [one, other], tolerance: 1 }, stopping.signal), /stopping/);
});

test('JSON that takes more memory than a thread may have ends the thread and not the agent', async () => {
  const many = new TextEncoder().encode(`[${Array(1_300_000).fill('[]').join()}]`);
  const others = new TextEncoder().encode(`[${Array(1_300_000).fill('[]').join()} ]`);
  const { signal } = new AbortController();
  await assert.rejects(sameJsonInThread({ texts: [many, others], tolerance: 1 }, signal, 16), {
    message: 'the thread that compares JSON ended without an answer',
  });
});
