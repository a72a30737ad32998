/** The strict schema of the vehicle client's configuration: every setting, its default and its bounds. docs/vehicle-client.md has them for people. */
import { z } from 'zod';
import { CONNECTOR_PATTERN, CONSTRAINT_BYTES_MAX, ID_PATTERN, NAME_PATTERN } from '@plugpool/proto';
import { WEEKDAYS } from './core/policy.ts';
import { LOG_LEVELS } from './log-level.ts';
import type { PowerSourceName } from './ports.ts';

/** By what the energy of computing is measured; `auto`: whatever can be read. */
export type EnergySetting = 'auto' | 'off' | PowerSourceName;
const ENERGY_SETTINGS = ['auto', 'off', 'powercap', 'hwmon'] as const satisfies readonly EnergySetting[];

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

/** The agent has the same (config/time-zone.ts): the two share what is said on the wire, and no zone is. */
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

export const configSchema = z.strictObject({
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

/** For commands that need no pile. */
export const controlSchema = configSchema.partial({ agent: true, vehicle: true });

export type RawConfig = z.output<typeof configSchema>;

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
