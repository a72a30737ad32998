/**
 * The vehicle client as its users get it: packed, installed in an empty folder, its command run, its SDK imported and its types
 * compiled against.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { copiesStdin } from '../fixtures/wasm/modules.ts';
import { assertWellPacked, packedWorkspaces } from './packed-workspaces.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const packed = packedWorkspaces(['proto', 'vehicle-client']);

before(packed.packAndInstall);
after(packed.remove);

test('the packages hold JavaScript with types and no TypeScript source, and packing leaves the manifests as they were', () => {
  assertWellPacked(packed, 'proto');
  assertWellPacked(packed, 'vehicle-client');
});

test('a vehicle installs without what a pile needs', () => {
  for (const name of ['aedes', 'node-cron', '@plugpool/agent', '@plugpool/firmware-bridge']) {
    assert.equal(existsSync(join(packed.app, 'node_modules', name)), false, name);
  }
});

test('the command answers from the installed package', () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'vehicle-client', 'package.json'), 'utf8')) as {
    version: string;
  };
  const stdout = packed.runOk(join(packed.app, 'node_modules', '.bin', 'plugpool-vehicle'), ['--version']);
  assert.ok(stdout.includes(version), stdout);
});

test('both entries load as JavaScript', () => {
  const script = `
    for (const name of ['@plugpool/proto', '@plugpool/vehicle-client'])
      console.log(import.meta.resolve(name), Object.keys(await import(name)).length > 0);`;
  const lines = packed
    .runOk(process.execPath, ['--no-experimental-strip-types', '--input-type=module', '--eval', script])
    .trim()
    .split('\n');
  assert.equal(lines.length, 2);
  for (const line of lines) assert.match(line, /\/dist\/index\.js true$/);
});

test('the runtimes of the installed package run what they are given in child processes of their own', () => {
  writeFileSync(join(packed.app, 'image'), copiesStdin());
  const registry = pathToFileURL(
    join(packed.packageFolder('vehicle-client'), 'dist', 'runtimes', 'registry.js'),
  );
  writeFileSync(
    join(packed.app, 'run-jobs.mjs'),
    `import { createRuntimes } from ${JSON.stringify(registry.href)};
     const options = { kinds: ['wasm', 'onnx'], sandbox: 'bwrap-else-process', executionProviders: ['cpu'] };
     const runtimes = createRuntimes({ ...options, warmChildren: { wasm: 1, onnx: 0 } });
     const limits = { cpuMs: 10_000, wallMs: 20_000, memoryMib: 64, outputBytes: 1024 };
     const job = { name: 'packed', imagePath: 'image', args: [], env: {}, input: Buffer.from('lent'), limits };
     for (const [kind, runtime] of runtimes) {
       await runtime.start(new AbortController().signal);
       const outcome = await runtime.run({ ...job, seed: new Uint8Array(16), threads: 1, gpu: false }).outcome;
       console.log(kind, outcome.ok ? Buffer.from(outcome.output).toString() : outcome.failure.code);
       await runtime.stop();
     }`,
  );
  // That these bytes are no tensors is what the child of the ONNX runtime says, and it can only do so when it has started.
  assert.equal(packed.runOk(process.execPath, ['run-jobs.mjs']), 'wasm lent\nonnx input_invalid\n');
});

test("a user's program compiles against the types", () => {
  writeFileSync(
    join(packed.app, 'user.ts'),
    `import type { TaskId, VehicleId } from '@plugpool/proto';
     import * as client from '@plugpool/vehicle-client';
     export const id: VehicleId = 'v1' as VehicleId;
     export const surface: object = client;
     // @ts-expect-error an id of one kind is not one of another: these are the types, not any
     export const wrong: TaskId = id;`,
  );
  const modules = join(ROOT, 'node_modules');
  const strict = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--skipLibCheck'];
  const target = [
    '--module',
    'nodenext',
    '--target',
    'es2024',
    '--types',
    'node',
    '--typeRoots',
    join(modules, '@types'),
  ];
  packed.runOk(process.execPath, [join(modules, '.bin', 'tsc'), ...strict, ...target, 'user.ts']);
});
