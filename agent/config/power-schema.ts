/** The part of the schema that says what the agent may do with the power of the connectors. */
import { z } from 'zod';
import { DEFAULT_POWER, type PowerSettings } from '../core/power/power-settings.ts';
import { duration, ms } from './fields.ts';

const MW_PER_KW = 1e6;
/** 10 MW: several times what any station draws. */
const POWER_KW_MAX = 10_000;
/** Longer, a station would keep to a cap that nobody wants any more. */
const CAP_FOR_MS_MAX = 10 * 60_000;

export const powerSchema = z.strictObject({
  caps: z
    .boolean()
    .default(DEFAULT_POWER.caps)
    .describe('Whether the agent may cap connectors; the adapter that does it needs its own switch beside.'),
  capFor: duration(DEFAULT_POWER.capForMs, 30_000, CAP_FOR_MS_MAX).describe(
    'The station forgets a cap after this long without the agent, which renews it twice as often.',
  ),
  capMinKw: z
    .number()
    .positive()
    .max(POWER_KW_MAX)
    .default(DEFAULT_POWER.capMinMw / MW_PER_KW)
    .describe('A lower cap would end the charging: 6 A on all phases of the connector.'),
  stationLimitKw: z
    .number()
    .positive()
    .max(POWER_KW_MAX)
    .optional()
    .describe('What all connectors and the computing at them may draw together; absent: there is no limit.'),
  connectorMaxKw: z
    .number()
    .positive()
    .max(POWER_KW_MAX)
    .optional()
    .describe(
      'What a connector is taken to draw while its firmware does not say it, and beyond which no reading is believed; absent: nobody knows.',
    ),
});

export function toPower(power: z.output<typeof powerSchema>): PowerSettings {
  const { stationLimitKw, connectorMaxKw } = power;
  return {
    caps: power.caps,
    capForMs: ms(power.capFor),
    capMinMw: Math.round(power.capMinKw * MW_PER_KW),
    ...(stationLimitKw === undefined ? {} : { stationLimitMw: Math.round(stationLimitKw * MW_PER_KW) }),
    ...(connectorMaxKw === undefined ? {} : { connectorMaxMw: Math.round(connectorMaxKw * MW_PER_KW) }),
  };
}
