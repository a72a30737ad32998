/** How OCPP 2.0.1 says what happens at a connector (part 2, sections B, E, G, J, K), and what 2.1 adds to it. */
import { readMeterValues } from './meter-reading.ts';
import {
  fieldsOf,
  heartbeatMsOf,
  integerOf,
  listOf,
  lookUp,
  numberOf,
  textOf,
  transactionIdOf,
  wallMsOf,
  type Fields,
} from './payload-fields.ts';
import type {
  ConnectorStatus,
  CsmsAnswer,
  OcppDialect,
  OcppPlace,
  PileMessage,
  ShownToken,
  SupplyState,
  TransactionMessage,
} from './pile-message.ts';
import type { CredentialKind } from '../port.ts';

const STATUS: Readonly<Record<string, ConnectorStatus>> = {
  Available: 'free',
  Reserved: 'free',
  Occupied: 'occupied',
  Unavailable: 'faulted',
  Faulted: 'faulted',
};

const PHASE: Readonly<Record<string, TransactionMessage['phase']>> = {
  Started: 'started',
  Updated: 'updated',
  Ended: 'ended',
};

const SUPPLY: Readonly<Record<string, SupplyState>> = {
  // "There is no connection between EV and EVSE."
  Idle: 'noVehicle',
  EVConnected: 'connected',
  Charging: 'charging',
  SuspendedEV: 'suspendedEV',
  SuspendedEVSE: 'suspendedEVSE',
};

/** `EVDetected` is the parking bay's sensor: nothing is plugged in by that. */
const CAME: ReadonlySet<unknown> = new Set(['CablePluggedIn']);
const LEFT: ReadonlySet<unknown> = new Set(['EVDeparted']);

/** `NoAuthorization` names nobody. 2.1 made the type a free text, and added the last two. */
const TOKEN_KIND: Readonly<Record<string, CredentialKind>> = {
  ISO14443: 'idToken',
  ISO15693: 'idToken',
  Central: 'idToken',
  KeyCode: 'idToken',
  Local: 'idToken',
  eMAID: 'emaid',
  MacAddress: 'evccid',
  EVCCID: 'evccid',
  VIN: 'vin',
};

export const dialect201: OcppDialect = {
  readCall(action, payload) {
    const fields = fieldsOf(payload);
    switch (action) {
      case 'BootNotification':
        return { what: 'boot' };
      case 'StatusNotification':
        return readStatus(fields);
      case 'TransactionEvent':
        return readTransaction(fields);
      case 'MeterValues':
        return readMeter(fields);
      case 'NotifyEVChargingNeeds':
        return readNeeds(fields);
      case 'Authorize': {
        const token = tokenOf(fields);
        return token === undefined
          ? undefined
          : { what: 'shown', token, hasCertificate: hasCertificate(fields) };
      }
      default:
        return undefined;
    }
  },

  readAnswer(payload): CsmsAnswer {
    const fields = fieldsOf(payload);
    const status = textOf(fieldsOf(fields['idTokenInfo'])['status']);
    // A contract is accepted when its certificate is as well, where the answer judges one.
    const certificate = textOf(fields['certificateStatus']);
    return {
      heartbeatMs: heartbeatMsOf(fields),
      isTokenAccepted:
        status === undefined
          ? undefined
          : status === 'Accepted' && (certificate ?? 'Accepted') === 'Accepted',
      isCertificateAccepted: certificate === 'Accepted',
    };
  },
};

/** The chain itself, or the hashes by which it is looked up (part 2, C07). */
function hasCertificate(fields: Fields): boolean {
  const hashes = listOf(fields['iso15118CertificateHashData']);
  return textOf(fields['certificate']) !== undefined || hashes.length > 0;
}

/** EVSE 0 is the station as a whole. */
function placeOf(evseId: unknown, connectorId: unknown): OcppPlace | undefined {
  const evse = integerOf(evseId);
  const connector = integerOf(connectorId);
  if (evse === undefined || evse < 1) return undefined;
  return connector !== undefined && connector >= 1 ? { evse, connector } : { evse };
}

function readStatus(fields: Fields): PileMessage | undefined {
  const place = placeOf(fields['evseId'], fields['connectorId']);
  const word = textOf(fields['connectorStatus']);
  const status = lookUp(STATUS, word);
  if (place === undefined || status === undefined) return undefined;
  return { what: 'status', place, status, reason: word, sourceWallMs: wallMsOf(fields['timestamp']) };
}

function readTransaction(fields: Fields): PileMessage | undefined {
  const info = fieldsOf(fields['transactionInfo']);
  const evse = fieldsOf(fields['evse']);
  const phase = lookUp(PHASE, fields['eventType']);
  const transactionId = transactionIdOf(info['transactionId']);
  if (phase === undefined || transactionId === undefined) return undefined;
  return {
    what: 'transaction',
    phase,
    transactionId,
    place: placeOf(evse['id'], evse['connectorId']),
    sourceWallMs: wallMsOf(fields['timestamp']),
    supply: lookUp(SUPPLY, info['chargingState']),
    vehicle: vehicleOf(fields['triggerReason'], info['stoppedReason']),
    isOffline: fields['offline'] === true,
    token: tokenOf(fields),
    readings: readMeterValues(fields['meterValue']),
  };
}

function vehicleOf(trigger: unknown, stopped: unknown): 'came' | 'left' | undefined {
  if (LEFT.has(trigger) || stopped === 'EVDisconnected') return 'left';
  return CAME.has(trigger) ? 'came' : undefined;
}

function readMeter(fields: Fields): PileMessage | undefined {
  const place = placeOf(fields['evseId'], undefined);
  if (place === undefined) return undefined;
  return { what: 'meter', place, readings: readMeterValues(fields['meterValue']) };
}

function readNeeds(fields: Fields): PileMessage | undefined {
  const place = placeOf(fields['evseId'], undefined);
  if (place === undefined) return undefined;
  const needs = fieldsOf(fields['chargingNeeds']);
  const dc = fieldsOf(needs['dcChargingParameters']);
  return {
    what: 'needs',
    place,
    departureWallMs: wallMsOf(needs['departureTime']),
    socPercent: numberOf(dc['stateOfCharge']),
    // 2.1 says when it was asked.
    sourceWallMs: wallMsOf(fields['timestamp']),
  };
}

function tokenOf(fields: Fields): ShownToken | undefined {
  const idToken = fieldsOf(fields['idToken']);
  const value = textOf(idToken['idToken']);
  const kind = lookUp(TOKEN_KIND, idToken['type']);
  return value === undefined || kind === undefined ? undefined : { kind, value };
}
