/**
 * The charging session of one connector, as the pile's firmware reports it.
 *
 *   unknown ──► plugged ──► charging ⇄ suspendedEV | suspendedEVSE ──► finishing ──► unplugged
 *                  any state ──► faulted        any state ──► unplugged
 *
 * `plugged` a vehicle is connected; `charging` energy flows; `suspendedEV` the vehicle stopped drawing, there is supply;
 * `suspendedEVSE` the station gives no supply; `finishing` energy stopped for good, the vehicle is still there; `unplugged`
 * nobody is there; `faulted` the station says that something is broken. Real piles skip steps, so any state may follow any.
 * "Transaction ended" is not "unplugged": it moves nothing. Beside the state a session is *verified* while the link is up
 * and the last sample is fresh; an unverified session lends nothing.
 */
import type { CredentialKind, FirmwareEvent, SessionState } from '@plugpool/firmware-bridge';
import type { ConnectorId, Now } from '@plugpool/proto';
import { assertNever } from '../assert-never.ts';
import { asClaim, identified, shown, type Identity } from '../binding/identity.ts';
import { withReading, type Meter } from './meter.ts';
import { withStay, type SessionStay } from './session-stay.ts';

export interface Session {
  readonly connectorId: ConnectorId;
  readonly state: SessionState;
  readonly sinceWallMs: number;
  readonly link: 'up' | 'lost';
  readonly heardMonoMs: number;
  /** 0: the source is silent between events by nature. */
  readonly staleAfterMs: number;
  readonly identity?: Identity;
  /** What is known of who is there contradicts itself (binding/identity.ts): it lends nothing. */
  readonly disputed?: true;
  /** Pseudonyms of what was shown in this stay. */
  readonly shown?: Readonly<Partial<Record<CredentialKind, string>>>;
  readonly transactionId?: string;
  readonly faultReason?: string;
  readonly socPermille?: number;
  readonly powerMw?: number;
  /** When that was read. */
  readonly powerMonoMs?: number;
  readonly energyMwh?: number;
  /** What of its readings can be true. */
  readonly meter?: Meter;
  readonly estimatedFullMonoMs?: number;
  /** When that was told, and what it drew then. */
  readonly estimated?: { readonly monoMs: number; readonly powerMw: number | undefined };
  readonly departureMonoMs?: number;
  /** While somebody is plugged in. */
  readonly stay?: SessionStay;
}

export function newSession(connectorId: ConnectorId, staleAfterMs: number, now: Now): Session {
  return {
    connectorId,
    state: 'unknown',
    sinceWallMs: now.wallMs,
    link: 'up',
    heardMonoMs: now.monoMs,
    staleAfterMs,
  };
}

/** The session after `event`. Only `linkLost` leaves it unheard. */
export function transition(session: Session, event: FirmwareEvent, now: Now): Session {
  if (event.kind === 'linkLost') return { ...session, link: 'lost' };
  const after = told(session, event, now);
  return isPlugged(after.state) ? withStay(session, after, event, now) : after;
}

function told(session: Session, event: Exclude<FirmwareEvent, { kind: 'linkLost' }>, now: Now): Session {
  const heard: Session = { ...session, link: 'up', heardMonoMs: now.monoMs };
  switch (event.kind) {
    case 'linkUp':
      // The adapter states the connector anew right after; until then the session stays unverified, and who was known
      // before is only a claim: another vehicle may stand there now.
      return { ...asClaim(session), link: 'lost' };
    case 'plugged':
      return replugged(session, heard, now);
    case 'transactionStarted':
      return { ...pluggedIn(heard, now), transactionId: event.transactionId };
    case 'chargingStarted':
      return moved(pluggedIn(heard, now), 'charging', now);
    case 'suspended':
      return moved(pluggedIn(heard, now), event.by === 'EV' ? 'suspendedEV' : 'suspendedEVSE', now);
    case 'chargingStopped':
      return moved(pluggedIn(heard, now), 'finishing', now);
    case 'transactionEnded': {
      const { transactionId: ended, ...rest } = heard;
      return ended === event.transactionId ? rest : heard;
    }
    case 'unplugged':
      return moved(withoutVehicle(heard), 'unplugged', now);
    case 'faulted':
      return { ...moved(heard, 'faulted', now), faultReason: event.reason };
    case 'meter':
      return {
        ...heard,
        ...(event.powerMw === undefined ? {} : { powerMw: event.powerMw, powerMonoMs: now.monoMs }),
        ...(event.energyMwh === undefined
          ? {}
          : { energyMwh: event.energyMwh, meter: withReading(session.meter, event.energyMwh, now) }),
      };
    case 'evInfo':
      return {
        ...heard,
        ...(event.socPermille === undefined ? {} : { socPermille: event.socPermille }),
        ...(event.estimatedFullInMs === undefined
          ? {}
          : {
              estimatedFullMonoMs: now.monoMs + event.estimatedFullInMs,
              estimated: { monoMs: now.monoMs, powerMw: session.powerMw },
            }),
        ...(event.departureInMs === undefined ? {} : { departureMonoMs: now.monoMs + event.departureInMs }),
      };
    case 'credential':
      return isPlugged(heard.state) ? shown(heard, event.credential) : heard;
    case 'identity':
      return identified(heard, { vehicleId: event.vehicleId, assurance: event.assurance });
    default:
      return assertNever(event);
  }
}

/**
 * Said twice, it is the same session. After a lost link or a fault it is stated anew: the state is what it says, and who was
 * known before stays a claim until the firmware says it again.
 */
function replugged(before: Session, heard: Session, now: Now): Session {
  if (!isPlugged(before.state)) return moved(withoutVehicle(heard), 'plugged', now);
  const isAnew = before.link === 'lost' || before.state === 'faulted';
  return isAnew ? moved(asClaim(heard), 'plugged', now) : heard;
}

/** The state that `session` is in, entered now where it is another than before. */
function moved(session: Session, state: SessionState, now: Now): Session {
  if (session.state === state) return session;
  const { faultReason: _healed, ...rest } = session;
  return { ...rest, state, sinceWallMs: now.wallMs };
}

/** Whatever presupposes a vehicle implies that one is plugged in. */
function pluggedIn(session: Session, now: Now): Session {
  return isPlugged(session.state) ? session : moved(withoutVehicle(session), 'plugged', now);
}

function withoutVehicle(session: Session): Session {
  const { connectorId, state, sinceWallMs, link, heardMonoMs, staleAfterMs } = session;
  return { connectorId, state, sinceWallMs, link, heardMonoMs, staleAfterMs };
}

export function isPlugged(state: SessionState): boolean {
  return state !== 'unknown' && state !== 'unplugged';
}

/** The firmware is heard, and what it said is fresh. */
export function isVerified(session: Session, now: Now): boolean {
  if (session.link === 'lost' || session.state === 'unknown') return false;
  return session.staleAfterMs === 0 || now.monoMs - session.heardMonoMs <= session.staleAfterMs;
}
