/** The keys of `kind: modbus`. */
import {
  MODBUS_ANSWER_WITHIN_MS,
  MODBUS_CONNECTORS_MAX,
  MODBUS_LOST_AFTER,
  MODBUS_POLL_MS,
  MODBUS_PORT,
  parseConnectorId,
} from '@plugpool/firmware-bridge';
import { z } from 'zod';
import { checkedBy, count, duration, ms } from '../fields.ts';

const connector = z.strictObject({
  connector: z.coerce
    .string()
    .superRefine(checkedBy((text) => parseConnectorId(text, 'station')))
    .describe('Which connector it is: `3`, `3/1` or `station/3/1`.'),
  unit: z.int().min(0).max(255).optional().describe('Its unit id; absent: as the register map says.'),
  index: count(1, 1, 64).describe('Which of the device’s connectors it is, where one device has several.'),
  phases: z
    .union([z.literal(1), z.literal(3)])
    .default(3)
    .describe('How many phases it has, to make amperes of a cap.'),
});

export const modbusSchema = z.strictObject({
  kind: z
    .literal('modbus')
    .describe('The registers of a charging controller are read over Modbus TCP (docs/firmware/modbus.md).'),
  host: z.string().min(1).max(253).describe('The controller’s name or address.'),
  port: z.int().min(1).max(65_535).default(MODBUS_PORT).describe('Its TCP port.'),
  map: z
    .string()
    .min(1)
    .max(4096)
    .describe('Its register map: `charx`, `bender`, `keba`, or the path of your own.'),
  connectors: z.array(connector).min(1).max(MODBUS_CONNECTORS_MAX).describe('Its connectors.'),
  pollEvery: duration(MODBUS_POLL_MS, 500, 60_000).describe('How often the registers are read.'),
  answerWithin: duration(MODBUS_ANSWER_WITHIN_MS, 100, 30_000).describe(
    'A request that takes longer has failed.',
  ),
  lostAfter: count(MODBUS_LOST_AFTER, 1, 100).describe('So many looks in a row that fail are a lost link.'),
  allow: z
    .array(z.enum(['cap']))
    .default([])
    .describe(
      'What the agent may do beside reading: `cap` the power, where the register map says how a cap expires.',
    ),
});

export interface ModbusConfig {
  readonly kind: 'modbus';
  readonly host: string;
  readonly port: number;
  readonly map: string;
  readonly connectors: readonly z.output<typeof connector>[];
  readonly pollMs: number;
  readonly answerWithinMs: number;
  readonly lostAfter: number;
  readonly writeCap: boolean;
}

export function toModbus({
  pollEvery,
  answerWithin,
  allow,
  ...rest
}: z.output<typeof modbusSchema>): ModbusConfig {
  return {
    ...rest,
    pollMs: ms(pollEvery),
    answerWithinMs: ms(answerWithin),
    writeCap: allow.includes('cap'),
  };
}
