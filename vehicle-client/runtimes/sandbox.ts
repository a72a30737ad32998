/**
 * What stands between a child and this vehicle: bubblewrap, or, only where the owner says so, an ordinary process.
 * docs/sandbox.md says what each keeps out.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import fs from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { packageMountPoint } from './stage.ts';
import type { ChildProgram, StagedProgram } from './stage.ts';

/** `bwrap` refuses to start without bubblewrap; `process` never uses it; the third prefers it and makes do without. */
export type SandboxChoice = 'bwrap' | 'process' | 'bwrap-else-process';
export type SandboxKind = 'bwrap' | 'process';

/** How to start a child. Its standard streams are pipes; `infoFd` is 3 where the launcher reports the child's pid there. */
export interface ChildCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly infoFd: 3 | undefined;
}

export interface Sandbox {
  readonly kind: SandboxKind;
  /** Why this kind was chosen, for the log. */
  readonly reason: string;
  command(program: ChildProgram, staged: StagedProgram): Promise<ChildCommand>;
}

/** Thrown by a runtime's `start` where strangers' code cannot be kept apart as the owner wants it. */
export class SandboxUnavailable extends Error {
  readonly hint: string;

  constructor(what: string, hint: string, options?: ErrorOptions) {
    super(what, options);
    this.name = 'SandboxUnavailable';
    this.hint = hint;
  }
}

const run = promisify(execFile);
const PROBE_TIMEOUT_MS = 10_000;
const NODE_IN_SANDBOX = '/node';
const STAGE_IN_SANDBOX = '/app';
/** `nobody`: a user that owns nothing, should anything ever get out of the user namespace. */
const NOBODY_ID = '65534';
const OPEN_FILES_MAX = 128;

/** Tries bubblewrap for real: that it is installed says nothing, user namespaces may be switched off. */
export async function chooseSandbox(choice: SandboxChoice): Promise<Sandbox> {
  if (choice === 'process') return processSandbox('the owner chose "process"');
  const probed = await probeBwrap();
  if (probed.ok) return bwrapSandbox(probed.extraArgs);
  if (choice === 'bwrap-else-process') return processSandbox(`bubblewrap cannot be used: ${probed.reason}`);
  throw new SandboxUnavailable(
    `strangers' programs cannot run here: bubblewrap cannot be used (${probed.reason})`,
    'install bubblewrap (Debian: apt install bubblewrap) and allow unprivileged user namespaces ' +
      '(sysctl user.max_user_namespaces; on Ubuntu also kernel.apparmor_restrict_unprivileged_userns=0), ' +
      'or accept weaker protection with --sandbox process (in a configuration, sandbox: process)',
  );
}

/**
 * The arguments that make the sandbox, up to the command. The tests look around in a sandbox made of these very arguments.
 * `--as-pid-1`: the child is the first process of its pid namespace, so when it dies the kernel ends all others in it.
 */
export async function bwrapArguments(extraArgs: readonly string[]): Promise<string[]> {
  const libraries = await sharedLibraries();
  return [
    '--unshare-all',
    '--unshare-user',
    ...extraArgs,
    '--die-with-parent',
    '--new-session',
    '--as-pid-1',
    ...['--cap-drop', 'ALL'],
    '--clearenv',
    ...['--uid', NOBODY_ID, '--gid', NOBODY_ID, '--hostname', 'sandbox'],
    ...libraries.flatMap((library) => ['--ro-bind', library, library]),
    ...['--ro-bind', process.execPath, NODE_IN_SANDBOX],
  ];
}

type BwrapProbe =
  | { readonly ok: true; readonly extraArgs: readonly string[] }
  | { readonly ok: false; readonly reason: string };

/** The second attempt is for bubblewrap before 0.8, which cannot forbid nested user namespaces. */
export async function probeBwrap(): Promise<BwrapProbe> {
  let reason = '';
  for (const extraArgs of [['--disable-userns'], []]) {
    try {
      const args = [
        ...(await bwrapArguments(extraArgs)),
        '--remount-ro',
        '/',
        '--',
        NODE_IN_SANDBOX,
        '--version',
      ];
      const { stdout } = await run('bwrap', args, { env: launcherEnv(), timeout: PROBE_TIMEOUT_MS });
      if (stdout.trim() === process.version) return { ok: true, extraArgs };
      reason = `node in the sandbox answered ${JSON.stringify(stdout)}`;
    } catch (error) {
      reason = describeFailure(error);
    }
  }
  return { ok: false, reason };
}

function describeFailure(error: unknown): string {
  const { code, stderr, message } = error as { code?: unknown; stderr?: string; message: string };
  if (code === 'ENOENT') return 'there is no program "bwrap" on the PATH';
  return (stderr?.trim() || message).split('\n')[0] ?? message;
}

/** The launchers are looked up and run with nothing of our environment but the PATH. */
function launcherEnv(): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin' };
}

function bwrapSandbox(extraArgs: readonly string[]): Sandbox {
  return {
    kind: 'bwrap',
    reason: 'bubblewrap works here',
    command: async (program, staged) => {
      const bound = await Promise.all(program.boundPackages.map(locatePackage));
      const args = [
        ...(await bwrapArguments(extraArgs)),
        ...(await addonLibraries(bound)).flatMap((library) => ['--ro-bind', library, library]),
        ...(program.usesGpu ? await gpuArguments() : []),
        ...['--ro-bind', staged.directory, STAGE_IN_SANDBOX],
        ...bound.flatMap((one) => [
          '--ro-bind',
          one.directory,
          packageMountPoint(STAGE_IN_SANDBOX, one.name),
        ]),
        ...Object.entries(program.env).flatMap(([name, value]) => ['--setenv', name, value]),
        ...['--remount-ro', '/', '--chdir', '/', '--info-fd', '3', '--', NODE_IN_SANDBOX],
        ...program.nodeFlags,
        path.posix.join(STAGE_IN_SANDBOX, staged.entry),
        ...entriesOf(bound).map((one) =>
          path.posix.join(packageMountPoint(STAGE_IN_SANDBOX, one.name), one.entry),
        ),
      ];
      return { ...(await withRlimits('bwrap', args)), env: launcherEnv(), cwd: '/', infoFd: 3 };
    },
  };
}

/** Energy counters, where this user may read them: finely enough read they tell what others compute with (docs/energy.md). */
export function hiddenCounters(sysfs: string): string[] {
  const counters = `${sysfs}/devices/virtual/powercap`;
  return existsSync(counters) ? ['--tmpfs', counters] : [];
}

/**
 * A driver's library cannot be told in advance, and looks its device up under /proc and /sys: with a GPU the sandbox shows the
 * system's libraries and these, read-only, and the device itself.
 */
async function gpuArguments(): Promise<string[]> {
  const devices = (await fs.readdir('/dev')).filter((name) => /^(nvidia|dri$|kfd$)/.test(name));
  const shown = ['/usr/lib', '/usr/lib64', '/usr/local/cuda', '/opt/rocm', '/etc/ld.so.cache', '/sys'];
  return [
    ...shown.flatMap((place) => ['--ro-bind-try', place, place]),
    ...hiddenCounters('/sys'),
    ...['--proc', '/proc'],
    ...devices.flatMap((name) => ['--dev-bind', `/dev/${name}`, `/dev/${name}`]),
  ];
}

function processSandbox(reason: string): Sandbox {
  return {
    kind: 'process',
    reason,
    command: async (program, staged) => {
      const bound = await Promise.all(program.boundPackages.map(locatePackage));
      const readable = [staged.directory, ...bound.map((one) => one.directory)];
      const args = [
        '--permission',
        ...readable.map((directory) => `--allow-fs-read=${directory}${path.sep}*`),
        ...(bound.length > 0 ? ['--allow-addons'] : []),
        ...program.nodeFlags,
        path.join(staged.directory, staged.entry),
        ...entriesOf(bound).map((one) => path.join(one.directory, one.entry)),
      ];
      const cwd = path.join(staged.directory, 'empty');
      return {
        ...(await withRlimits(process.execPath, args)),
        env: { ...program.env },
        cwd,
        infoFd: undefined,
      };
    },
  };
}

/** Limits that need no knowledge of the job; those that do follow when it runs long enough to need a backstop. */
async function withRlimits(file: string, args: readonly string[]): Promise<{ file: string; args: string[] }> {
  const resolved = file === 'bwrap' ? ((await findOnPath('bwrap')) ?? file) : file;
  const prlimit = await findOnPath('prlimit');
  const setpriv = await findOnPath('setpriv');
  const launchers = [
    ...(prlimit ? [prlimit, '--core=0', '--fsize=0', `--nofile=${OPEN_FILES_MAX}`] : []),
    // bubblewrap has this of its own; an ordinary child would outlive a parent that is killed.
    ...(setpriv && file !== 'bwrap' ? [setpriv, '--pdeathsig', 'KILL', '--no-new-privs'] : []),
  ];
  const [first, ...rest] = [...launchers, resolved, ...args];
  return { file: first ?? resolved, args: rest };
}

async function findOnPath(name: string): Promise<string | undefined> {
  for (const directory of launcherEnv()['PATH']!.split(path.delimiter)) {
    const candidate = path.join(directory, name);
    const found = await fs.access(candidate, fs.constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return candidate;
  }
  return undefined;
}

interface LocatedPackage {
  readonly name: string;
  readonly directory: string;
  /** Relative to the directory; undefined for a package that only another one loads. */
  readonly entry: string;
  readonly isArgument: boolean;
}

const entriesOf = (bound: readonly LocatedPackage[]) => bound.filter((one) => one.isArgument);

/** The first bound package is the one that the child loads; it brings the others, which resolve from it. */
async function locatePackage(name: string, index: number, names: readonly string[]): Promise<LocatedPackage> {
  const main = fileURLToPath(import.meta.resolve(names[0]!));
  const found = index === 0 ? main : createRequire(main).resolve(name);
  const directory = await packageDirectory(await fs.realpath(found), name);
  return {
    name,
    directory,
    entry: path.relative(directory, await fs.realpath(found)),
    isArgument: index === 0,
  };
}

async function packageDirectory(file: string, name: string): Promise<string> {
  for (let at = path.dirname(file); at !== path.dirname(at); at = path.dirname(at)) {
    const text = await fs.readFile(path.join(at, 'package.json'), 'utf8').catch(() => '{}');
    if ((JSON.parse(text) as { name?: string }).name === name) return at;
  }
  throw new Error(`no package.json of "${name}" above ${file}; reinstall the vehicle client`);
}

/** What Node itself needs: asked of the dynamic loader, or, where that does not answer (musl), the system's folders whole. */
async function sharedLibraries(): Promise<string[]> {
  const { stdout } = await run(process.execPath, ['--version'], { env: { LD_TRACE_LOADED_OBJECTS: '1' } });
  const libraries = pathsIn(stdout);
  return libraries.length > 0 ? libraries : existing(['/lib', '/lib64', '/usr/lib']);
}

async function addonLibraries(bound: readonly LocatedPackage[]): Promise<string[]> {
  const known = await sharedLibraries();
  const loader = known.find((library) => path.basename(library).startsWith('ld-linux'));
  if (!loader) return [];
  const needed: string[] = [];
  for (const one of bound) {
    for (const addon of await addonsIn(one.directory)) {
      needed.push(...pathsIn((await run(loader, ['--list', addon])).stdout));
    }
  }
  const inside = (library: string) => bound.some((one) => library.startsWith(one.directory + path.sep));
  return [...new Set(needed)].filter((library) => !known.includes(library) && !inside(library));
}

/** The native parts for this machine; packages bring those of other platforms along. */
async function addonsIn(directory: string): Promise<string[]> {
  const files = await fs.readdir(directory, { recursive: true });
  const ours = path.join(process.platform, process.arch) + path.sep;
  return files
    .filter((file) => file.endsWith('.node') && file.includes(ours))
    .map((file) => path.join(directory, file));
}

function pathsIn(loaderOutput: string): string[] {
  return [...loaderOutput.matchAll(/(?:=> |^\s*)(\/\S+) \(0x/gm)].map((match) => match[1]!);
}

async function existing(directories: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const directory of directories) {
    if (await fs.stat(directory).catch(() => undefined)) found.push(directory);
  }
  return found;
}
