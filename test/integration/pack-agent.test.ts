/** The pile's agent as its users get it: packed, installed in an empty folder, its commands run. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { assertWellPacked, packedWorkspaces } from './packed-workspaces.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const packed = packedWorkspaces(['proto', 'firmware-bridge', 'agent']);

before(packed.packAndInstall);
after(packed.remove);

test('the packages hold JavaScript with types and no TypeScript source, and packing leaves the manifests as they were', () => {
  for (const workspace of ['proto', 'firmware-bridge', 'agent']) assertWellPacked(packed, workspace);
});

test('the recorded sessions that the replay plays by default are in the package', () => {
  assert.ok(
    existsSync(join(packed.packageFolder('firmware-bridge'), 'dist', 'replay', 'sample-sessions.csv')),
  );
});

const PROGRAMS = [
  ['plugpool', 'agent'],
  ['plugpool-agent', 'agent'],
  ['plugpool-ocpp-relay', 'firmware-bridge'],
] as const;

for (const [program, workspace] of PROGRAMS) {
  test(`${program} answers from the installed package`, () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, workspace, 'package.json'), 'utf8')) as {
      version: string;
    };
    const stdout = packed.runOk(join(packed.app, 'node_modules', '.bin', program), ['--version']);
    assert.ok(stdout.includes(version), stdout);
  });
}
