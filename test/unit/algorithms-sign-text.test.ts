/** The text detector: the model finds what was drawn, and the check tells a right map from a wrong one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exampleAlgorithms } from '../../algorithms/catalogue.ts';
import { runOnnxModel } from '../../algorithms/recording/run-model.ts';
import { decodeTensors, encodeTensors } from '@plugpool/vehicle-client';
import type { NamedTensor } from '@plugpool/vehicle-client';

const example = (await exampleAlgorithms()).find(({ id }) => id === 'sign-text-detect');
assert.ok(example);
const { imagePath, inputs } = example;

for (const input of inputs) {
  test(`${input.name}: the model finds every text that was drawn, and nothing else`, async () => {
    const output = await runOnnxModel(imagePath, await input.bytes());
    assert.deepEqual(await input.check(output), { ok: true });
  });
}

test('a map of another picture, a blank one, one of another shape, and garbage are refused', async () => {
  const [input, other] = inputs;
  assert.ok(input && other);
  const [map] = decodeTensors(await runOnnxModel(imagePath, await input.bytes()));
  assert.ok(map);
  const turned: NamedTensor = { ...map, dims: [1, 1, map.dims[3] ?? 0, map.dims[2] ?? 0] };
  const blank: NamedTensor = { ...map, data: new Uint8Array(map.data.byteLength) };
  const noisy: NamedTensor = {
    ...map,
    data: Uint8Array.from(map.data, (byte, i) => (i % 4 === 3 ? 63 : byte)),
  };
  for (const bad of [turned, blank, noisy]) {
    assert.equal((await input.check(encodeTensors([bad]))).ok, false);
  }
  assert.equal((await other.check(encodeTensors([map]))).ok, false);
  assert.equal((await input.check(new TextEncoder().encode('no tensors'))).ok, false);
});

test('the picture is drawn alike each time', async () => {
  const [input] = inputs;
  assert.ok(input);
  const again = (await exampleAlgorithms()).find(({ id }) => id === example.id)?.inputs[0];
  assert.deepEqual(await again?.bytes(), await input.bytes());
});
