/** How OCPP 1.6J says what happens at a connector (OCPP 1.6 edition 2, sections 4 and 6). */
import { readMeterValues, type MeterReading } from './meter-reading.ts';
import {
  fieldsOf,
  heartbeatMsOf,
  integerOf,
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
} from './pile-message.ts';

const STATUS: Readonly<Record<string, ConnectorStatus>> = {
  Available: 'free',
  // Kept for the next one: nobody is connected.
  Reserved: 'free',
  Preparing: 'plugged',
  Charging: 'charging',
  SuspendedEV: 'suspendedEV',
  SuspendedEVSE: 'suspendedEVSE',
  Finishing: 'finishing',
  // Whether somebody is connected it does not say; it gives no supply.
  Unavailable: 'faulted',
  Faulted: 'faulted',
};

export const dialect16: OcppDialect = {
  readCall(action, payload) {
    const fields = fieldsOf(payload);
    switch (action) {
      case 'BootNotification':
        return { what: 'boot' };
      case 'StatusNotification':
        return readStatus(fields);
      case 'StartTransaction':
        return readStart(fields);
      case 'StopTransaction':
        return readStop(fields);
      case 'MeterValues':
        return readMeter(fields);
      case 'Authorize': {
        const token = tokenOf(fields);
        return token === undefined ? undefined : { what: 'shown', token, hasCertificate: false };
      }
      default:
        return undefined;
    }
  },

  readAnswer(payload): CsmsAnswer {
    const fields = fieldsOf(payload);
    const info = fieldsOf(fields['idTagInfo']);
    return {
      heartbeatMs: heartbeatMsOf(fields),
      transactionId: transactionIdOf(fields['transactionId']),
      isTokenAccepted: textOf(info['status']) === undefined ? undefined : info['status'] === 'Accepted',
    };
  },
};

/** Connector 0 is the pile as a whole and says nothing of any connector. */
function placeOf(fields: Fields): OcppPlace | undefined {
  const connectorId = integerOf(fields['connectorId']);
  return connectorId !== undefined && connectorId >= 1 ? { evse: connectorId, connector: 1 } : undefined;
}

function readStatus(fields: Fields): PileMessage | undefined {
  const place = placeOf(fields);
  const word = textOf(fields['status']);
  const status = lookUp(STATUS, word);
  if (place === undefined || word === undefined || status === undefined) return undefined;
  const error = textOf(fields['errorCode']);
  const reason = error === undefined || error === 'NoError' ? word : `${word}: ${error}`;
  return { what: 'status', place, status, reason, sourceWallMs: wallMsOf(fields['timestamp']) };
}

function readStart(fields: Fields): PileMessage | undefined {
  const place = placeOf(fields);
  if (place === undefined) return undefined;
  const sourceWallMs = wallMsOf(fields['timestamp']);
  return {
    what: 'transaction',
    phase: 'started',
    place,
    sourceWallMs,
    isOffline: false,
    token: tokenOf(fields),
    readings: registerOf(fields['meterStart'], sourceWallMs),
  };
}

function readStop(fields: Fields): PileMessage | undefined {
  const transactionId = transactionIdOf(fields['transactionId']);
  if (transactionId === undefined) return undefined;
  const sourceWallMs = wallMsOf(fields['timestamp']);
  return {
    what: 'transaction',
    phase: 'ended',
    transactionId,
    sourceWallMs,
    vehicle: fields['reason'] === 'EVDisconnected' ? 'left' : undefined,
    isOffline: false,
    readings: [
      ...readMeterValues(fields['transactionData']),
      ...registerOf(fields['meterStop'], sourceWallMs),
    ],
  };
}

function readMeter(fields: Fields): PileMessage | undefined {
  const place = placeOf(fields);
  if (place === undefined) return undefined;
  return {
    what: 'meter',
    place,
    transactionId: transactionIdOf(fields['transactionId']),
    readings: readMeterValues(fields['meterValue']),
  };
}

/** `meterStart` and `meterStop` are Wh by the standard, and have no unit that could be wrong. */
function registerOf(value: unknown, sourceWallMs: number | undefined): readonly MeterReading[] {
  const wh = numberOf(value);
  return wh === undefined ? [] : [{ sourceWallMs, energy: { value: wh, label: 'Wh' } }];
}

function tokenOf(fields: Fields): ShownToken | undefined {
  const value = textOf(fields['idTag']);
  return value === undefined ? undefined : { kind: 'idToken', value };
}
