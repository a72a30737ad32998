/** Puts the firmware adapters together that the configuration names: one case a kind. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Logger } from 'pino';
import {
  createEverestFirmware,
  createGbt27930Firmware,
  createManualFirmware,
  createModbusFirmware,
  createOcppFirmware,
  OCPP_TAP_FILE,
  createReplayFirmware,
  SAMPLE_SESSIONS_FILE,
  type FirmwareAdapter,
  type ManualFirmware,
  type Pseudonymize,
  type ReportIssue,
} from '@plugpool/firmware-bridge';
import { limitLog } from './adapters/broker-aedes/limited-log.ts';
import type { FirmwareConfig } from './config/firmware/firmware-schema.ts';
import type { EverestConfig } from './config/firmware/everest-schema.ts';
import type { ModbusConfig } from './config/firmware/modbus-schema.ts';
import type { ReplayConfig } from './config/firmware/replay-schema.ts';
import { assertNever } from './core/assert-never.ts';
import { passwordIn } from './firmware-password.ts';

/** What every adapter may need beside its own keys. */
export interface FirmwareSurroundings {
  readonly station: string;
  readonly dataDir: string;
  readonly log: Logger;
  /** With the pile's own salt. */
  readonly pseudonymize: Pseudonymize;
}

export interface Firmware {
  /** In the order of the configuration. */
  readonly adapters: readonly FirmwareAdapter[];
  /** Absent where the configuration names no manual firmware. */
  readonly manual: ManualFirmware | undefined;
}

export function createFirmware(list: readonly FirmwareConfig[], around: FirmwareSurroundings): Firmware {
  const made = list.map((one) => createAdapter(one, around));
  const adapters = made.map(({ adapter }) => adapter);
  return { adapters, manual: made.find(({ manual }) => manual !== undefined)?.manual };
}

interface Made {
  readonly adapter: FirmwareAdapter;
  readonly manual?: ManualFirmware;
}

/** Reaches for nothing: that is done once it is started. Throws a `FirmwareError` where its options cannot be right. */
export function createAdapter(one: FirmwareConfig, around: FirmwareSurroundings): Made {
  const { station, dataDir, log, pseudonymize } = around;
  const report: ReportIssue = ({ code, message, hint }) => log.warn({ code, hint }, message);
  switch (one.kind) {
    case 'manual': {
      const stateFile = join(dataDir, 'manual-firmware.json');
      const manual = createManualFirmware({ station, stateFile, report });
      return { adapter: manual, manual };
    }
    case 'replay':
      return { adapter: createReplayFirmware({ ...replayOptions(one), station, report }) };
    case 'ocpp': {
      const { kind: _, tap = join(dataDir, OCPP_TAP_FILE), ...options } = one;
      return { adapter: createOcppFirmware({ ...options, tapPath: tap, pseudonymize, report }) };
    }
    case 'everest':
      return { adapter: createEverest(one, around) };
    case 'gbt27930': {
      const { kind: _, ...options } = one;
      return { adapter: createGbt27930Firmware({ ...options, station, pseudonymize, report }) };
    }
    case 'modbus': {
      const { kind: _, ...options } = one;
      const memoryFile = join(dataDir, `modbus-${deviceName(one)}.json`);
      return { adapter: createModbusFirmware({ ...options, station, memoryFile, pseudonymize, report }) };
    }
    default:
      return assertNever(one);
  }
}

/** The same as long as the entry is of the same device, whatever its host is called. */
function deviceName({ host, port, connectors: [first] }: ModbusConfig): string {
  return createHash('sha256')
    .update(`${host}:${port} ${first?.unit ?? ''} ${first?.index ?? 1}`)
    .digest('hex')
    .slice(0, 16);
}

function replayOptions({ kind: _, file, ...rest }: ReplayConfig) {
  return { ...rest, file: file ?? SAMPLE_SESSIONS_FILE };
}

function createEverest(
  one: EverestConfig,
  { station, dataDir, log, pseudonymize }: FirmwareSurroundings,
): FirmwareAdapter {
  const { kind: _, passwordFile, auth, ocpp, display, ...rest } = one;
  const limited = limitLog(log, () => performance.now());
  return createEverestFirmware({
    ...rest,
    station,
    memoryFile: join(dataDir, `everest-${one.evses[0]?.module ?? ''}.json`),
    password: passwordFile === undefined ? undefined : passwordIn(passwordFile),
    authModule: auth,
    ocppModule: ocpp,
    displayModule: display,
    pseudonymize,
    report: ({ kind, message, fields }) =>
      limited[kind === 'link_up' ? 'info' : 'warn'](`everest:${kind}`, fields ?? {}, message),
  });
}
