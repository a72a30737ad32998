/** Why the charging ends or broke off (BST, CST, BEM, CEM): fields of two bits, 01 where the reason holds. */
import { raised } from './fields.ts';
import type { ErrorReport, StopReasons } from './message.ts';

type Field = readonly [at: number, shift: number, words: string];

/** 7.4.8, SPN 3511. */
const VEHICLE_REASONS: readonly Field[] = [
  [0, 0, 'the state of charge that was asked for is reached'],
  [0, 2, 'the total voltage that was set is reached'],
  [0, 4, 'a cell reached its voltage'],
  [0, 6, 'the charger stopped'],
];
/** SPN 3512 and 3513. */
const VEHICLE_FAULTS: readonly Field[] = [
  [1, 0, 'insulation'],
  [1, 2, 'output connector too hot'],
  [1, 4, 'battery management too hot'],
  [1, 6, 'charging connector'],
  [2, 0, 'battery too hot'],
  [2, 2, 'high-voltage relay'],
  [2, 4, 'voltage at detection point 2'],
  [2, 6, 'another fault of the vehicle'],
  [3, 0, 'current above what was asked for'],
  [3, 2, 'voltage'],
];

/** 7.4.9, SPN 3521. */
const CHARGER_REASONS: readonly Field[] = [
  [0, 0, 'what was set at the charger is reached'],
  [0, 2, 'somebody stopped it'],
  [0, 4, 'a fault'],
  [0, 6, 'the vehicle stopped'],
];
/** SPN 3522 and 3523. */
const CHARGER_FAULTS: readonly Field[] = [
  [1, 0, 'charger too hot'],
  [1, 2, 'charging connector'],
  [1, 4, 'inside of the charger too hot'],
  [1, 6, 'energy cannot be delivered'],
  [2, 0, 'emergency stop'],
  [2, 2, 'another fault of the charger'],
  [3, 0, 'current does not match'],
  [3, 2, 'voltage'],
];

export function decodeBst(data: Uint8Array): StopReasons {
  return { kind: 'BST', reasons: raised(data, VEHICLE_REASONS), faults: raised(data, VEHICLE_FAULTS) };
}

export function decodeCst(data: Uint8Array): StopReasons {
  return { kind: 'CST', reasons: raised(data, CHARGER_REASONS), faults: raised(data, CHARGER_FAULTS) };
}

/** 7.6.1, SPN 3901 to 3907: which of the charger's messages the vehicle waited for in vain. */
const AWAITED_BY_VEHICLE: readonly Field[] = [
  [0, 0, 'CRM (not recognised)'],
  [0, 2, 'CRM (recognised)'],
  [1, 0, 'CTS and CML'],
  [1, 2, 'CRO'],
  [2, 0, 'CCS'],
  [2, 2, 'CST'],
  [3, 0, 'CSD'],
];
/** 7.6.2, SPN 3921 to 3927. */
const AWAITED_BY_CHARGER: readonly Field[] = [
  [0, 0, 'BRM'],
  [1, 0, 'BCP'],
  [1, 2, 'BRO'],
  [2, 0, 'BCS'],
  [2, 2, 'BCL'],
  [2, 4, 'BST'],
  [3, 0, 'BSD'],
];

export function decodeBem(data: Uint8Array): ErrorReport {
  return { kind: 'BEM', timedOut: raised(data, AWAITED_BY_VEHICLE) };
}

export function decodeCem(data: Uint8Array): ErrorReport {
  return { kind: 'CEM', timedOut: raised(data, AWAITED_BY_CHARGER) };
}
