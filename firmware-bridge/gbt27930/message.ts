/** What charger and vehicle say to each other, in units of the field; types only. A value that they leave open is absent. */

/** CHM. */
export interface ChargerHandshake {
  readonly kind: 'CHM';
  /** Such as `1.1`. */
  readonly version: string;
}

/** BHM. */
export interface VehicleHandshake {
  readonly kind: 'BHM';
  readonly voltageMaxV?: number;
}

/** CRM. */
export interface ChargerRecognition {
  readonly kind: 'CRM';
  /** 0xAA: the charger knows the vehicle's BRM; 0x00: it asks for it. */
  readonly recognised: boolean;
}

/** BRM. The VIN in it is a pseudonym from here on, see `decode-vehicle.ts`. */
export interface VehicleRecognition {
  readonly kind: 'BRM';
  readonly version: string;
  /** The standard's number: 3 is lithium iron phosphate, 6 ternary. */
  readonly batteryType?: number;
  readonly ratedCapacityAh?: number;
  readonly ratedVoltageV?: number;
  /** Absent where the vehicle does not tell its VIN. */
  readonly vinPseudonym?: string;
}

/** BCP. */
export interface BatteryParameters {
  readonly kind: 'BCP';
  readonly cellVoltageMaxV?: number;
  readonly currentMaxA?: number;
  readonly ratedEnergyWh?: number;
  readonly voltageMaxV?: number;
  readonly temperatureMaxC?: number;
  readonly socPermille?: number;
  readonly voltageV?: number;
}

/** CTS: the charger's local time, whose zone it does not say. */
export interface ChargerTime {
  readonly kind: 'CTS';
  /** `2015-05-16T08:24:36`; absent where it is no time. */
  readonly localTime?: string;
}

/** CML. */
export interface ChargerLimits {
  readonly kind: 'CML';
  readonly voltageMaxV?: number;
  readonly voltageMinV?: number;
  readonly currentMaxA?: number;
  readonly currentMinA?: number;
}

/** BRO and CRO. */
export interface Readiness {
  readonly kind: 'BRO' | 'CRO';
  readonly ready: boolean;
}

/** BCL. */
export interface ChargingDemand {
  readonly kind: 'BCL';
  readonly voltageV?: number;
  /** Into the vehicle. */
  readonly currentA?: number;
  readonly mode?: 'constantVoltage' | 'constantCurrent';
}

/** BCS. */
export interface ChargingStatus {
  readonly kind: 'BCS';
  readonly voltageV?: number;
  readonly currentA?: number;
  readonly cellVoltageMaxV?: number;
  readonly socPermille?: number;
  readonly remainingMin?: number;
}

/** CCS. */
export interface ChargerStatus {
  readonly kind: 'CCS';
  readonly voltageV?: number;
  /** Into the vehicle; negative where the vehicle feeds back. */
  readonly currentA?: number;
  readonly chargedMin?: number;
  /** Absent where the charger follows the edition of 2011, which has no such bits. */
  readonly output?: 'paused' | 'allowed';
}

/** BSM. */
export interface BatteryState {
  readonly kind: 'BSM';
  readonly temperatureMaxC?: number;
  readonly temperatureMinC?: number;
  /** What the battery finds wrong, in words; empty: nothing. */
  readonly faults: readonly string[];
  readonly charging?: 'forbidden' | 'allowed';
}

/** BST and CST: why one of them ends the charging. */
export interface StopReasons {
  readonly kind: 'BST' | 'CST';
  readonly reasons: readonly string[];
  /** Faults and errors among them; empty: it ended as it should. */
  readonly faults: readonly string[];
}

/** BSD. */
export interface VehicleStatistics {
  readonly kind: 'BSD';
  readonly socPermille?: number;
  readonly cellVoltageMinV?: number;
  readonly cellVoltageMaxV?: number;
  readonly temperatureMinC?: number;
  readonly temperatureMaxC?: number;
}

/** CSD. */
export interface ChargerStatistics {
  readonly kind: 'CSD';
  readonly chargedMin?: number;
  /** Of this session. */
  readonly energyWh?: number;
}

/** BEM and CEM: for which of the other's messages it waited in vain. */
export interface ErrorReport {
  readonly kind: 'BEM' | 'CEM';
  /** Messages that timed out, `CCS` and so on; empty: it says no more. */
  readonly timedOut: readonly string[];
}

/** BMV, BMT, BSP: cells one by one, which nothing here needs. */
export interface CellDetails {
  readonly kind: 'BMV' | 'BMT' | 'BSP';
}

export type Message =
  | ChargerHandshake
  | VehicleHandshake
  | ChargerRecognition
  | VehicleRecognition
  | BatteryParameters
  | ChargerTime
  | ChargerLimits
  | Readiness
  | ChargingDemand
  | ChargingStatus
  | ChargerStatus
  | BatteryState
  | StopReasons
  | VehicleStatistics
  | ChargerStatistics
  | ErrorReport
  | CellDetails;

export type MessageKind = Message['kind'];
