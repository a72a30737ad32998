/**
 * Reads the configuration from where it may stand. A later one wins, key by key:
 *
 *   defaults  <  YAML file (--config)  <  environment (PLUGPOOL_POLICY_LEASE=15s is policy.lease)  <  flags
 *
 * A list (`firmware`, `policy.lendingStates`) is taken whole from the last that sets it. A relative path in the file is meant
 * from the file's own folder, anywhere else from the current one. A variable that is set to nothing sets nothing.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { toConfig, type Config } from './config.ts';
import { nearestName } from '../core/nearest-name.ts';
import { DEFAULT_SETTINGS } from '../core/settings.ts';
import { defaultDataDir } from './data-dir.ts';
import { firmwareProblems } from './firmware/firmware-problems.ts';
import { dotted, problemAt, problemsOf, type ConfigProblem } from './problems.ts';
import { configSchema, type ConfigFile } from './schema.ts';
import { keysAt, settablePaths } from './schema-keys.ts';

const ENV_PREFIX = 'PLUGPOOL_';
/** Those of the vehicle client, which may run on the same machine. */
const FOREIGN_PREFIX = 'PLUGPOOL_VEHICLE_';
const FILE_BYTES_MAX = 1024 * 1024;
/** Whose values are text whatever they look like: a station may be called 007. */
const TEXT_PATHS: ReadonlySet<string> = new Set([
  'station',
  'dataDir',
  'listen',
  'housekeeping.cron',
  'housekeeping.settleCron',
]);

export interface ConfigSources {
  readonly file?: string | undefined;
  readonly env?: NodeJS.ProcessEnv;
  /** By path; undefined where the flag was not given. */
  readonly flags?: Readonly<
    Partial<Record<'dataDir' | 'listen' | 'tokens' | 'logLevel', string | undefined>>
  >;
}

export type LoadedConfig =
  | { readonly ok: true; readonly config: Config; readonly effective: ConfigFile }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

type Tree = Record<string, unknown>;

export function loadConfig({ file, env = {}, flags = {} }: ConfigSources): LoadedConfig {
  const problems: ConfigProblem[] = [];
  const origins = new Map<string, string>();
  const merged = file === undefined ? {} : readConfigFile(file, problems);
  overlayEnvironment(merged, env, origins, problems);
  for (const [path, value] of Object.entries(flags))
    if (value !== undefined) put(merged, path, value, origins, `--${kebab(path)}`);
  const parsed = configSchema.safeParse(merged);
  const context = { origin: (path: readonly PropertyKey[]) => originOf(path, origins, file), keysAt };
  if (!parsed.success) problems.push(...parsed.error.issues.flatMap((issue) => problemsOf(issue, context)));
  for (const { entry, what } of firmwareProblems(merged['firmware'], pileOf(merged, env)))
    problems.push(problemAt(['firmware', entry], what, context));
  if (!parsed.success || problems.length > 0) return { ok: false, problems };
  const config = toConfig(parsed.data, env);
  return { ok: true, config, effective: { ...parsed.data, dataDir: config.dataDir } };
}

/** Of a configuration that may be half right. */
function pileOf({ station, dataDir }: Tree, env: NodeJS.ProcessEnv) {
  return {
    station: configSchema.shape.station.safeParse(station).data ?? DEFAULT_SETTINGS.stationId,
    dataDir: typeof dataDir === 'string' && dataDir !== '' ? dataDir : defaultDataDir(env),
  };
}

export function envName(path: string): string {
  const words = path.replaceAll('.', '_').replace(/[A-Z]/g, (letter) => `_${letter}`);
  return ENV_PREFIX + words.toUpperCase();
}

function readConfigFile(file: string, problems: ConfigProblem[]): Tree {
  try {
    const text = readFileSync(file, 'utf8');
    if (Buffer.byteLength(text) > FILE_BYTES_MAX)
      throw new Error('is larger than 1 MiB; is it the right file?');
    const document = parseDocument(text);
    problems.push(...document.errors.map((error) => ({ where: file, what: firstLine(error.message) })));
    const tree: unknown = document.errors.length > 0 ? {} : document.toJS({ maxAliasCount: 100 });
    if (tree === null || tree === undefined) return {};
    if (typeof tree === 'object' && !Array.isArray(tree)) return fromFolder(tree as Tree, dirname(file));
    problems.push({ where: file, what: 'must be a mapping of keys to values, such as station: north' });
  } catch (error) {
    problems.push({ where: file, what: fileProblem(error) });
  }
  return {};
}

function fileProblem(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return 'there is no such file; check the path after --config';
  if (code === 'EACCES') return 'may not be read; give the user of the agent the right to';
  if (code === 'EISDIR') return 'is a folder; name the file in it';
  return firstLine(error instanceof Error ? error.message : String(error));
}

function firstLine(text: string): string {
  return text.replace(/:?\n[^]*$/, '');
}

/** Relative paths in a file are meant from where the file is. */
function fromFolder(tree: Tree, folder: string): Tree {
  const { dataDir, firmware } = tree;
  if (typeof dataDir === 'string' && dataDir !== '') tree['dataDir'] = resolve(folder, dataDir);
  for (const entry of Array.isArray(firmware) ? (firmware as unknown[]) : []) {
    if (!isTree(entry)) continue;
    for (const key of ['file', 'passwordFile', 'tap'])
      if (typeof entry[key] === 'string' && entry[key] !== '') entry[key] = resolve(folder, entry[key]);
    // Without one it is the name of a map that is shipped.
    if (typeof entry['map'] === 'string' && entry['map'].includes('/'))
      entry['map'] = resolve(folder, entry['map']);
  }
  return tree;
}

function overlayEnvironment(
  merged: Tree,
  env: NodeJS.ProcessEnv,
  origins: Map<string, string>,
  problems: ConfigProblem[],
): void {
  const paths = new Map(settablePaths().map((path) => [envName(path), path]));
  for (const [name, text] of Object.entries(env)) {
    if (text === undefined || text === '') continue;
    if (!name.startsWith(ENV_PREFIX) || name.startsWith(FOREIGN_PREFIX)) continue;
    const path = paths.get(name);
    if (path !== undefined) put(merged, path, valueOf(path, text), origins, name);
    else problems.push({ where: name, what: unknownVariable(name, [...paths.keys()]) });
  }
}

function unknownVariable(name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known);
  if (nearest === undefined) return 'sets nothing; docs/configuration.md lists the variables';
  return `sets nothing; did you mean ${nearest}?`;
}

/** As YAML reads it, so that lists and numbers can be given. */
function valueOf(path: string, text: string): unknown {
  if (TEXT_PATHS.has(path)) return text;
  const document = parseDocument(text);
  return document.errors.length > 0 ? text : document.toJS({ maxAliasCount: 100 });
}

function put(merged: Tree, path: string, value: unknown, origins: Map<string, string>, origin: string): void {
  const sections = path.split('.');
  const key = sections.pop() ?? path;
  let at = merged;
  for (const section of sections) {
    const next = isTree(at[section]) ? at[section] : {};
    at[section] = next;
    at = next;
  }
  at[key] = value;
  origins.set(path, origin);
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The variable or flag that set a value or what it is part of; else the file. */
function originOf(
  path: readonly PropertyKey[],
  origins: ReadonlyMap<string, string>,
  file: string | undefined,
): string {
  for (let length = path.length; length > 0; length--) {
    const origin = origins.get(dotted(path.slice(0, length)));
    if (origin !== undefined) return origin;
  }
  return file ?? '';
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
