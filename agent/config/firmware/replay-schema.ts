/** The keys of `kind: replay`. */
import { ID_PATTERN } from '@plugpool/proto';
import { z } from 'zod';
import { durationText, ms, path } from '../fields.ts';

export const replaySchema = z.strictObject({
  kind: z.literal('replay').describe('Sessions that happened are lived again from a file.'),
  file: path
    .optional()
    .describe('A sessions CSV (docs/firmware/replay.md); absent: the small one that is shipped.'),
  speed: z
    .number()
    .positive()
    .max(1_000_000)
    .default(1)
    .describe('Seconds of the file a second of the clock.'),
  startAt: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe('Local time of the file at which the replay begins; absent: when its first vehicle plugs in.'),
  sites: z.array(z.string().min(1)).min(1).optional().describe('Only these sites of the file.'),
  connectors: z.array(z.string().min(1)).min(1).optional().describe('Only these connectors of the file.'),
  vehicles: z
    .record(z.string(), z.string().regex(ID_PATTERN, 'must be 1 to 64 letters, digits, _ and -'))
    .default({})
    .describe('Which vehicle stands where: a mapping of connectors to vehicle ids.'),
  chargingPowerW: z
    .number()
    .positive()
    .max(10_000_000)
    .optional()
    .describe('To estimate when charging ends, in W.'),
  meterEvery: durationText(1_000, 86_400_000)
    .optional()
    .describe('One meter reading each so much of the file’s time.'),
  limit: z.int().positive().optional().describe('At most so many sessions.'),
  loop: z.boolean().default(false).describe('Begin again after the last vehicle left.'),
  strict: z
    .boolean()
    .default(false)
    .describe('Refuse a file with a row that cannot be true, instead of skipping it.'),
});

export interface ReplayConfig {
  readonly kind: 'replay';
  /** Absent: the one that is shipped. */
  readonly file?: string | undefined;
  readonly speed: number;
  readonly startAt?: string | undefined;
  readonly sites?: readonly string[] | undefined;
  readonly connectors?: readonly string[] | undefined;
  readonly vehicles: Readonly<Record<string, string>>;
  readonly chargingPowerW?: number | undefined;
  readonly meterEveryMs?: number | undefined;
  readonly limit?: number | undefined;
  readonly loop: boolean;
  readonly strict: boolean;
}

export function toReplay({ meterEvery, ...rest }: z.output<typeof replaySchema>): ReplayConfig {
  return meterEvery === undefined ? rest : { ...rest, meterEveryMs: ms(meterEvery) };
}
