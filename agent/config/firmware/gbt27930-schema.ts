/** The keys of `kind: gbt27930`. */
import { parseConnectorId, parseLineSource, UNPLUGGED_AFTER_MS_MIN } from '@plugpool/firmware-bridge';
import { z } from 'zod';
import { checkedBy, durationText, ms } from '../fields.ts';

export const gbt27930Schema = z.strictObject({
  kind: z
    .literal('gbt27930')
    .describe('The CAN bus between a DC charger and its vehicle is listened to (docs/firmware/gbt27930.md).'),
  from: z
    .string()
    .min(1)
    .max(4096)
    .superRefine(checkedBy((text) => parseLineSource(text)))
    .describe(
      'Where `candump -L` lines come from: `candump:can0`, `tcp://HOST:PORT`, `unix:/PATH`, `-`, a pipe or a recording.',
    ),
  connectors: z
    .record(
      z.string().min(1).max(16),
      z.coerce.string().superRefine(checkedBy((text) => parseConnectorId(text, 'station'))),
    )
    .refine(
      (map) => Object.keys(map).length >= 1 && Object.keys(map).length <= 64,
      'must name 1 to 64 interfaces',
    )
    .describe('Which interface belongs to which connector: `{ can0: 1 }`.'),
  unpluggedAfter: durationText(UNPLUGGED_AFTER_MS_MIN)
    .optional()
    .describe(
      'A vehicle that was silent for so long has left; absent: only the next handshake ends its session.',
    ),
});

export interface Gbt27930Config {
  readonly kind: 'gbt27930';
  readonly from: string;
  readonly connectors: Readonly<Record<string, string>>;
  readonly unpluggedAfterMs?: number | undefined;
}

export function toGbt27930({ unpluggedAfter, ...rest }: z.output<typeof gbt27930Schema>): Gbt27930Config {
  return unpluggedAfter === undefined ? rest : { ...rest, unpluggedAfterMs: ms(unpluggedAfter) };
}
