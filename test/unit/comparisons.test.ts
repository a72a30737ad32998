/** Results on the disk are compared one pair after the other, and a pair that cannot be read holds nobody up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest, InstanceId, Payload } from '@plugpool/proto';
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
  const comparisons = new Comparisons({
    blobs: {
      read: (digest) =>
        new Promise((resolve, reject) => {
          const answer = (bytes: Uint8Array | Error): void =>
            bytes instanceof Error ? reject(bytes) : resolve(bytes);
          readings.push({ digest, answer });
        }),
    },
    compared: (pair, isSame) => said.push({ pair, isSame }),
    failed: (pair, error) => said.push({ pair, error }),
  });
  const push = (name: string): Asked['pair'] => {
    const pair = { one: `${name}-1` as InstanceId, other: `${name}-2` as InstanceId };
    comparisons.push({ pair, payloads: [onDisk(name), INLINE], compare: { by: 'bytes' } });
    return pair;
  };
  return { readings, said, push };
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
