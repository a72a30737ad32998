/**
 * Copies the few files of a child's program into a private directory, which is all of this package that a sandbox shows.
 * So no layout of node_modules is assumed; and where the sources are TypeScript, their types are stripped here, once: a child
 * that stripped them itself would take 20 MiB and 40 ms more.
 */
import fs from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** What a child runs. Paths are relative to this folder and without extension. */
export interface ChildProgram {
  readonly entry: string;
  /** Every file of ours that the entry imports, itself included. */
  readonly sources: readonly string[];
  /** Packages of plain JavaScript whose entry's folder is copied; imported by this very specifier in the sources. */
  readonly copiedPackages: readonly string[];
  /** Packages with native parts, left where they are and shown read-only; the child gets their entries as arguments. */
  readonly boundPackages: readonly string[];
  readonly nodeFlags: readonly string[];
  /** Whether it needs the vehicle's graphics devices and their libraries. */
  readonly usesGpu: boolean;
  readonly env: Readonly<Record<string, string>>;
}

export interface StagedProgram {
  readonly directory: string;
  /** Relative to the directory. */
  readonly entry: string;
  remove(): Promise<void>;
}

const HERE = path.dirname(fileURLToPath(import.meta.url));
/** `.ts` in the repository, `.js` once packed. */
const EXTENSION = path.extname(fileURLToPath(import.meta.url));

export async function stageProgram(program: ChildProgram): Promise<StagedProgram> {
  const parent = await fs.realpath(os.tmpdir());
  const prefix = await stagePrefix();
  await removeOrphans(parent, prefix);
  const directory = await fs.mkdtemp(path.join(parent, `${prefix}${process.pid}-`));
  try {
    await fs.writeFile(path.join(directory, 'package.json'), '{"type":"module"}\n');
    for (const source of program.sources) await stageSource(directory, source, program.copiedPackages);
    for (const name of program.copiedPackages) await copyPackage(directory, name);
    for (const name of program.boundPackages)
      await fs.mkdir(packageMountPoint(directory, name), { recursive: true });
    // Where the process mode starts its children: a directory with nothing in it.
    await fs.mkdir(path.join(directory, 'empty'));
  } catch (error) {
    await fs.rm(directory, { recursive: true, force: true });
    throw error;
  }
  return {
    directory,
    entry: `${program.entry}.js`,
    remove: () => fs.rm(directory, { recursive: true, force: true }),
  };
}

/** Process ids mean something within one pid namespace only, and containers may share a temporary directory. */
async function stagePrefix(): Promise<string> {
  const namespace = await fs.readlink('/proc/self/ns/pid').catch(() => 'pid:[0]');
  return `plugpool-runtime-${namespace.replaceAll(/\D/g, '')}-`;
}

/** What clients left that were killed: they had no time to remove it. */
async function removeOrphans(parent: string, prefix: string): Promise<void> {
  const names = (await fs.readdir(parent)).filter((name) => name.startsWith(prefix));
  const orphans = names.filter((name) => !isAlive(Number(name.slice(prefix.length).split('-')[0])));
  for (const name of orphans) {
    // Another user's, or removed by somebody else meanwhile.
    await fs.rm(path.join(parent, name), { recursive: true, force: true }).catch(() => undefined);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

export function packageMountPoint(directory: string, name: string): string {
  return path.join(directory, 'node_modules', name);
}

async function stageSource(directory: string, source: string, packages: readonly string[]): Promise<void> {
  const text = await fs.readFile(path.join(HERE, source + EXTENSION), 'utf8');
  const target = path.join(directory, `${source}.js`);
  await fs.mkdir(path.dirname(target), { recursive: true });
  const up = path.dirname(source) === '.' ? './' : '../'.repeat(source.split('/').length - 1);
  await fs.writeFile(target, relink(EXTENSION === '.ts' ? strippedOfTypes(text) : text, up, packages));
}

function relink(code: string, up: string, packages: readonly string[]): string {
  const local = code.replace(/(\bfrom\s+['"]\.{1,2}\/[^'"]+)\.ts(['"])/g, '$1.js$2');
  return packages.reduce(
    (linked, name) => linked.replaceAll(`from '${name}'`, `from '${up}packages/${name}/index.js'`),
    local.replaceAll(/from "([^"]+)"/g, "from '$1'"),
  );
}

/** Node calls its own type stripping experimental, once a process and on standard error; that is no news for a user. */
function strippedOfTypes(text: string): string {
  const warn = process.emitWarning.bind(process);
  process.emitWarning = () => undefined;
  try {
    return stripTypeScriptTypes(text);
  } finally {
    process.emitWarning = warn;
  }
}

async function copyPackage(directory: string, name: string): Promise<void> {
  const from = path.dirname(fileURLToPath(import.meta.resolve(name)));
  const to = path.join(directory, 'packages', name);
  await fs.mkdir(to, { recursive: true });
  for (const file of await fs.readdir(from)) {
    if (file.endsWith('.js')) await fs.copyFile(path.join(from, file), path.join(to, file));
  }
}
