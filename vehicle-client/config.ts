/**
 * The vehicle client's configuration: one strict schema; defaults < YAML file < environment < flags. All problems are found
 * at once, each with where it stands and what would be right.
 */
import { readFileSync } from 'node:fs';
import { parse as parseYaml } from 'yaml';
import type { z } from 'zod';
import type { RuntimeKind } from '@plugpool/proto';
import {
  ENV_SETTINGS,
  configSchema,
  controlSchema,
  type EnergySetting,
  type RawConfig,
} from './config-schema.ts';
import { MINUTES_PER_DAY, type HourWindow, type OwnerPolicy, type VehicleSignals } from './core/policy.ts';
import type { SignalTopic } from './adapters/signals-mqtt.ts';
import { PlugpoolError } from './errors.ts';
import type { LogLevel } from './log-level.ts';
import { nearest } from './nearest-name.ts';

export const ENV_PREFIX = 'PLUGPOOL_VEHICLE_';

/** What a donor is started with. */
export interface DonorSettings {
  readonly agent: string;
  readonly vehicle: string;
  readonly dataDir?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly sandbox: 'bwrap' | 'process' | 'bwrap-else-process';
  readonly runtimes: readonly RuntimeKind[];
  /** Children started ahead of need. */
  readonly warmChildren: { readonly wasm: number; readonly onnx: number };
  /** ONNX Runtime's providers for tasks with a GPU, best first. */
  readonly executionProviders: readonly string[];
  readonly cacheBytesMax: number;
  readonly policy: OwnerPolicy;
  /** Where it stands whenever it is at this pile. */
  readonly connector?: string | undefined;
  readonly signals: SignalSettings;
  readonly energy: EnergySetting;
  readonly probeSettings: { readonly sampleEveryMs: number; readonly ownRootPids: readonly number[] };
}

export type SignalSettings =
  | { readonly adapter: 'static'; readonly values: VehicleSignals }
  | {
      readonly adapter: 'mqtt';
      readonly url: string;
      readonly username?: string | undefined;
      readonly password?: string | undefined;
      readonly staleMs: number;
      readonly topics: Readonly<Partial<Record<keyof VehicleSignals, SignalTopic>>>;
    };

export interface VehicleConfig extends DonorSettings {
  /** Absent: what suits the command. */
  readonly logLevel?: LogLevel | undefined;
}

export interface ConfigSources {
  readonly file?: string | undefined;
  readonly env?: NodeJS.ProcessEnv;
  /** By dotted path, as in `policy.cpuPercent`; undefined where the flag was not given. */
  readonly flags?: Readonly<Record<string, unknown>>;
}

interface Problem {
  readonly where: string;
  readonly what: string;
}

/** Which vehicle's files are meant: all that the commands need which talk to a running donor. */
export type ControlConfig = Pick<VehicleConfig, 'dataDir'> & { readonly vehicle: string | undefined };

/** As `loadConfig`, for commands that need no pile. */
export function loadControlConfig(sources: ConfigSources): ControlConfig {
  const { vehicle, dataDir } = parseSources(controlSchema, sources);
  if (vehicle !== undefined || dataDir !== undefined) return { vehicle, dataDir };
  throw configError([
    {
      where: 'vehicle',
      what: `is missing; give --vehicle or --data-dir (or ${envName('vehicle')}) to say which donor is meant`,
    },
  ]);
}

/** The configuration in force, or a `PlugpoolError` that lists every problem. */
export function loadConfig(sources: ConfigSources): VehicleConfig {
  return toConfig(parseSources(configSchema, sources));
}

function parseSources<Schema extends z.ZodType>(schema: Schema, sources: ConfigSources): z.output<Schema> {
  const problems: Problem[] = [];
  const merged = readFile(sources.file, problems);
  const origins = new Map<string, string>();
  overlayEnv(merged, sources.env ?? {}, origins, problems);
  for (const [path, value] of Object.entries(sources.flags ?? {})) {
    if (value === undefined) continue;
    overlay(merged, path, value, origins, `--${kebab(path.slice(path.lastIndexOf('.') + 1))}`);
  }
  const parsed = schema.safeParse(merged);
  if (!parsed.success) {
    problems.push(...parsed.error.issues.map((issue) => problemOf(issue, origins, sources.file)));
  }
  if (problems.length > 0 || !parsed.success) throw configError(problems);
  return parsed.data;
}

function readFile(path: string | undefined, problems: Problem[]): Record<string, unknown> {
  if (path === undefined) return {};
  try {
    const parsed: unknown = parseYaml(readFileSync(path, 'utf8'), { maxAliasCount: 100 });
    if (parsed === null || parsed === undefined) return {};
    if (typeof parsed === 'object' && !Array.isArray(parsed))
      return structuredClone(parsed) as Record<string, unknown>;
    problems.push({
      where: path,
      what: 'holds no settings; it must be a YAML mapping such as "vehicle: my-car"',
    });
  } catch (error) {
    problems.push({
      where: path,
      what: String(error instanceof Error ? error.message : error)
        .split('\n', 1)
        .join(),
    });
  }
  return {};
}

function overlayEnv(
  merged: Record<string, unknown>,
  env: NodeJS.ProcessEnv,
  origins: Map<string, string>,
  problems: Problem[],
): void {
  const byName = new Map(ENV_SETTINGS.map((path) => [envName(path), path]));
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith(ENV_PREFIX) || text === undefined) continue;
    const path = byName.get(name);
    if (path === undefined) {
      problems.push({
        where: name,
        what: `is no setting; the nearest is ${nearest(name, [...byName.keys()])}`,
      });
    } else {
      overlay(merged, path, envValue(path, text), origins, name);
    }
  }
}

export function envName(path: string): string {
  return (
    ENV_PREFIX +
    path
      .replaceAll('.', '_')
      .replace(/[A-Z]/g, (letter) => `_${letter}`)
      .toUpperCase()
  );
}

const TEXT_SETTINGS = new Set([
  'agent',
  'vehicle',
  'connector',
  'dataDir',
  'tokenFile',
  'signals.username',
  'signals.password',
  'signals.readyBy',
  'policy.requestConstraint',
]);
const LIST_SETTINGS = new Set([
  'runtimes',
  'executionProviders',
  'policy.allowedAlgorithms',
  'probe.ownRootPids',
]);

/** An id such as `007` must stay a text; everything else reads as YAML, and lists may be given with commas alone. */
function envValue(path: string, text: string): unknown {
  if (TEXT_SETTINGS.has(path)) return text;
  const asYaml = LIST_SETTINGS.has(path) && !text.trim().startsWith('[') ? `[${text}]` : text;
  try {
    return parseYaml(asYaml);
  } catch {
    return text;
  }
}

function overlay(
  merged: Record<string, unknown>,
  path: string,
  value: unknown,
  origins: Map<string, string>,
  origin: string,
): void {
  const keys = path.split('.');
  const last = keys.pop() ?? path;
  let at = merged;
  for (const key of keys) {
    const next = at[key];
    at[key] = typeof next === 'object' && next !== null && !Array.isArray(next) ? next : {};
    at = at[key] as Record<string, unknown>;
  }
  at[last] = value;
  // A car's signals are static unless an adapter is named.
  if (path.startsWith('signals.') && path !== 'signals.adapter') at['adapter'] ??= 'static';
  origins.set(path, origin);
}

function problemOf(issue: z.core.$ZodIssue, origins: Map<string, string>, file: string | undefined): Problem {
  const path = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    const prefix = path === '' ? '' : `${path}.`;
    const known = ENV_SETTINGS.filter((setting) => setting.startsWith(prefix)).map((setting) =>
      setting.slice(prefix.length).split('.', 1).join(),
    );
    const key = issue.keys[0] ?? '';
    return {
      where: `${file ?? 'configuration'}: ${prefix}${issue.keys.join(', ')}`,
      what: `is no setting; the nearest is ${nearest(key, known)}`,
    };
  }
  const where = originOf(issue.path, origins) ?? (file === undefined ? path : `${file}: ${path}`);
  if (issue.code === 'invalid_type' && (path === 'agent' || path === 'vehicle') && !origins.has(path)) {
    return {
      where: path,
      what: `is missing; give --${path}, ${envName(path)} or "${path}:" in a configuration file`,
    };
  }
  return { where, what: `must be right: ${issue.message}` };
}

/** Where the value came from, or the list or mapping that it stands in. */
function originOf(path: readonly PropertyKey[], origins: Map<string, string>): string | undefined {
  for (let length = path.length; length > 0; length--) {
    const origin = origins.get(path.slice(0, length).join('.'));
    if (origin !== undefined) return origin;
  }
  return undefined;
}

function configError(problems: readonly Problem[]): PlugpoolError {
  const lines = problems.map(({ where, what }) => `  ${where}: ${what}`);
  return new PlugpoolError({
    code: 'config_invalid',
    message: `the configuration has ${problems.length === 1 ? 'a mistake' : `${problems.length} mistakes`}:\n${lines.join('\n')}`,
    hint: 'docs/vehicle-client.md lists every setting',
    retryable: false,
  });
}

function toConfig(raw: RawConfig): VehicleConfig {
  return {
    agent: raw.agent,
    vehicle: raw.vehicle,
    connector: raw.connector,
    dataDir: raw.dataDir,
    tokenFile: raw.tokenFile,
    logLevel: raw.logLevel,
    sandbox: raw.sandbox,
    runtimes: raw.runtimes,
    warmChildren: raw.warmChildren,
    executionProviders: raw.executionProviders,
    cacheBytesMax: Math.round(raw.cacheMib * 1024 * 1024),
    policy: { ...raw.policy, hours: raw.policy.hours.map(toHourWindow) },
    signals: toSignals(raw.signals),
    energy: raw.energy,
    probeSettings: { sampleEveryMs: raw.probe.sampleEveryS * 1000, ownRootPids: raw.probe.ownRootPids },
  };
}

function toHourWindow(window: RawConfig['policy']['hours'][number]): HourWindow {
  return {
    ...(window.days === undefined ? {} : { days: window.days as HourWindow['days'] }),
    fromMinute: toMinute(window.from) % MINUTES_PER_DAY,
    toMinute: toMinute(window.to),
  };
}

function toMinute(text: string): number {
  const [hours, minutes] = text.split(':').map(Number);
  return (hours ?? 0) * 60 + (minutes ?? 0);
}

function toSignals(raw: RawConfig['signals']): SignalSettings {
  if (raw.adapter === 'static') {
    const { adapter: _adapter, readyBy, ...values } = raw;
    const given = Object.entries({
      ...values,
      readyByWallMs: readyBy === undefined ? undefined : Date.parse(readyBy),
    });
    return {
      adapter: 'static',
      values: Object.fromEntries(given.filter(([, value]) => value !== undefined)),
    };
  }
  const { staleS, topics, ...rest } = raw;
  const { readyBy, ...others } = topics;
  const named = Object.entries({ ...others, readyByWallMs: readyBy }).filter(
    ([, topic]) => topic !== undefined,
  );
  return { ...rest, staleMs: staleS * 1000, topics: Object.fromEntries(named) };
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
