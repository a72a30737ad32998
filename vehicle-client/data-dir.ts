/** Where a vehicle's files are: the token, the outbox, cached images, the control socket. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ID_PATTERN, type VehicleId } from '@plugpool/proto';
import { PlugpoolError } from './errors.ts';

/** `$XDG_STATE_HOME/plugpool-vehicle/<vehicleId>`. */
export function defaultDataDir(vehicleId: VehicleId, env: NodeJS.ProcessEnv = process.env): string {
  const stateHome = env['XDG_STATE_HOME'] || join(homedir(), '.local', 'state');
  return join(stateHome, 'plugpool-vehicle', vehicleId);
}

export interface DataPaths {
  readonly token: string;
  readonly blobs: string;
  readonly outputs: string;
  readonly survey: string;
  readonly controlSocket: string;
}

export function dataPaths(dataDir: string): DataPaths {
  return {
    token: join(dataDir, 'token'),
    blobs: join(dataDir, 'blobs'),
    outputs: join(dataDir, 'outputs'),
    survey: join(dataDir, 'hardware.json'),
    controlSocket: join(dataDir, 'control.sock'),
  };
}

export function parseVehicleId(text: string): VehicleId {
  if (ID_PATTERN.test(text)) return text as VehicleId;
  throw new PlugpoolError({
    code: 'vehicle_id_invalid',
    message: `"${text}" is no vehicle id`,
    hint: 'use 1 to 64 letters, digits, "_" and "-"',
    retryable: false,
  });
}
