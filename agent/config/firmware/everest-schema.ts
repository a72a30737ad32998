/** The keys of `kind: everest`. */
import {
  EVEREST_EVSES_MAX,
  EVEREST_MODULE_PATTERN,
  EVEREST_SILENT_AFTER_MS,
  parseBrokerUrl,
  parseConnectorId,
} from '@plugpool/firmware-bridge';
import { z } from 'zod';
import { creditSchema } from './credit-schema.ts';
import { checkedBy, duration, ms, path } from '../fields.ts';

const moduleName = z.string().regex(EVEREST_MODULE_PATTERN, 'must be the name of a module of EVerest');

const evseSchema = z.strictObject({
  connector: z
    .string()
    .superRefine(checkedBy((text) => parseConnectorId(text, 'station')))
    .describe('Which connector it is: `3`, `3/1` or `station/3/1`.'),
  module: moduleName.describe('The `evse_manager_consumer_API` module of this EVSE, by its name in EVerest.'),
  evse: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe(
      'What EVerest must call this EVSE (`evse_id`), as `DE*ABC*E123*1`; under another name it is not believed.',
    ),
  energyLimits: moduleName
    .optional()
    .describe(
      'For `cap`: the `external_energy_limits_consumer_API` module that limits this EVSE and nothing else.',
    ),
});

/** What each ability needs to know. */
const NEEDS = { cap: 'energyLimits of an EVSE', text: 'display', credit: 'ocpp and credit' } as const;

export const everestSchema = z
  .strictObject({
    kind: z
      .literal('everest')
      .describe('EVerest, by its API on its own MQTT broker (docs/firmware/everest.md).'),
    broker: z
      .string()
      .superRefine(checkedBy((text) => parseBrokerUrl(text)))
      .describe('EVerest’s broker, never the one of vehicles: `mqtt://HOST:PORT` or `mqtts://HOST:PORT`.'),
    username: z.string().min(1).max(256).optional().describe('Where that broker asks for one.'),
    passwordFile: path.optional().describe('The file that holds the password for it.'),
    evses: z
      .array(evseSchema)
      .min(1)
      .max(EVEREST_EVSES_MAX)
      .refine((list) => hasNoTwin(list.map(({ connector }) => connector)), 'names a connector twice')
      .refine(
        (list) => hasNoTwin(list.map(({ module }) => module)),
        'names a module twice; each EVSE has its own',
      )
      .describe('The EVSEs: a list of connector and module.'),
    auth: moduleName.optional().describe('The `auth_consumer_API` module, where EVerest has one.'),
    allow: z
      .array(z.enum(['cap', 'text', 'credit']))
      .default([])
      .describe(
        'What the agent may do beside listening: `cap` the power, show a `text`, send records of `credit`.',
      ),
    ocpp: moduleName.optional().describe('For `credit`: the `ocpp_consumer_API` module.'),
    credit: creditSchema.optional(),
    display: moduleName
      .optional()
      .describe('For `text`: the `display_message_API` module by which EVerest speaks to the display.'),
    communicationCheckEvery: duration(2_000, 100, 3_600_000).describe(
      'How often EVerest is told that we live; shorter than its `cfg_communication_check_to_s`.',
    ),
    silentAfter: duration(EVEREST_SILENT_AFTER_MS, 100, 3_600_000).describe(
      'A module that is silent for longer is a lost link; longer than its `cfg_heartbeat_interval_ms`.',
    ),
  })
  .superRefine(({ allow, evses, ocpp, credit, display }, context) => {
    const has = {
      cap: evses.some(({ energyLimits }) => energyLimits !== undefined),
      text: display,
      credit: ocpp !== undefined && credit !== undefined,
    };
    for (const ability of allow)
      if (has[ability] === undefined || has[ability] === false)
        context.addIssue({
          code: 'custom',
          path: ['allow'],
          message: `names ${ability}, which needs ${NEEDS[ability]}`,
        });
  });

function hasNoTwin(names: readonly string[]): boolean {
  return new Set(names).size === names.length;
}

type Keys = z.output<typeof everestSchema>;

export interface EverestConfig extends Omit<Keys, 'communicationCheckEvery' | 'silentAfter'> {
  readonly communicationCheckEveryMs: number;
  readonly silentAfterMs: number;
}

export function toEverest({ communicationCheckEvery, silentAfter, ...rest }: Keys): EverestConfig {
  return { ...rest, communicationCheckEveryMs: ms(communicationCheckEvery), silentAfterMs: ms(silentAfter) };
}
