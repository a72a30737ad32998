/** Who may import whom: the rules of .dependency-cruiser.cjs hold, and each of them finds what it forbids. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

const ROOT = join(import.meta.dirname, '..', '..');
const CRUISER = join(ROOT, 'node_modules', '.bin', 'depcruise');
const WORKSPACES = ['proto', 'firmware-bridge', 'agent', 'vehicle-client'];

interface CruiseResult {
  readonly summary: {
    readonly violations: readonly { readonly from: string; readonly rule: { readonly name: string } }[];
  };
}

function cruise(root: string, reporter: string): { readonly status: number | null; readonly output: string } {
  const args = ['--config', join(ROOT, '.dependency-cruiser.cjs'), '--output-type', reporter, '.'];
  const { status, stdout, stderr } = spawnSync(process.execPath, [CRUISER, ...args], {
    cwd: root,
    encoding: 'utf8',
  });
  return { status, output: stdout + stderr };
}

/** A repository of the same shape, with these files and an empty public entry for each workspace. */
function plant(root: string, files: Readonly<Record<string, string>>): void {
  const entries = Object.fromEntries(
    WORKSPACES.map((workspace) => [`${workspace}/index.ts`, 'export const entry = 1;\n']),
  );
  for (const [path, text] of Object.entries({ ...entries, ...files })) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  mkdirSync(join(root, 'node_modules', '@plugpool'), { recursive: true });
  for (const workspace of WORKSPACES) {
    copyFileSync(join(ROOT, workspace, 'package.json'), join(root, workspace, 'package.json'));
    symlinkSync(join(root, workspace), join(root, 'node_modules', '@plugpool', workspace));
  }
  copyFileSync(join(ROOT, 'tsconfig.json'), join(root, 'tsconfig.json'));
}

test('no import breaks a layer rule', () => {
  const { status, output } = cruise(ROOT, 'err-long');
  assert.equal(status, 0, output);
});

test('each layer rule finds what it forbids, and lets through what it allows', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'plugpool-layers-'));
  t.after(() => {
    rmSync(root, { recursive: true, force: true });
  });
  const planted: Readonly<Record<string, readonly [rule: string, text: string]>> = {
    'agent/core/reads-a-file.ts': ['agent-core-imports', "import 'node:fs';"],
    'agent/core/knows-a-port.ts': ['agent-core-imports', "import type { Port } from '../ports.ts';"],
    'agent/core/runs-proto.ts': [
      'agent-core-types-only',
      "import { entry } from '@plugpool/proto';\nexport const x = entry;",
    ],
    'vehicle-client/core/sends.ts': ['vehicle-client-core-imports', "import '../adapters/link.ts';"],
    'agent/adapters/wires.ts': ['adapters-below-the-daemon', "import '../config.ts';"],
    'agent/adapters/starts.ts': ['daemon-imported-by-main-alone', "import '../daemon.ts';"],
    'agent/cli/opens-the-store.ts': ['cli-talks-to-the-socket', "import '../adapters/store.ts';"],
    'agent/lends.ts': ['agent-and-vehicle-apart', "import '@plugpool/vehicle-client';"],
    'vehicle-client/asks-the-pile.ts': ['vehicle-without-firmware', "import '@plugpool/firmware-bridge';"],
    'firmware-bridge/reaches-in.ts': ['one-public-entry', "import '../proto/limits.ts';"],
    'proto/topics.ts': ['generated-behind-the-codec', "import './generated/plugpool.js';"],
    'agent/imports-a-test.ts': ['product-without-tests', "import '../test/fixture.ts';"],
    'agent/cycle-a.ts': [
      'no-cycles',
      "import { b } from './cycle-b.ts';\nexport const a = (): number => b();",
    ],
    'agent/misses.ts': ['resolvable', "import './not-there.ts';"],
    'agent/alone.ts': ['no-orphans', 'export const alone = 1;'],
  };
  const allowed: Readonly<Record<string, string>> = {
    'agent/core/decides.ts':
      "import assert from 'node:assert/strict';\nimport type { entry } from '@plugpool/proto';\nassert.ok(1);\nexport type Entry = typeof entry;",
    'agent/ports.ts': "import type { Entry } from './core/decides.ts';\nexport type Port = Entry;",
    'agent/adapters/store.ts': "import type { Port } from '../ports.ts';\nexport type Store = Port;",
    'agent/adapters/control-socket.ts': "import 'node:net';",
    'agent/cli/status.ts': "import '../adapters/control-socket.ts';",
    'agent/config.ts': "import 'node:fs';",
    'agent/daemon.ts': "import './adapters/store.ts';",
    'agent/main.ts': "import './daemon.ts';",
    'agent/cycle-b.ts': "import { a } from './cycle-a.ts';\nexport const b = (): number => a();",
    'vehicle-client/adapters/link.ts': "import 'node:net';",
    'proto/limits.ts': "import './codec.ts';",
    'proto/codec.ts': "import './generated/plugpool.js';",
    'proto/generated/plugpool.js': 'export {};',
    'test/fixture.ts': "import '../agent/daemon.ts';\nimport '../proto/codec.ts';",
  };
  plant(root, {
    ...allowed,
    ...Object.fromEntries(Object.entries(planted).map(([path, [, text]]) => [path, text])),
  });

  const result = JSON.parse(cruise(root, 'json').output) as CruiseResult;
  const found = result.summary.violations.map(({ from, rule }) => `${from}: ${rule.name}`);

  for (const [path, [rule]] of Object.entries(planted))
    assert.ok(found.includes(`${path}: ${rule}`), `${path}: ${rule}\n${found.join('\n')}`);
  const innocent = Object.keys(allowed).filter((path) => !path.includes('cycle'));
  assert.deepEqual(
    found.filter((line) => innocent.some((path) => line.startsWith(`${path}:`))),
    [],
  );
});
