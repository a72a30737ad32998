/** The part of the schema that says what computing is paid, what it is taken to draw, and when a vehicle overstays. */
import { z } from 'zod';
import { windowProblem, type Tariff } from '../core/ledger/tariffs.ts';
import { TARIFFS_MAX } from '../core/limits.ts';
import { DEFAULT_SETTINGS } from '../core/settings.ts';
import { parseDurationMs } from './duration.ts';
import { durationText, percent } from './fields.ts';
import { minorDigits } from './minor-digits.ts';
import { timeZoneName } from './time-zone.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** Of the major unit of a currency. */
const PRICE_MAX = 10_000;
const CURRENCIES: ReadonlySet<string> = new Set(Intl.supportedValuesOf('currency'));

const watts = (defaultMw: number, max: number) =>
  z
    .number()
    .min(0)
    .max(max)
    .default(defaultMw / 1000);

export const ledgerSchema = z.strictObject({
  timeZone: timeZoneName
    .optional()
    .describe('In which the windows of tariffs are meant; absent: that of the system.'),
  overstayAfter: durationText(0, 30 * DAY_MS)
    .optional()
    .describe('So long after its charging ended a vehicle earns nothing by lending; absent: it always does.'),
  coreDrawsW: watts(DEFAULT_SETTINGS.coreDrawsMw, 1_000).describe(
    'What a core of the reference speed is taken to draw at work, in W, where a vehicle does not measure it.',
  ),
  gpuDrawsW: watts(DEFAULT_SETTINGS.gpuDrawsMw, 10_000).describe('The same of the reference GPU.'),
  computingPowerMaxW: watts(DEFAULT_SETTINGS.computingPowerMaxMw, 100_000).describe(
    'What one run can draw at most, whatever its vehicle says.',
  ),
  unprovenCoreHoursPerDay: z
    .number()
    .min(0)
    .max(100_000)
    .default(DEFAULT_SETTINGS.unprovenMncsPerDay / 3_600_000)
    .describe(
      'So many hours of the reference core a vehicle is credited a day for checkpoints before a result came of them; beyond it they earn with the result.',
    ),
});

const price = z.number().min(0).max(PRICE_MAX);

const tariffSchema = z
  .strictObject({
    name: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._ -]{0,63}$/, 'must be 1 to 64 letters, digits, spaces, . _ and -')
      .describe('What bookings call it.'),
    currency: z
      .string()
      .refine((code) => CURRENCIES.has(code), 'is no currency; write three letters, as EUR')
      .describe('As ISO 4217 names it.'),
    cron: z
      .string()
      .optional()
      .describe('When it begins to hold: a cron expression of five fields; absent: it always holds.'),
    duration: durationText(MINUTE_MS, 31 * DAY_MS)
      .refine((text) => (parseDurationMs(text) ?? 0) % MINUTE_MS === 0, 'must be whole minutes')
      .optional()
      .describe('For how long it holds then.'),
    cpuHour: price.default(0).describe('For an hour of the reference core, in the currency: 0.03.'),
    gpuHour: price.default(0).describe('For an hour of the reference GPU.'),
    operatorSharePercent: percent(DEFAULT_SETTINGS.operatorShareMillis, 0, 100).describe(
      'Of it the operator’s.',
    ),
    energyKwh: price.default(0).describe('What a kWh costs the driver.'),
  })
  .superRefine(({ cron, duration: length }, context) => {
    if ((cron === undefined) !== (length === undefined))
      context.addIssue('has one of cron and duration; write both, or neither for a tariff that always holds');
    const problem = cron === undefined ? undefined : windowProblem(cron, 'UTC');
    if (problem !== undefined)
      context.addIssue({
        code: 'custom',
        path: ['cron'],
        message: `${problem}; write five fields, as 0 22 * * *`,
      });
  });

export const tariffsSchema = z
  .array(tariffSchema)
  .max(TARIFFS_MAX)
  .default([])
  .refine(
    (list) => new Set(list.map(({ name }) => name)).size === list.length,
    'has two tariffs of one name; keep one',
  )
  .describe('What computing is paid: a list; the first that holds counts; empty: nothing is paid in money.');

export function toTariff(tariff: z.output<typeof tariffSchema>, timeZone: string): Tariff {
  const { name, currency, cron, duration: length } = tariff;
  const micros = (amount: number): number => Math.round(amount * 10 ** minorDigits(currency) * 1e6);
  const durationMs = length === undefined ? undefined : parseDurationMs(length);
  return {
    name,
    currency,
    ...(cron === undefined || durationMs === undefined ? {} : { window: { cron, timeZone, durationMs } }),
    cpuHourMicros: micros(tariff.cpuHour),
    gpuHourMicros: micros(tariff.gpuHour),
    operatorShareMillis: Math.round(tariff.operatorSharePercent * 10),
    energyKwhMicros: micros(tariff.energyKwh),
  };
}
