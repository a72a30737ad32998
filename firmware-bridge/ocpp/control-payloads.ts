/** The payloads of our own calls to a pile, in both versions; each expires by itself at the station. */
import { integerOf } from './payload-fields.ts';
import { OWN_PROFILE_ID_MIN } from './power-limits.ts';
import type { ConnectorAtPile } from './relay-story.ts';

const MS_A_SECOND = 1000;
const CONNECTORS_AN_EVSE_MAX = 100;

/**
 * A profile of the open transaction: it ends with the transaction, at the end of its duration, and at `validTo`, whichever the
 * pile heeds. Absolute, as a relative one would begin with the transaction, which is long ago.
 */
export function capProfile(at: ConnectorAtPile, powerW: number, forMs: number, nowWallMs: number): object {
  const from = new Date(at.pileClockAt(nowWallMs)).toISOString();
  const until = new Date(at.pileClockAt(nowWallMs + forMs)).toISOString();
  const schedule = {
    startSchedule: from,
    duration: Math.ceil(forMs / MS_A_SECOND),
    chargingRateUnit: 'W',
    chargingSchedulePeriod: [{ startPeriod: 0, limit: Math.round(powerW * 10) / 10 }],
  };
  const profile = {
    stackLevel: at.room.stackLevel,
    chargingProfilePurpose: 'TxProfile',
    chargingProfileKind: 'Absolute',
    validTo: until,
  };
  if (at.subprotocol === 'ocpp1.6') {
    const ids = { chargingProfileId: profileId(at), transactionId: integerOf(at.transactionId) };
    return {
      connectorId: at.evse,
      csChargingProfiles: { ...ids, ...profile, chargingSchedule: schedule },
    };
  }
  const ids = { id: profileId(at), transactionId: at.transactionId };
  return {
    evseId: at.evse,
    chargingProfile: { ...ids, ...profile, chargingSchedule: [{ id: 1, ...schedule }] },
  };
}

export function clearProfile(at: ConnectorAtPile): object {
  return at.subprotocol === 'ocpp1.6' ? { id: profileId(at) } : { chargingProfileId: profileId(at) };
}

/** One for each connector: the next replaces it. */
export function displayMessage(at: ConnectorAtPile, text: string, forMs: number, nowWallMs: number): object {
  return {
    message: {
      id: profileId(at),
      priority: 'NormalCycle',
      startDateTime: new Date(at.pileClockAt(nowWallMs)).toISOString(),
      endDateTime: new Date(at.pileClockAt(nowWallMs + forMs)).toISOString(),
      ...(at.transactionId === undefined ? {} : { transactionId: at.transactionId }),
      message: { format: 'UTF8', content: text },
    },
  };
}

function profileId({ evse, connector }: ConnectorAtPile): number {
  return OWN_PROFILE_ID_MIN + evse * CONNECTORS_AN_EVSE_MAX + connector;
}
