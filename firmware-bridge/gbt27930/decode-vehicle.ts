/** What the vehicle's messages (GB/T 27930-2015, those that begin with B) say, byte by byte. */
import { VIN_PATTERN } from '../credential-form.ts';
import type { Pseudonymize } from '../port.ts';
import { TEMPERATURE_OFFSET_C, bits2, currentA, raised, u16, u8 } from './fields.ts';
import type {
  BatteryParameters,
  BatteryState,
  ChargingDemand,
  ChargingStatus,
  VehicleHandshake,
  VehicleRecognition,
  VehicleStatistics,
} from './message.ts';
import { versionOf } from './version.ts';

/** 7.2.2. */
export function decodeBhm(data: Uint8Array): VehicleHandshake {
  return { kind: 'BHM', ...u16('voltageMaxV', data, 0, 10) };
}

/** 7.2.4. The edition of 2011 ends after the VIN, that of 2015 adds 8 bytes of software version. */
const VIN_START = 24;
const VIN_END = 41;
/** Seventeen times one character is filling. */
const FILLING_PATTERN = /^(.)\1*$/;

export function decodeBrm(data: Uint8Array, pseudonymize: Pseudonymize): VehicleRecognition {
  const vin = String.fromCharCode(...data.subarray(VIN_START, VIN_END));
  const hasVin = VIN_PATTERN.test(vin) && !FILLING_PATTERN.test(vin);
  return {
    kind: 'BRM',
    version: versionOf(data),
    ...u8('batteryType', data, 3),
    ...u16('ratedCapacityAh', data, 4, 10),
    ...u16('ratedVoltageV', data, 6, 10),
    ...(hasVin ? { vinPseudonym: pseudonymize('vin', vin) } : {}),
  };
}

/** 7.3.1. */
export function decodeBcp(data: Uint8Array): BatteryParameters {
  return {
    kind: 'BCP',
    ...u16('cellVoltageMaxV', data, 0, 100),
    ...currentA('currentMaxA', data, 2),
    ...u16('ratedEnergyWh', data, 4, 0.01),
    ...u16('voltageMaxV', data, 6, 10),
    ...u8('temperatureMaxC', data, 8, TEMPERATURE_OFFSET_C),
    ...u16('socPermille', data, 9, 1),
    ...u16('voltageV', data, 11, 10),
  };
}

/** 7.4.1. */
export function decodeBcl(data: Uint8Array): ChargingDemand {
  const mode = data[4] === 1 ? 'constantVoltage' : data[4] === 2 ? 'constantCurrent' : undefined;
  return {
    kind: 'BCL',
    ...u16('voltageV', data, 0, 10),
    ...currentA('currentA', data, 2),
    ...(mode === undefined ? {} : { mode }),
  };
}

/** 7.4.2. */
export function decodeBcs(data: Uint8Array): ChargingStatus {
  // The upper four bits are the number of the group in which the cell is.
  const cell = (data[4] ?? 0xff) + ((data[5] ?? 0xff) & 0x0f) * 256;
  const soc = data[6] ?? 0xff;
  return {
    kind: 'BCS',
    ...u16('voltageV', data, 0, 10),
    ...currentA('currentA', data, 2),
    ...(cell === 0xfff ? {} : { cellVoltageMaxV: cell / 100 }),
    ...(soc === 0xff ? {} : { socPermille: soc * 10 }),
    ...u16('remainingMin', data, 7, 1),
  };
}

/** 7.4.4. */
export function decodeBsm(data: Uint8Array): BatteryState {
  const allowed = bits2(data, 6, 4);
  const charging = allowed === 0 ? 'forbidden' : allowed === 1 ? 'allowed' : undefined;
  return {
    kind: 'BSM',
    ...u8('temperatureMaxC', data, 1, TEMPERATURE_OFFSET_C),
    ...u8('temperatureMinC', data, 3, TEMPERATURE_OFFSET_C),
    faults: raised(data, BATTERY_FAULTS),
    ...(charging === undefined ? {} : { charging }),
  };
}

const BATTERY_FAULTS = [
  [5, 0, 'cell voltage too high'],
  [5, 2, 'state of charge too high'],
  [5, 4, 'overcurrent'],
  [5, 6, 'battery too hot'],
  [6, 0, 'insulation'],
  [6, 2, 'connector'],
] as const;

/** 7.5.1. */
export function decodeBsd(data: Uint8Array): VehicleStatistics {
  const soc = data[0] ?? 0xff;
  return {
    kind: 'BSD',
    ...(soc === 0xff ? {} : { socPermille: soc * 10 }),
    ...u16('cellVoltageMinV', data, 1, 100),
    ...u16('cellVoltageMaxV', data, 3, 100),
    ...u8('temperatureMinC', data, 5, TEMPERATURE_OFFSET_C),
    ...u8('temperatureMaxC', data, 6, TEMPERATURE_OFFSET_C),
  };
}
