/** Which source of the configuration is written down, and how it is listened to: as the agent does, and beside it. */
import { join } from 'node:path';
import {
  createEverestRecorder,
  createGbt27930Recorder,
  createOcppRecorder,
  FirmwareError,
  OCPP_TAP_FILE,
  type Recorder,
} from '@plugpool/firmware-bridge';
import type { Config } from './config/config.ts';
import type { FirmwareConfig } from './config/firmware/firmware-schema.ts';
import { passwordIn } from './firmware-password.ts';

/** The forms that something live can be written in; sessions are made of stays that are over. */
export type LiveFormat = 'ocpp16' | 'ocpp201' | 'everest' | 'gbt27930';

const KIND = { ocpp16: 'ocpp', ocpp201: 'ocpp', everest: 'everest', gbt27930: 'gbt27930' } as const;

/** `entry` counts the list `firmware` from 1; absent: the only one of the kind. Throws a `FirmwareError`. */
export function createRecorder(config: Config, format: LiveFormat, entry: number | undefined): Recorder {
  return recorderOf(config, format, chosen(config.firmware, KIND[format], entry));
}

type Chosen<Kind extends string> = Extract<FirmwareConfig, { readonly kind: Kind }>;
type Recorded = Chosen<'ocpp'> | Chosen<'everest'> | Chosen<'gbt27930'>;

function chosen(
  firmware: readonly FirmwareConfig[],
  kind: Recorded['kind'],
  entry: number | undefined,
): Recorded {
  const named = entry === undefined ? firmware : firmware.slice(entry - 1, entry);
  const [one, ...more] = named.filter((each): each is Recorded => each.kind === kind);
  if (one !== undefined && more.length === 0) return one;
  if (one !== undefined)
    throw new FirmwareError(
      'invalid_argument',
      `the configuration names ${more.length + 1} sources of kind ${kind}`,
      'Say which with --entry: its place in the list firmware, from 1',
    );
  throw new FirmwareError(
    'invalid_argument',
    entry === undefined
      ? `the configuration names no source of kind ${kind}`
      : `entry ${entry} of firmware is none of kind ${kind}`,
    'Give --config with the file that plugpool-agent is given; docs/configuration.md has the kinds',
  );
}

function recorderOf({ dataDir }: Config, format: LiveFormat, one: Recorded): Recorder {
  switch (one.kind) {
    case 'ocpp':
      return createOcppRecorder({
        tapPath: one.tap ?? join(dataDir, OCPP_TAP_FILE),
        subprotocols: format === 'ocpp16' ? ['ocpp1.6'] : ['ocpp2.0.1', 'ocpp2.1'],
      });
    case 'everest':
      return createEverestRecorder({
        broker: one.broker,
        username: one.username,
        password: one.passwordFile === undefined ? undefined : passwordIn(one.passwordFile),
        modules: one.evses.map(({ module }) => module),
        authModule: one.auth,
      });
    case 'gbt27930':
      return createGbt27930Recorder(one);
  }
}
