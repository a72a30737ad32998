/** Keeps what is plugged in over a restart of the agent: one small JSON file, replaced whole or not at all. */
import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isConnectorId } from '../connector-id.ts';
import { FirmwareError } from '../firmware-error.ts';
import type { FirmwareIssue } from '../firmware-error.ts';
import { isVehicleId } from '../vehicle-id.ts';
import type { PluggedState, PluggedVehicle } from './plugged-vehicle.ts';

const VERSION = 1;

export interface LoadedState {
  readonly vehicles: readonly PluggedVehicle[];
  /** Told where the file was damaged; it stands beside its old place under another name. */
  readonly issue?: FirmwareIssue;
}

/** An absent file is an empty state. Half of a damaged file is worse than none: it is set aside whole. */
export async function loadState(file: string, nowWallMs: number): Promise<LoadedState> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new FirmwareError(
      'invalid_file',
      `${file} cannot be read: ${error.message}`,
      'Check who owns it, or move it away',
      {
        cause: error,
      },
    );
  });
  if (text === undefined) return { vehicles: [] };
  try {
    return { vehicles: parseState(text) };
  } catch (error) {
    return { vehicles: [], issue: await setAside(file, nowWallMs, error) };
  }
}

/** The old content or the new one is there after a power cut, never a mixture. */
export async function saveState(file: string, vehicles: Iterable<PluggedVehicle>): Promise<void> {
  const temporary = `${file}.new`;
  try {
    const handle = await open(temporary, 'w', 0o600);
    try {
      await handle.writeFile(
        `${JSON.stringify({ version: VERSION, vehicles: [...vehicles] }, undefined, 2)}\n`,
      );
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
    await syncDirectory(dirname(file));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new FirmwareError(
      'invalid_file',
      `${file} cannot be written: ${error instanceof Error ? error.message : String(error)}; nothing was changed`,
      'Check that the folder exists, is writable and has space left, then repeat the step',
      { cause: error },
    );
  }
}

/**
 * Without this the rename itself may be lost with the power. A file system that cannot do it is no reason to refuse the step:
 * the content is on disk and in its place by now.
 */
async function syncDirectory(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync().catch(() => undefined);
  } finally {
    await handle.close();
  }
}

async function setAside(file: string, nowWallMs: number, why: unknown): Promise<FirmwareIssue> {
  const aside = `${file}.damaged-${new Date(nowWallMs).toISOString().replaceAll(':', '-')}`;
  await rename(file, aside);
  return {
    code: 'state_file_set_aside',
    message: `${file} is damaged (${why instanceof Error ? why.message : String(why)}); it is now ${aside}, and no vehicle counts as plugged in`,
    hint: 'Plug in again, by hand, what is plugged in',
  };
}

const STATES: Readonly<Record<PluggedState, true>> = {
  plugged: true,
  charging: true,
  suspendedEV: true,
  suspendedEVSE: true,
  finishing: true,
};

function parseState(text: string): readonly PluggedVehicle[] {
  const state: unknown = JSON.parse(text);
  if (!isRecord(state) || state['version'] !== VERSION || !Array.isArray(state['vehicles'])) {
    throw new Error(`it does not hold a list of vehicles of version ${VERSION}`);
  }
  const vehicles = state['vehicles'].map(parseVehicle);
  if (new Set(vehicles.map((vehicle) => vehicle.connectorId)).size !== vehicles.length) {
    throw new Error('a connector stands in it twice');
  }
  return vehicles;
}

function parseVehicle(value: unknown, index: number): PluggedVehicle {
  if (!isRecord(value)) throw new Error(`vehicle ${index} is not an object`);
  const { connectorId, state, vehicleId, soc, departureWallMs } = value;
  if (typeof connectorId !== 'string' || !isConnectorId(connectorId)) throw wrong(index, 'connectorId');
  if (typeof state !== 'string' || !isPluggedState(state)) throw wrong(index, 'state');
  return {
    connectorId,
    state,
    pluggedWallMs: timeOf(value, 'pluggedWallMs', index),
    stateSinceWallMs: timeOf(value, 'stateSinceWallMs', index),
    ...(vehicleId === undefined ? {} : { vehicleId: vehicleIdOf(vehicleId, index) }),
    ...(soc === undefined ? {} : { soc: socOf(soc, index) }),
    ...(departureWallMs === undefined ? {} : { departureWallMs: timeOf(value, 'departureWallMs', index) }),
  };
}

function isPluggedState(text: string): text is PluggedState {
  return Object.hasOwn(STATES, text);
}

function vehicleIdOf(value: unknown, index: number) {
  if (typeof value === 'string' && isVehicleId(value)) return value;
  throw wrong(index, 'vehicleId');
}

function socOf(value: unknown, index: number) {
  const permille = isRecord(value) ? value['permille'] : undefined;
  if (!isRecord(value) || typeof permille !== 'number' || permille < 0 || permille > 1000)
    throw wrong(index, 'soc');
  return { permille, saidWallMs: timeOf(value, 'saidWallMs', index) };
}

function timeOf(value: Record<string, unknown>, name: string, index: number): number {
  const wallMs = value[name];
  if (typeof wallMs === 'number' && wallMs >= 0) return wallMs;
  throw wrong(index, name);
}

function wrong(index: number, name: string): Error {
  return new Error(`vehicle ${index} has a wrong ${name}`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
