/**
 * The configuration's one strict schema: every key, its default, its bounds and what it means. docs/configuration.md says the
 * same for people, and a test compares the two.
 */
import { validateDetailed } from 'node-cron';
import { z } from 'zod';
import { parseConnectorId } from '@plugpool/firmware-bridge';
import { DEPLOYED_IMAGES_MAX } from '@plugpool/proto';
import { mayListen } from '../adapters/vehicle-tokens.ts';
import { DEFAULT_SETTINGS } from '../core/settings.ts';
import { parseDurationMs } from './duration.ts';
import { checkedBy, count, duration, path, percent } from './fields.ts';
import { firmwareSchema } from './firmware/firmware-schema.ts';
import { brokerClash } from './firmware/broker-clash.ts';
import { ledgerSchema, tariffsSchema } from './ledger-schema.ts';
import { powerSchema } from './power-schema.ts';
import { policySchema } from './policy-schema.ts';
import { vehiclesSchema, zonesSchema } from './site-schema.ts';
import { timeZoneName } from './time-zone.ts';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const stationId = z
  .string()
  .superRefine(checkedBy((text) => parseConnectorId('1', text)))
  .default(DEFAULT_SETTINGS.stationId)
  .describe(
    'The name of this charging station; a connector that is called by its number alone is one of it.',
  );

const cron = (defaultExpression: string) =>
  z
    .string()
    .superRefine((text, context) => {
      const { valid, errors } = validateDetailed(text);
      if (!valid)
        context.addIssue(
          `${JSON.stringify(text)} is no cron expression (${errors.map((e) => e.message).join('; ') || 'unreadable'}); write five fields, as 17 * * * *`,
        );
    })
    .default(defaultExpression);

const brokerSchema = z.strictObject({
  connectionsMax: count(1_000, 1, 100_000).describe(
    'Connections of all vehicles together; a quarter is kept for those that are known here (docs/hostile-vehicles.md).',
  ),
  connectionsPerVehicleMax: count(20, 1, 1_000).describe('Connections of one vehicle.'),
  messagesPerSecondMax: count(10_000, 1, 1_000_000).describe(
    'Messages a second of one connection; beyond it the connection is slowed down.',
  ),
});

const storageSchema = z.strictObject({
  blobsMib: count(4_096, 64, 1024 * 1024).describe(
    'Images, inputs and results on disk, together, in MiB; of it each vehicle has a share (docs/hostile-vehicles.md).',
  ),
  keepFreeMib: count(256, 0, 1024 * 1024).describe(
    'Of the disk, kept for the store and its log, in MiB, an eighth of the disk at most: images, inputs and results leave it alone (docs/store.md). 0: the disk is not looked at.',
  ),
  foldLogEvery: duration(60_000, 1_000, 86_400_000).describe(
    'How often the log of the store is folded into its file (docs/store.md).',
  ),
  checkCron: cron('23 3 * * *').describe(
    'When the whole store is checked: a cron expression of five fields, local time.',
  ),
});

const DAY_MS = 86_400_000;
const dwellSchema = z.strictObject({
  timeZone: timeZoneName
    .optional()
    .describe(
      'Where the pile stands, as `Europe/Berlin`: by it hours of the day and weekends are told; absent: `ledger.timeZone`, else that of the system.',
    ),
  utcOffsetMinutes: z
    .number()
    .int()
    .min(-720)
    .max(840)
    .optional()
    .describe(
      'The older way: local time less UTC, wrong for half of the year where clocks are set. Not with `dwell.timeZone`.',
    ),
  halfLife: duration(DEFAULT_SETTINGS.dwell.halfLifeMs, DAY_MS, 3_650 * DAY_MS).describe(
    'A stay weighs half as much once stays are learned that ended so much later.',
  ),
});

const poolsSchema = z.strictObject({
  enabled: z
    .boolean()
    .default(DEFAULT_SETTINGS.subPools)
    .describe('Plan capacity into sub-pools; `false`: whoever is first in the order takes what is free.'),
  // What gave back is used by half, what drew by 80 %: neither may be beyond the other threshold, or they would alternate.
  lowPercent: percent(DEFAULT_SETTINGS.poolLowMillis, 0, 40).describe(
    'A sub-pool of which less is used for the whole window gives back to the reserve.',
  ),
  highPercent: percent(DEFAULT_SETTINGS.poolHighMillis, 85, 100).describe(
    'A sub-pool of which more is used for the whole window draws from the reserve.',
  ),
  window: duration(DEFAULT_SETTINGS.poolWindowMs, 1_000, 86_400_000).describe(
    'How long the use must stay low or high.',
  ),
  cooldown: duration(DEFAULT_SETTINGS.poolCooldownMs, 0, 86_400_000).describe(
    'How long a sub-pool that changed is left alone.',
  ),
  minimumPercent: percent(DEFAULT_SETTINGS.poolMinimumMillis, 0, 30).describe(
    'What a sub-pool keeps of the whole, whatever is used.',
  ),
  reservePercent: percent(DEFAULT_SETTINGS.poolReserveMillis, 0, 90).describe(
    'What a plan leaves to the reserve at least.',
  ),
  halfLife: duration(DEFAULT_SETTINGS.poolHalfLifeMs, 1_000).describe(
    'What was asked for this long ago counts half in the forecast.',
  ),
  imagesPerVehicle: count(DEFAULT_SETTINGS.deployImagesMax, 0, DEPLOYED_IMAGES_MAX).describe(
    'Images that a vehicle is told to fetch before they are needed.',
  ),
});

/** What several keys must be together is looked at even where other keys are wrong: all problems are told at once. */
function always(): boolean {
  return true;
}

/** `config` may be half right. */
function listenProblem(config: unknown): string | undefined {
  const { listen, tokens } = (config ?? {}) as { listen?: unknown; tokens?: unknown };
  if (typeof listen !== 'string') return undefined;
  const verdict = mayListen(listen, tokens === 'tokens' ? 'tokens' : 'open');
  if (verdict.ok) return undefined;
  return tokens === 'tokens' || tokens === 'open' ? verdict.reason : undefined;
}

/** Records of two piles of one name would be taken for one another. */
function creditsAreNamed(config: unknown): boolean {
  const { credits, station } = (config ?? {}) as { credits?: unknown; station?: unknown };
  return credits !== 'send' || station !== DEFAULT_SETTINGS.stationId;
}

function oneTimeZone(config: unknown): boolean {
  const { dwell } = (config ?? {}) as { dwell?: { timeZone?: unknown; utcOffsetMinutes?: unknown } };
  return dwell?.timeZone === undefined || dwell.utcOffsetMinutes === undefined;
}

function deadlinesAgree(config: unknown): boolean {
  const { policy } = (config ?? {}) as { policy?: { deadlineDefault?: unknown; deadlineMax?: unknown } };
  const defaultMs = parseDurationMs(String(policy?.deadlineDefault));
  const maxMs = parseDurationMs(String(policy?.deadlineMax));
  return defaultMs === undefined || maxMs === undefined || defaultMs <= maxMs;
}

export const configSchema = z
  .strictObject({
    station: stationId,
    dataDir: path
      .optional()
      .describe(
        'Where the agent keeps its files; absent: `$XDG_STATE_HOME/plugpool`, or `~/.local/state/plugpool`.',
      ),
    listen: z
      .string()
      .default('mqtt://127.0.0.1:1883')
      .describe('Where vehicles connect: `mqtt://HOST:PORT`; port 0 takes any.'),
    tokens: z
      .enum(['open', 'tokens'])
      .default('open')
      .describe('`tokens`: every vehicle must present its token; `open`: only on this machine, without.'),
    logLevel: z.enum(LOG_LEVELS).default('info').describe('The least important lines that are logged.'),
    broker: brokerSchema.prefault({}).describe('What vehicles may do at most.'),
    storage: storageSchema.prefault({}).describe('What the disk may hold.'),
    policy: policySchema.prefault({}).describe('The numbers by which requests and vehicles are matched.'),
    pools: poolsSchema.prefault({}).describe('How capacity is divided among classes (docs/pools.md).'),
    dwell: dwellSchema.prefault({}).describe('How departures are learned (docs/dwell.md).'),
    ledger: ledgerSchema
      .prefault({})
      .describe('What computing is taken to draw, and when it earns nothing (docs/ledger.md).'),
    tariffs: tariffsSchema,
    credits: z
      .enum(['off', 'keep', 'send'])
      .default(DEFAULT_SETTINGS.credits)
      .describe(
        'What each stay earned as a signed record: none, kept here, or sent to the back office too (docs/credits.md).',
      ),
    power: powerSchema
      .prefault({})
      .describe('What is done with the power of the connectors (docs/power.md); by default nothing.'),
    vehicles: vehiclesSchema,
    zones: zonesSchema,
    firmware: firmwareSchema,
    housekeeping: z
      .strictObject({
        cron: cron('17 * * * *').describe(
          'When old tasks and unneeded files are cleared away: a cron expression of five fields, local time.',
        ),
        settleCron: cron('43 2 * * *').describe(
          'When accrued money becomes whole cents (docs/ledger.md): a cron expression of five fields, local time.',
        ),
      })
      .prefault({})
      .describe('Regular work.'),
  })
  .refine((config) => listenProblem(config) === undefined, {
    when: always,
    path: ['listen'],
    error: ({ input }) => listenProblem(input),
  })
  .refine((config) => brokerClash(config) === undefined, {
    when: always,
    path: ['firmware'],
    error: ({ input }) => brokerClash(input),
  })
  .refine(creditsAreNamed, {
    when: always,
    path: ['station'],
    error:
      'is the default name; name this station before credits are sent, since the back office tells records apart by it',
  })
  .refine(oneTimeZone, {
    when: always,
    path: ['dwell', 'utcOffsetMinutes'],
    error: 'says again what dwell.timeZone says, and may say otherwise; leave it out',
  })
  .refine(deadlinesAgree, {
    when: always,
    path: ['policy', 'deadlineDefault'],
    error: 'is longer than policy.deadlineMax; lower it, or raise deadlineMax',
  });

/** As it stands in a file: whatever has a default may be left out. */
export type ConfigInput = z.input<typeof configSchema>;
/** Complete, in the same form. */
export type ConfigFile = z.output<typeof configSchema>;
