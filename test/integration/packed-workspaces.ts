/**
 * Packs workspaces and installs them in an empty folder, as their users get them. A copy of the repository is packed, because
 * packing changes package.json for a moment, and other tests import the workspaces meanwhile.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');
const WORKSPACES = ['proto', 'firmware-bridge', 'agent', 'vehicle-client'];
const COMMAND_MS_MAX = 55_000;

export interface PackedWorkspaces {
  /** The folder of a user's project, with the packages installed. */
  readonly app: string;
  /** The copy of the repository that was packed. */
  readonly copy: string;
  readonly packAndInstall: () => void;
  /** Standard output of a command that must succeed in the user's project. */
  runOk(command: string, args: readonly string[]): string;
  packageFolder(workspace: string): string;
  readonly remove: () => void;
}

export function packedWorkspaces(workspaces: readonly string[]): PackedWorkspaces {
  const folder = mkdtempSync(join(tmpdir(), 'plugpool-pack-'));
  const copy = join(folder, 'repository');
  const app = join(folder, 'app');
  return {
    app,
    copy,
    packAndInstall: () => {
      copyRepository(copy);
      const chosen = workspaces.flatMap((workspace) => ['-w', workspace]);
      runOk(copy, 'npm', ['pack', '--pack-destination', folder, ...chosen]);
      install(
        app,
        globSync('*.tgz', { cwd: folder }).map((name) => join(folder, name)),
      );
    },
    runOk: (command, args) => runOk(app, command, args),
    packageFolder: (workspace) => join(app, 'node_modules', '@plugpool', workspace),
    remove: () => {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What must hold for any package of ours, however it was made. */
export function assertWellPacked(packed: PackedWorkspaces, workspace: string): void {
  const manifest = join(workspace, 'package.json');
  assert.equal(readFileSync(join(packed.copy, manifest), 'utf8'), readFileSync(join(ROOT, manifest), 'utf8'));
  assert.equal(existsSync(join(packed.copy, workspace, '.package.json.before-pack')), false);

  const folder = packed.packageFolder(workspace);
  const files = globSync('**/*.{js,ts}', { cwd: folder, exclude: ['node_modules/**'] });
  const emitted = files.filter((file) => file.startsWith('dist/') && file.endsWith('.js'));
  assert.ok(emitted.includes('dist/index.js'));
  assert.deepEqual(
    files.filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts')),
    [],
    'TypeScript sources, which Node does not run under node_modules',
  );
  assert.deepEqual(
    emitted.filter((file) => !files.includes(file.replace(/\.js$/, '.d.ts'))),
    [],
    'modules without types',
  );
  const namesSource = /(?:from |import\(|new URL\()['"]\.{1,2}\/[^'"\n]*(?<!\.d)\.ts['"]/;
  assert.deepEqual(
    files.filter((file) => namesSource.test(readFileSync(join(folder, file), 'utf8'))),
    [],
    'files that name a TypeScript source',
  );
}

function copyRepository(copy: string): void {
  const belongs = (path: string): boolean => !['node_modules', 'dist'].includes(basename(path));
  for (const name of [
    ...WORKSPACES,
    'scripts',
    'package.json',
    'package-lock.json',
    'tsconfig.json',
    'LICENSE',
  ]) {
    cpSync(join(ROOT, name), join(copy, name), { recursive: true, filter: belongs });
  }
  for (const folder of ['node_modules', ...WORKSPACES.map((workspace) => join(workspace, 'node_modules'))])
    linkModules(copy, folder);
  mkdirSync(join(copy, 'node_modules', '@plugpool'));
  for (const workspace of WORKSPACES)
    symlinkSync(join(copy, workspace), join(copy, 'node_modules', '@plugpool', workspace));
}

/** The installed packages as they are, but for the workspaces' own names: those must lead to the copy. */
function linkModules(copy: string, folder: string): void {
  if (!existsSync(join(ROOT, folder))) return;
  mkdirSync(join(copy, folder), { recursive: true });
  for (const name of readdirSync(join(ROOT, folder))) {
    if (name !== '@plugpool') symlinkSync(join(ROOT, folder, name), join(copy, folder, name));
  }
}

function install(app: string, tarballs: readonly string[]): void {
  mkdirSync(app);
  writeFileSync(join(app, 'package.json'), '{ "name": "app", "private": true, "type": "module" }');
  // No package of ours needs an install script to run: what theirs would build or fetch is there or not wanted.
  runOk(app, 'npm', [
    'install',
    '--prefer-offline',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    ...tarballs,
  ]);
}

function runOk(cwd: string, command: string, args: readonly string[]): string {
  const path = [dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter);
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, PATH: path, npm_config_loglevel: 'error' },
    timeout: COMMAND_MS_MAX,
  });
  assert.equal(status, 0, `${command} ${args.join(' ')}\n${stdout}\n${stderr}`);
  return stdout;
}
