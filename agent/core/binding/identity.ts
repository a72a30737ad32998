/**
 * Who stands at a connector, as far as it is known, and how that changes within one stay.
 *
 *   nobody ──► claimed ──► known ──► known by something stronger
 *                             └────► disputed ──► (unplugged)
 *
 * Within a stay a vehicle does not become another one. A weaker statement about another vehicle is not believed; one as strong as
 * what is known leaves open who is there, and so does a car that tells another name of its own: the stay is *disputed*, and
 * lends nothing until it ends or the operator says who it is. A claim is replaced by any statement. Pure.
 */
import type { Credential, CredentialKind, IdentityAssurance } from '@plugpool/firmware-bridge';
import type { VehicleId } from '@plugpool/proto';
import type { Session } from '../sessions/session.ts';
import { isWeaker } from './assurance.ts';

export interface Identity {
  readonly vehicleId: VehicleId;
  readonly assurance: IdentityAssurance;
}

/** What of the session says who is there. */
export type Known = Pick<Session, 'identity' | 'disputed'>;

export function identified<Of extends Known>(session: Of, said: Identity): Of {
  const held = session.identity;
  if (held === undefined || held.assurance === 'claimed') return { ...session, identity: said };
  if (held.vehicleId === said.vehicleId)
    return isWeaker(held.assurance, said.assurance) ? { ...session, identity: said } : session;
  return isWeaker(said.assurance, held.assurance) ? session : disputed(session);
}

/** The operator looked: whatever was said before does not count. */
export function namedByOperator<Of extends Known>(session: Of, vehicleId: VehicleId): Of {
  const { disputed: _settled, ...rest } = session;
  return { ...rest, identity: { vehicleId, assurance: 'operator' } } as Of;
}

/** A credential that was shown in this stay; the last of each kind is remembered. */
export function shown<Of extends Known & Pick<Session, 'shown'>>(session: Of, credential: Credential): Of {
  const { kind, pseudonym } = credential;
  const before = session.shown?.[kind];
  if (before === pseudonym) return session;
  const after = { ...session, shown: { ...session.shown, [kind]: pseudonym } };
  return before !== undefined && isAnotherCar(kind, session.identity) ? disputed(after) : after;
}

/**
 * A car has one VIN, and one contract in a stay. Some makes randomise their MAC address: another one says something only where
 * the first was what the vehicle was known by. Cards are shown by whoever stands there.
 */
function isAnotherCar(kind: CredentialKind, identity: Identity | undefined): boolean {
  switch (kind) {
    case 'vin':
    case 'emaid':
      return true;
    case 'evccid':
      return identity?.assurance === 'mac';
    case 'idToken':
      return false;
  }
}

function disputed<Of extends Known>(session: Of): Of {
  return { ...session, disputed: true };
}

/** Another vehicle may stand there now: any statement replaces what is known, and nothing contradicts it. */
export function asClaim<Of extends Known & Pick<Session, 'shown'>>(session: Of): Of {
  const { disputed: _disputed, shown: _shown, ...rest } = session;
  if (rest.identity === undefined) return rest as Of;
  return { ...rest, identity: { ...rest.identity, assurance: 'claimed' } } as Of;
}
