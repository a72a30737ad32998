/** The lidar algorithm against the same steps written with sparse maps, and against what the scan's makers know. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exampleAlgorithms } from '../../algorithms/catalogue.ts';
import { removeGround } from '../../algorithms/lidar-ground/reference.ts';
import { makeScan } from '../../algorithms/lidar-ground/scan.ts';
import { sharesLeft } from '../../algorithms/lidar-ground/examples.ts';
import { runWasmImage } from '../../algorithms/recording/run-image.ts';

const example = (await exampleAlgorithms()).find(({ id }) => id === 'lidar-voxel-ground');
assert.ok(example);
const { imagePath, inputs, demands } = example;

const scan = makeScan(1);

test('a scan is about as large as one of a 64-beam lidar', () => {
  assert.ok(scan.truth.length > 90_000 && scan.truth.length < 130_000);
  assert.equal(scan.bytes.byteLength, scan.truth.length * 16);
});

for (const input of inputs) {
  test(`${input.name}: the image gives the bytes of the reference, and the check takes them`, async () => {
    const bytes = await input.bytes();
    const run = await runWasmImage(imagePath, [], bytes);
    assert.equal(run.exitCode, 0, run.stderr);
    assert.ok(Buffer.from(run.output).equals(removeGround(bytes)));
    assert.deepEqual(await input.check(run.output), { ok: true });
    assert.ok(run.memoryMib < (demands[0]?.memoryMib ?? 0));
  });
}

test('ground goes, things stay, most spray goes', () => {
  const shares = sharesLeft(scan, removeGround(scan.bytes));
  assert.ok(shares);
  assert.ok(shares.ground < 0.01 && shares.thing > 0.9 && shares.spray < 0.25, JSON.stringify(shares));
});

test('an output with one bit changed, with a point less, or with the ground left in, is refused', async () => {
  const [input] = inputs;
  assert.ok(input);
  const right = removeGround(await input.bytes());
  const flipped = right.slice();
  flipped[12] = (flipped[12] ?? 0) ^ 1;
  for (const bad of [flipped, right.subarray(16), right.subarray(8), await input.bytes()]) {
    assert.equal((await input.check(bad)).ok, false);
  }
});

test('an input that is not a whole number of points is refused', async () => {
  const run = await runWasmImage(imagePath, [], scan.bytes.subarray(0, 100));
  assert.equal(run.exitCode, 1);
  assert.match(run.stderr, /whole number of points/);
});

test('points that are not numbers, endless or out of range change nothing', async () => {
  const strange = new Float32Array([
    NaN,
    1,
    1,
    1,
    Infinity,
    2,
    0,
    1,
    1e30,
    -1e30,
    5,
    0,
    200,
    1,
    1,
    1,
    0,
    0,
    0,
    0,
  ]);
  const input = Buffer.concat([scan.bytes.subarray(0, 16_000), Buffer.from(strange.buffer)]);
  const run = await runWasmImage(imagePath, [], input);
  assert.equal(run.exitCode, 0, run.stderr);
  assert.ok(Buffer.from(run.output).equals(removeGround(input)));
});

test('an empty scan gives an empty output', async () => {
  const run = await runWasmImage(imagePath, [], new Uint8Array());
  assert.equal(run.exitCode, 0, run.stderr);
  assert.equal(run.output.byteLength, 0);
});
