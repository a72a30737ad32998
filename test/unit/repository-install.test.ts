/** What runs before anything is installed: is it installed, is this Node new enough, was a packing killed half-way. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { isInstalled } from '../../scripts/install-state.js';
import {
  restoreAbandonedManifests,
  restoreManifest,
  swapManifest,
} from '../../scripts/pack/manifest-backup.js';

const ROOT = join(import.meta.dirname, '..', '..');
const LAUNCHERS = [
  { path: 'agent/bin/plugpool.js', program: 'plugpool' },
  { path: 'agent/bin/plugpool-agent.js', program: 'plugpool-agent' },
  { path: 'firmware-bridge/bin/plugpool-ocpp-relay.js', program: 'plugpool-ocpp-relay' },
  { path: 'vehicle-client/bin/plugpool-vehicle.js', program: 'plugpool-vehicle' },
];

interface Packages {
  readonly [path: string]: { readonly version: string; readonly optional?: boolean };
}

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'plugpool-repository-'));
  t.after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

function checkout(t: TestContext, wanted: Packages, found: Packages): string {
  const root = temporaryFolder(t);
  mkdirSync(join(root, 'node_modules', '.bin'), { recursive: true });
  writeFileSync(join(root, 'node_modules', '.bin', 'node'), '');
  writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ packages: wanted }));
  writeFileSync(join(root, 'node_modules', '.package-lock.json'), JSON.stringify({ packages: found }));
  return root;
}

const A1 = { 'node_modules/a': { version: '1.0.0' } };

test('what the lock file names is installed when each package is there at its version', (t) => {
  assert.equal(isInstalled(checkout(t, A1, A1)), true);
});

test('a package for another platform need not be there', (t) => {
  assert.equal(
    isInstalled(checkout(t, { ...A1, 'node_modules/b': { version: '1.0.0', optional: true } }, A1)),
    true,
  );
});

test('a missing package, another version, a missing Node and an empty folder are not installed', (t) => {
  assert.equal(isInstalled(checkout(t, { ...A1, 'node_modules/b': { version: '1.0.0' } }, A1)), false);
  assert.equal(isInstalled(checkout(t, { 'node_modules/a': { version: '1.0.1' } }, A1)), false);
  const withoutNode = checkout(t, A1, A1);
  rmSync(join(withoutNode, 'node_modules', '.bin', 'node'));
  assert.equal(isInstalled(withoutNode), false);
  assert.equal(isInstalled(temporaryFolder(t)), false);
});

test('a packed manifest is put back byte for byte, and one of a killed packing at the next start', (t) => {
  const root = temporaryFolder(t);
  const workspaceDir = join(root, 'proto');
  const manifest = join(workspaceDir, 'package.json');
  const original = '{ "name": "x",\n   "exports": { ".": "./index.ts" } }\n\n';
  mkdirSync(workspaceDir);
  writeFileSync(join(root, 'package.json'), '{ "workspaces": ["proto"] }');
  writeFileSync(manifest, original);
  const pack = (): void => {
    swapManifest(workspaceDir, (before) => ({ ...before, exports: { '.': './dist/index.js' } }));
  };

  pack();
  assert.match(readFileSync(manifest, 'utf8'), /dist\/index\.js/);
  restoreManifest(workspaceDir);
  assert.equal(readFileSync(manifest, 'utf8'), original);

  pack();
  pack();
  restoreAbandonedManifests(root);
  assert.match(readFileSync(manifest, 'utf8'), /dist\/index\.js/, 'a packing under way is left alone');
  utimesSync(join(workspaceDir, '.package.json.before-pack'), 0, 0);
  restoreAbandonedManifests(root);
  assert.equal(readFileSync(manifest, 'utf8'), original);
  assert.equal(existsSync(join(workspaceDir, '.package.json.before-pack')), false);
});

test('the launch.js of every package are the same', () => {
  // The packages share nothing that could hold it, and it must not need anything installed.
  const [agent, ...others] = ['agent', 'vehicle-client', 'firmware-bridge'].map((name) =>
    readFileSync(join(ROOT, name, 'bin/launch.js'), 'utf8'),
  );
  for (const other of others) assert.equal(other, agent);
});

for (const { path, program } of LAUNCHERS) {
  test(`on an old Node ${program} says in one line what it needs, and exits 2`, () => {
    // A preload stands in for the old version; where the machine has a really old Node, it is asked too.
    const pretend = `data:text/javascript,Object.defineProperty(process,'version',{value:'v20.9.0'})`;
    for (const [node, args] of [[process.execPath, ['--import', pretend]] as const, ...oldNodes()]) {
      const { status, stdout, stderr } = spawnSync(node, [...args, join(ROOT, path), '--version'], {
        encoding: 'utf8',
      });
      assert.equal(stdout, '');
      assert.match(
        stderr,
        new RegExp(`^${program} needs Node 24 or newer; this is v\\d+\\.\\d+\\.\\d+\\. [^\\n]+\\n$`),
      );
      assert.equal(status, 2);
    }
  });
}

/** Nodes older than 24 on the PATH. */
function oldNodes(): (readonly [node: string, args: readonly string[]])[] {
  const candidates = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'node'));
  return [...new Set(candidates.filter((node) => existsSync(node)).map((node) => realpathSync(node)))]
    .filter(
      (node) =>
        Number(/^v(\d+)/.exec(spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout)?.[1] ?? 24) < 24,
    )
    .map((node) => [node, []] as const);
}
