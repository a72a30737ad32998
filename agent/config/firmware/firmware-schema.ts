/** Which kinds of firmware there are: one line in the list and one case for each; `agent/firmware-adapters.ts` puts them together. */
import { z } from 'zod';
import { assertNever } from '../../core/assert-never.ts';
import { everestSchema, toEverest, type EverestConfig } from './everest-schema.ts';
import { gbt27930Schema, toGbt27930, type Gbt27930Config } from './gbt27930-schema.ts';
import { manualSchema, type ManualConfig } from './manual-schema.ts';
import { modbusSchema, toModbus, type ModbusConfig } from './modbus-schema.ts';
import { ocppSchema, toOcpp, type OcppConfig } from './ocpp-schema.ts';
import { replaySchema, toReplay, type ReplayConfig } from './replay-schema.ts';

const KINDS = [manualSchema, replaySchema, ocppSchema, everestSchema, gbt27930Schema, modbusSchema] as const;

export const FIRMWARE_KINDS = KINDS.map(({ shape }) => shape.kind.value);

export type FirmwareConfig =
  ManualConfig | ReplayConfig | OcppConfig | EverestConfig | Gbt27930Config | ModbusConfig;

const entrySchema = z.discriminatedUnion('kind', KINDS);

export const firmwareSchema = z
  .array(entrySchema)
  .min(1)
  .max(16)
  .default([{ kind: 'manual' }])
  .refine(
    (list) => list.filter(({ kind }) => kind === 'manual').length <= 1,
    'has more than one manual firmware; keep one',
  )
  .describe('Who says what happens at the connectors: a list.');

/** Those entries of a list whose keys are right, whatever is wrong with others. */
export function readableFirmware(
  list: unknown,
): { readonly entry: number; readonly config: FirmwareConfig }[] {
  if (!Array.isArray(list)) return [];
  return (list as unknown[]).flatMap((one, entry) => {
    const parsed = entrySchema.safeParse(one);
    return parsed.success ? [{ entry, config: toFirmware(parsed.data) }] : [];
  });
}

/** As those who construct the adapter take it: durations in ms. */
export function toFirmware(one: z.output<typeof entrySchema>): FirmwareConfig {
  switch (one.kind) {
    case 'manual':
      return one;
    case 'replay':
      return toReplay(one);
    case 'ocpp':
      return toOcpp(one);
    case 'everest':
      return toEverest(one);
    case 'gbt27930':
      return toGbt27930(one);
    case 'modbus':
      return toModbus(one);
    default:
      return assertNever(one);
  }
}
