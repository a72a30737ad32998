/** What the charger's messages (GB/T 27930-2015, those that begin with C) say, byte by byte. */
import { bits2, currentA, u16 } from './fields.ts';
import type {
  ChargerHandshake,
  ChargerLimits,
  ChargerRecognition,
  ChargerStatistics,
  ChargerStatus,
  ChargerTime,
} from './message.ts';
import { versionOf } from './version.ts';

/** 7.2.1. */
export function decodeChm(data: Uint8Array): ChargerHandshake {
  return { kind: 'CHM', version: versionOf(data) };
}

/** 7.2.3. Charger number and region follow, which nothing here needs. */
export function decodeCrm(data: Uint8Array): ChargerRecognition {
  return { kind: 'CRM', recognised: data[0] === 0xaa };
}

/** 7.3.2: second, minute, hour, day, month, year and century in binary-coded decimal. */
export function decodeCts(data: Uint8Array): ChargerTime {
  const digits = [...data.subarray(0, 7)].map((byte) => byte.toString(16).padStart(2, '0'));
  const [second, minute, hour, day, month, year, century] = digits;
  const localTime = `${century}${year}-${month}-${day}T${hour}:${minute}:${second}`;
  return Number.isNaN(Date.parse(localTime)) ? { kind: 'CTS' } : { kind: 'CTS', localTime };
}

/** 7.3.3. The edition of 2011 ends before the least current. */
export function decodeCml(data: Uint8Array): ChargerLimits {
  return {
    kind: 'CML',
    ...u16('voltageMaxV', data, 0, 10),
    ...u16('voltageMinV', data, 2, 10),
    ...currentA('currentMaxA', data, 4),
    ...currentA('currentMinA', data, 6),
  };
}

/** 7.4.3. The edition of 2011 ends before the bits that say whether it gives output. */
export function decodeCcs(data: Uint8Array): ChargerStatus {
  const allowed = bits2(data, 6, 0);
  const output = allowed === 0 ? 'paused' : allowed === 1 ? 'allowed' : undefined;
  return {
    kind: 'CCS',
    ...u16('voltageV', data, 0, 10),
    ...currentA('currentA', data, 2),
    ...u16('chargedMin', data, 4, 1),
    ...(output === undefined ? {} : { output }),
  };
}

/** 7.5.2. The charger's number follows. */
export function decodeCsd(data: Uint8Array): ChargerStatistics {
  return { kind: 'CSD', ...u16('chargedMin', data, 0, 1), ...u16('energyWh', data, 2, 0.01) };
}
