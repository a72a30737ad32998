/** The keys of `kind: ocpp`. */
import { OCPP_HEARTBEAT_MS, parseStationId } from '@plugpool/firmware-bridge';
import { z } from 'zod';
import { checkedBy, duration, durationText, ms, path } from '../fields.ts';
import { creditSchema } from './credit-schema.ts';

const DAY_MS = 86_400_000;

export const ocppSchema = z.strictObject({
  kind: z
    .literal('ocpp')
    .describe('Piles that speak OCPP 1.6J or 2.0.1, through `plugpool-ocpp-relay` (docs/firmware/ocpp.md).'),
  tap: path.optional().describe('The local socket of the relay; absent: `ocpp-tap.sock` in `dataDir`.'),
  stations: z
    .record(z.string().min(1).max(255), z.string().superRefine(checkedBy((text) => parseStationId(text))))
    .default({})
    .describe(
      'The station that a pile’s identity stands for: `{ CP-0815: north }`; absent: the identity itself.',
    ),
  heartbeatEvery: duration(OCPP_HEARTBEAT_MS, 1_000, DAY_MS).describe(
    'How often a pile says something, until its CSMS told it how often.',
  ),
  staleAfter: durationText(1_000, DAY_MS)
    .optional()
    .describe(
      'A connector of which nothing was said for so long is unverified; absent: the pile’s heartbeat is enough.',
    ),
  credit: creditSchema.optional(),
});

type Keys = z.output<typeof ocppSchema>;

export interface OcppConfig extends Omit<Keys, 'heartbeatEvery' | 'staleAfter'> {
  readonly heartbeatMs: number;
  readonly staleAfterMs: number | undefined;
}

export function toOcpp({ heartbeatEvery, staleAfter, ...rest }: Keys): OcppConfig {
  return {
    ...rest,
    heartbeatMs: ms(heartbeatEvery),
    staleAfterMs: staleAfter === undefined ? undefined : ms(staleAfter),
  };
}
