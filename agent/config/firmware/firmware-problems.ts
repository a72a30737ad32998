/** What is wrong with firmware beyond its single keys: each adapter is constructed, which only checks its options, and let go. */
import { accessSync, constants, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pino } from 'pino';
import { FirmwareError, OCPP_TAP_FILE } from '@plugpool/firmware-bridge';
import { createAdapter, type FirmwareSurroundings } from '../../firmware-adapters.ts';
import { readableFirmware, type FirmwareConfig } from './firmware-schema.ts';

export interface FirmwareProblem {
  /** Its place in the list. */
  readonly entry: number;
  readonly what: string;
}

type Pile = Pick<FirmwareSurroundings, 'station' | 'dataDir'>;
type Entries = ReturnType<typeof readableFirmware>;

/** Of those entries whose keys are right; `list` may be anything. */
export function firmwareProblems(list: unknown, pile: Pile): FirmwareProblem[] {
  const entries = readableFirmware(list);
  const refused = entries.flatMap(({ entry, config }) => {
    const what = refusalOf(config, pile);
    return what === undefined ? [] : [{ entry, what }];
  });
  return [...refused, ...sharedTaps(entries, pile)];
}

function refusalOf(config: FirmwareConfig, pile: Pile): string | undefined {
  if (config.kind === 'replay' && config.file !== undefined && !isReadable(config.file))
    return `file ${config.file} cannot be read; name a sessions CSV that the agent may read`;
  try {
    createAdapter(config, { ...pile, log: pino({ level: 'silent' }), pseudonymize: () => '' });
    return undefined;
  } catch (error) {
    if (!(error instanceof FirmwareError)) throw error;
    return `${error.message}. ${error.hint}`;
  }
}

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return !statSync(file).isDirectory();
  } catch {
    return false;
  }
}

/** Everything of such a relay would be told twice. */
function sharedTaps(entries: Entries, { dataDir }: Pile): FirmwareProblem[] {
  const firstAt = new Map<string, number>();
  return entries.flatMap(({ entry, config }) => {
    if (config.kind !== 'ocpp') return [];
    const tap = resolve(config.tap ?? join(dataDir, OCPP_TAP_FILE));
    const first = firstAt.get(tap);
    firstAt.set(tap, first ?? entry);
    return first === undefined
      ? []
      : [{ entry, what: `reads the same relay as firmware.${first} (tap ${tap}); keep one` }];
  });
}
