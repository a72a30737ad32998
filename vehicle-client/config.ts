/**
 * The vehicle client's configuration: one strict schema; defaults < YAML file < environment < flags. All problems are found
 * at once, each with where it stands and what would be right.
 */
import { readFileSync } from 'node:fs';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import {
  CONNECTOR_PATTERN,
  CONSTRAINT_BYTES_MAX,
  ID_PATTERN,
  NAME_PATTERN,
  type RuntimeKind,
} from '@plugpool/proto';
import {
  MINUTES_PER_DAY,
  WEEKDAYS,
  type HourWindow,
  type OwnerPolicy,
  type VehicleSignals,
} from './core/policy.ts';
import type { SignalTopic } from './adapters/signals-mqtt.ts';
import { PlugpoolError } from './errors.ts';
import type { PowerSourceName } from './ports.ts';

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

/** By what the energy of computing is measured; `auto`: whatever can be read. */
export type EnergySetting = 'auto' | 'off' | PowerSourceName;
const ENERGY_SETTINGS = ['auto', 'off', 'powercap', 'hwmon'] as const satisfies readonly EnergySetting[];

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

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;

const percent = z.number().min(0).max(100);
const timeOfDay = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$|^24:00$/, 'a time of day such as "22:30"');
const hourWindow = z.strictObject({
  days: z
    .array(z.enum(WEEKDAYS as [string, ...string[]]))
    .min(1)
    .optional(),
  from: timeOfDay,
  to: timeOfDay,
});
const dateTime = z.iso.datetime({ offset: true, local: true });

/** Whether it is right CEL is for the pile to say, which evaluates it; what cannot even be sent is said here. */
const constraint = z
  .string()
  .refine(
    (text) => text.trim() !== '',
    'an expression such as "request.fleet"; leave it out to allow every request',
  )
  .refine(
    (text) => Buffer.byteLength(text) <= CONSTRAINT_BYTES_MAX,
    `at most ${CONSTRAINT_BYTES_MAX} bytes; say it shorter, for instance with "in [..]"`,
  );

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

const policySchema = z.strictObject({
  cpuPercent: percent.default(80),
  memoryPercent: percent.default(50),
  gpuPercent: percent.default(80),
  socFloorPercent: percent.default(20),
  temperatureMaxC: z.number().min(0).max(120).default(85),
  hours: z.array(hourWindow).max(32).default([]),
  timeZone: z.string().refine(isTimeZone, 'a time zone such as Europe/Berlin').optional(),
  chargingOnly: z.boolean().default(false),
  computingPowerW: z.number().min(0).max(10_000).default(150),
  allowedAlgorithms: z
    .array(z.string().regex(NAME_PATTERN, 'an algorithm id such as "route-plan"'))
    .max(256)
    .default([]),
  requestConstraint: constraint.optional(),
});

const signalValues = {
  socPercent: percent.optional(),
  socTargetPercent: percent.optional(),
  readyBy: dateTime.optional(),
  chargingPowerW: z.number().min(0).max(2_000_000).optional(),
  batteryKwh: z.number().positive().max(10_000).optional(),
  ignition: z.enum(['on', 'off']).optional(),
};

const signalTopic = z.strictObject({
  topic: z.string().min(1).max(1024),
  path: z.string().min(1).max(256).optional(),
});

const signalsSchema = z.discriminatedUnion('adapter', [
  z.strictObject({ adapter: z.literal('static'), ...signalValues }),
  z.strictObject({
    adapter: z.literal('mqtt'),
    url: z.url({ protocol: /^mqtts?$/, error: 'an address such as mqtt://127.0.0.1:1883' }),
    username: z.string().max(256).optional(),
    password: z.string().max(256).optional(),
    staleS: z.number().positive().max(86_400).default(300),
    topics: z.strictObject(
      Object.fromEntries(Object.keys(signalValues).map((name) => [name, signalTopic.optional()])) as Record<
        keyof typeof signalValues,
        z.ZodOptional<typeof signalTopic>
      >,
    ),
  }),
]);

const configSchema = z.strictObject({
  agent: z.url({ protocol: /^mqtts?$/, error: 'the address of a pile, such as mqtt://192.168.1.10:1883' }),
  vehicle: z.string().regex(ID_PATTERN, '1 to 64 letters, digits, "_" and "-"'),
  connector: z.string().regex(CONNECTOR_PATTERN, 'a connector such as 3, 3/1 or north/3/1').optional(),
  dataDir: z.string().min(1).optional(),
  tokenFile: z.string().min(1).optional(),
  logLevel: z.enum(LOG_LEVELS).optional(),
  sandbox: z.enum(['bwrap', 'process', 'bwrap-else-process']).default('bwrap'),
  runtimes: z
    .array(z.enum(['wasm', 'onnx', 'echo']))
    .min(1)
    .default(['wasm', 'onnx', 'echo']),
  warmChildren: z
    .strictObject({ wasm: z.int().min(0).max(16).default(1), onnx: z.int().min(0).max(16).default(0) })
    .prefault({}),
  executionProviders: z.array(z.string().min(1).max(64)).max(8).default([]),
  energy: z.enum(ENERGY_SETTINGS).default('auto'),
  cacheMib: z
    .number()
    .positive()
    .max(1024 * 1024)
    .default(1024),
  policy: policySchema.prefault({}),
  signals: signalsSchema.prefault({ adapter: 'static' }),
  probe: z
    .strictObject({
      sampleEveryS: z.number().min(0.5).max(10).default(2),
      ownRootPids: z.array(z.int().positive()).max(64).default([]),
    })
    .prefault({}),
});

const controlSchema = configSchema.partial({ agent: true, vehicle: true });

type Raw = z.output<typeof configSchema>;

/** Every setting that the environment can give: `policy.cpuPercent` is `PLUGPOOL_VEHICLE_POLICY_CPU_PERCENT`. */
export const ENV_SETTINGS: readonly string[] = [
  ...[
    'agent',
    'vehicle',
    'dataDir',
    'connector',
    'tokenFile',
    'logLevel',
    'sandbox',
    'runtimes',
    'executionProviders',
    'cacheMib',
    'energy',
  ],
  ...['warmChildren.wasm', 'warmChildren.onnx'],
  ...Object.keys(policySchema.shape).map((name) => `policy.${name}`),
  ...['adapter', 'url', 'username', 'password', 'staleS', ...Object.keys(signalValues)].map(
    (name) => `signals.${name}`,
  ),
  ...['probe.sampleEveryS', 'probe.ownRootPids'],
];

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

function toConfig(raw: Raw): VehicleConfig {
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

function toHourWindow(window: Raw['policy']['hours'][number]): HourWindow {
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

function toSignals(raw: Raw['signals']): SignalSettings {
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

function nearest(name: string, candidates: readonly string[]): string {
  const scored = candidates.map((candidate) => ({
    candidate,
    distance: editDistance(name.toLowerCase(), candidate.toLowerCase()),
  }));
  return scored.sort((a, b) => a.distance - b.distance)[0]?.candidate ?? 'none';
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (previous[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(change, (previous[j] as number) + 1, (row[j - 1] as number) + 1));
    }
    previous = row;
  }
  return previous[b.length] as number;
}
