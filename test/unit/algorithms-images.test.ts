/** The committed images of the example algorithms, and the catalogue that names them. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { NAME_PATTERN } from '@plugpool/proto';
import { imageIsCurrent, imagePathOf, IMAGE_SOURCES } from '../../algorithms/build.ts';
import { exampleAlgorithms } from '../../algorithms/catalogue.ts';
import { readRecorded, sha256Of } from '../../algorithms/recording/recorded.ts';

for (const source of IMAGE_SOURCES) {
  test(`the committed image of ${source.name} is what its source builds to`, async () => {
    assert.ok(await imageIsCurrent(source), `${source.image} is stale: run npm run algorithms:build`);
  });

  test(`the image of ${source.name} imports only WASI preview 1 and names no place of the machine it was built on`, async () => {
    const image = await readFile(imagePathOf(source));
    const imports = WebAssembly.Module.imports(new WebAssembly.Module(image));
    assert.deepEqual([...new Set(imports.map((entry) => entry.module))], ['wasi_snapshot_preview1']);
    assert.ok(!image.includes(process.cwd()));
    assert.ok(!image.includes(Buffer.from(process.cwd(), 'utf16le')));
  });
}

test('every algorithm of the catalogue has a valid name, an image, a demand and inputs', async () => {
  const examples = await exampleAlgorithms();
  assert.ok(examples.length >= 4);
  for (const example of examples) {
    assert.match(example.id, NAME_PATTERN);
    assert.match(example.type, NAME_PATTERN);
    assert.equal((await readFile(example.imagePath)).byteLength, example.sizeBytes);
    assert.ok(example.demands.length > 0 && example.inputs.length > 0 && example.workCoreS > 0);
  }
});

test('one type has more than one algorithm, and one algorithm may run on a GPU or on cpu alone', async () => {
  const examples = await exampleAlgorithms();
  const types = examples.map((example) => example.type);
  assert.ok(types.some((type, i) => types.indexOf(type) !== i));
  const alternatives = examples.map((e) => e.demands.map((demand) => demand.gpu !== undefined));
  assert.ok(alternatives.some((gpus) => gpus[0] === true && gpus.includes(false)));
});

test('inputs are made alike on every machine: their bytes have the recorded sha256', async () => {
  const recorded = await readRecorded();
  for (const example of await exampleAlgorithms()) {
    if (example.runtime !== 'wasm') continue;
    for (const input of example.inputs) {
      assert.equal(sha256Of(await input.bytes()), recorded[input.name]?.inputSha256, input.name);
    }
  }
});
