/**
 * What is known of one connector, and how each message moves it. A new value each time; nothing here knows of links or of what was
 * told: `connector-telling.ts` makes events of it.
 */
import type { Credential } from '../port.ts';
import type { ConnectorStatus, SupplyState } from './pile-message.ts';

export type Activity = 'plugged' | 'charging' | 'suspendedEV' | 'suspendedEVSE' | 'finishing';

export interface ConnectorKnown {
  readonly place: 'unknown' | 'free' | 'occupied';
  readonly activity: Activity;
  /** Nobody said so, the meter showed it: it may show otherwise. */
  readonly isInferred: boolean;
  /** Counts the stays: a vehicle that starts again after the end cannot be told from another one. */
  readonly stay: number;
  /** The open one; of a free connector, one that was authorised before its vehicle came. */
  readonly transactionId?: string | undefined;
  readonly fault?: string | undefined;
  readonly credentials: readonly Credential[];
}

const CREDENTIALS_MAX = 4;

export const NOTHING_KNOWN: ConnectorKnown = {
  place: 'unknown',
  activity: 'plugged',
  isInferred: true,
  stay: 0,
  credentials: [],
};

/** After the pile was cut off, anything may have happened. */
export function unknownAgain({ stay }: ConnectorKnown): ConnectorKnown {
  return { ...NOTHING_KNOWN, stay: stay + 1 };
}

export function freed({ stay }: ConnectorKnown): ConnectorKnown {
  return { ...NOTHING_KNOWN, place: 'free', stay };
}

/** Somebody is connected; the state of a stay under way is as it was. */
export function occupied(known: ConnectorKnown): ConnectorKnown {
  if (known.place === 'occupied') return known;
  return { ...known, place: 'occupied', activity: 'plugged', isInferred: true, stay: known.stay + 1 };
}

/** Another stay, of the same vehicle or of another: it is not said which. */
export function newStay(known: ConnectorKnown): ConnectorKnown {
  return occupied(freed(known));
}

export function afterStatus(known: ConnectorKnown, status: ConnectorStatus, reason?: string): ConnectorKnown {
  if (status === 'faulted') return { ...known, fault: reason ?? status };
  const sound = healed(known);
  switch (status) {
    case 'free':
      return freed(sound);
    case 'occupied':
      return occupied(sound);
    case 'plugged':
      return preparing(sound);
    case 'finishing':
      // The vehicle was said to have left; what is still there is a cable.
      return sound.place === 'free' ? sound : doing(sound, status);
    default:
      return doing(sound, status);
  }
}

/** Nobody saw who came and went meanwhile; only a transaction that is still open says that the stay is the same. */
function healed({ fault, ...sound }: ConnectorKnown): ConnectorKnown {
  const isSame = fault === undefined || sound.transactionId !== undefined;
  return isSame ? sound : { ...sound, credentials: [] };
}

/**
 * 1.6 goes from Finishing to Preparing when charging starts over, and when vehicles change places quickly. From where energy flows no
 * way leads there, so that what lies between was not heard. What the meter alone showed is over until it shows it again.
 */
function preparing(known: ConnectorKnown): ConnectorKnown {
  if (!hasFlowed(known)) return occupied(known);
  return known.isInferred ? { ...known, activity: 'suspendedEVSE' } : newStay(known);
}

/** `noVehicle` keeps the transaction: it may have been authorised before its vehicle came. */
export function afterSupply(known: ConnectorKnown, supply: SupplyState): ConnectorKnown {
  switch (supply) {
    case 'noVehicle': {
      const { transactionId, credentials } = known;
      return { ...freed(known), transactionId, credentials };
    }
    case 'connected':
      return hasFlowed(known) ? doing(known, 'suspendedEVSE') : occupied(known);
    default:
      return doing(known, supply);
  }
}

/** Whoever said it; what the meter shows is believed only until somebody says. */
export function doing(known: ConnectorKnown, activity: Activity): ConnectorKnown {
  // Sloppy piles repeat the last state after the end.
  if (isFinished(known)) return known;
  return { ...occupied(known), activity, isInferred: false };
}

/** What the meter shows where nobody says it: that energy flows, or no longer. */
export function inferred(known: ConnectorKnown, isRising: boolean): ConnectorKnown {
  if (known.place !== 'occupied' || !known.isInferred) return known;
  if (isRising) return { ...known, activity: 'charging' };
  // Whose doing it is cannot be known; that there is no supply is the answer that drains no battery.
  return known.activity === 'charging' ? { ...known, activity: 'suspendedEVSE' } : known;
}

/** A transaction begins now. Whatever went before it at this connector is over. */
export function afterStart(known: ConnectorKnown, supply: SupplyState | undefined): ConnectorKnown {
  const isAnother = known.transactionId !== undefined || isFinished(known);
  const begun = known.place === 'occupied' && isAnother ? newStay(known) : known;
  return supply === undefined ? occupied(begun) : afterSupply(begun, supply);
}

export function afterEnd(known: ConnectorKnown): ConnectorKnown {
  const { transactionId: _ended, ...rest } = known;
  return known.place === 'occupied' ? doing(rest, 'finishing') : { ...rest, credentials: [] };
}

/** It ended before the last change that is known of: whoever began it may have left, and what goes on is somebody's own. */
export function afterPastEnd(known: ConnectorKnown): ConnectorKnown {
  const { transactionId: _ended, ...rest } = known;
  if (known.place !== 'occupied' || known.credentials.length === 0) return { ...rest, credentials: [] };
  return { ...rest, credentials: [], stay: known.stay + 1 };
}

export function withCredential(known: ConnectorKnown, credential: Credential): ConnectorKnown {
  const { credentials } = known;
  const isKnown = credentials.some(
    ({ kind, pseudonym }) => kind === credential.kind && pseudonym === credential.pseudonym,
  );
  if (isKnown || credentials.length >= CREDENTIALS_MAX) return known;
  return { ...known, credentials: [...credentials, credential] };
}

function isFinished({ place, activity }: ConnectorKnown): boolean {
  return place === 'occupied' && activity === 'finishing';
}

function hasFlowed({ place, activity }: ConnectorKnown): boolean {
  return place === 'occupied' && activity !== 'plugged';
}
