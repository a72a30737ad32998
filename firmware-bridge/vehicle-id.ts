/** Reads what an operator or a file calls a vehicle into a `VehicleId`. */
import { ID_PATTERN } from '@plugpool/proto';
import type { VehicleId } from '@plugpool/proto';
import { FirmwareError } from './firmware-error.ts';

export function parseVehicleId(text: string): VehicleId {
  if (isVehicleId(text)) return text;
  throw new FirmwareError(
    'invalid_argument',
    `${JSON.stringify(text.slice(0, 80))} is not a vehicle id`,
    'Use 1 to 64 of the characters A-Z a-z 0-9 _ -',
  );
}

export function isVehicleId(text: string): text is VehicleId {
  return ID_PATTERN.test(text);
}
