/** Reads the relay's configuration from its YAML file; every problem at once, with its key and what to do. */
import { accessSync, constants, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import type { z } from 'zod';
import { issueInWords } from '../../issue-words.ts';
import { TAP_FILE } from '../tap-file.ts';
import { relayConfigSchema, type RelayConfig } from './relay-config.ts';

const FILE_BYTES_MAX = 1024 * 1024;
/** Keys whose values are paths, meant from the file's own folder. */
const PATH_KEYS: ReadonlySet<string> = new Set([
  'caFile',
  'certFile',
  'keyFile',
  'clientCaFile',
  'passwordFile',
  'stateFile',
  'path',
]);
/** Files that must be there. */
const READ_KEYS: ReadonlySet<string> = new Set(
  [...PATH_KEYS].filter((key) => key !== 'stateFile' && key !== 'path'),
);

export type LoadedRelayConfig =
  | { readonly ok: true; readonly config: RelayConfig; readonly tapPath: string }
  | { readonly ok: false; readonly problems: readonly string[] };

export function loadRelayConfig(file: string, env: NodeJS.ProcessEnv): LoadedRelayConfig {
  const read = readYaml(file);
  if (!read.ok) return { ok: false, problems: [`${file}: ${read.problem}`] };
  const parsed = relayConfigSchema.safeParse(pathsFrom(read.tree, dirname(resolve(file))));
  if (!parsed.success)
    return {
      ok: false,
      problems: parsed.error.issues.flatMap(inWords).map((problem) => `${file}: ${problem}`),
    };
  const missing = unreadableFiles(parsed.data);
  if (missing.length > 0) return { ok: false, problems: missing.map((problem) => `${file}: ${problem}`) };
  return { ok: true, config: parsed.data, tapPath: parsed.data.tap.path ?? defaultTapPath(env) };
}

/** In the directory where the agent keeps its own socket unless told otherwise (agent/config/data-dir.ts). */
export function defaultTapPath(env: NodeJS.ProcessEnv): string {
  const given = env['PLUGPOOL_DATA_DIR'];
  if (given !== undefined && given !== '') return join(resolve(given), TAP_FILE);
  const stateHome = env['XDG_STATE_HOME'];
  const base =
    stateHome !== undefined && isAbsolute(stateHome) ? stateHome : join(homedir(), '.local', 'state');
  return join(base, 'plugpool', TAP_FILE);
}

type ReadYaml =
  { readonly ok: true; readonly tree: unknown } | { readonly ok: false; readonly problem: string };

function readYaml(file: string): ReadYaml {
  try {
    const text = readFileSync(file, 'utf8');
    if (text.length > FILE_BYTES_MAX)
      return { ok: false, problem: 'is larger than 1 MiB; is it the right file?' };
    const document = parseDocument(text);
    const [error] = document.errors;
    if (error !== undefined) return { ok: false, problem: firstLine(error.message) };
    return { ok: true, tree: document.toJS({ maxAliasCount: 100 }) ?? {} };
  } catch (error) {
    return { ok: false, problem: fileProblem(error) };
  }
}

function fileProblem(error: unknown): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
      return 'there is no such file; check the path after --config';
    case 'EACCES':
      return 'may not be read; give the user of the relay the right to';
    case 'EISDIR':
      return 'is a folder; name the file in it';
    default:
      return firstLine(error instanceof Error ? error.message : String(error));
  }
}

function firstLine(text: string): string {
  return text.replace(/:?\n[^]*$/, '');
}

function pathsFrom(tree: unknown, folder: string): unknown {
  if (Array.isArray(tree)) return tree;
  if (typeof tree !== 'object' || tree === null) return tree;
  return Object.fromEntries(
    Object.entries(tree).map(([key, value]): [string, unknown] =>
      PATH_KEYS.has(key) && typeof value === 'string' && value !== ''
        ? [key, resolve(folder, value)]
        : [key, pathsFrom(value, folder)],
    ),
  );
}

function unreadableFiles(tree: unknown, at = ''): string[] {
  if (typeof tree !== 'object' || tree === null) return [];
  return Object.entries(tree).flatMap(([key, value]) => {
    const where = at === '' ? key : `${at}.${key}`;
    if (!READ_KEYS.has(key) || typeof value !== 'string') return unreadableFiles(value, where);
    try {
      accessSync(value, constants.R_OK);
      return [];
    } catch {
      return [`${where}: ${value} is not there or may not be read`];
    }
  });
}

function inWords(issue: z.core.$ZodIssue): string[] {
  const at = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map(
      (key) => `${[...issue.path, key].map(String).join('.')}: is no setting of the relay`,
    );
  if (at === 'upstream' && issue.code === 'invalid_union') return [upstreamProblem(issue)];
  if (issue.code === 'invalid_union') return [`${at}: ${nestedProblem(issue)}`];
  return [`${at === '' ? 'the file' : at}: ${issueInWords(issue)}`];
}

function upstreamProblem(issue: z.core.$ZodIssueInvalidUnion): string {
  const needed =
    'upstream: must be the CSMS, as upstream: { url: wss://csms.example/ocpp }, or the word none';
  const isMapping = issue.errors.flat().some(({ path }) => path.length > 0);
  return isMapping ? `${needed} (${nestedProblem(issue)})` : needed;
}

/** What is wrong with the alternative that was probably meant: the one that failed deepest. */
function nestedProblem(issue: z.core.$ZodIssueInvalidUnion): string {
  const all = issue.errors.flat().sort((a, b) => b.path.length - a.path.length);
  const [deepest] = all;
  if (deepest === undefined) return 'is none of what it may be';
  return deepest.path.length === 0
    ? issueInWords(deepest)
    : `${deepest.path.map(String).join('.')}: ${issueInWords(deepest)}`;
}
