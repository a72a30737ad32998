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
 * and the last sample is fresh, of a source that says the same; an unverified session lends nothing.
 */
import type { CredentialKind, FirmwareEvent, SessionState } from '@plugpool/firmware-bridge';
import type { ConnectorId, Now } from '@plugpool/proto';
import { assertNever } from '../assert-never.ts';
import { asClaim, identified, shown, type Identity } from '../binding/identity.ts';
import type { MeteredEnergy } from '../ledger/metered-energy.ts';
import type { Meter } from './meter.ts';
import { informed, metered, type Doubts } from './samples.ts';
import { heardFrom, isCutOff, isVouchedFor, type FirmwareSource, type HeardSource } from './sources.ts';
import type { SignedReadings } from './signed-readings.ts';
import { withStay, type SessionStay } from './session-stay.ts';

export interface Session {
  readonly connectorId: ConnectorId;
  readonly state: SessionState;
  readonly sinceWallMs: number;
  /** Who speaks of it. */
  readonly sources: readonly HeardSource[];
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
  readonly signed?: SignedReadings;
  /** What of its readings was believed. */
  readonly meter?: Meter;
  /** What computing took of what that saw since its last break. */
  readonly metered?: MeteredEnergy;
  /** What of its samples was not. */
  readonly doubted?: Doubts;
  readonly estimatedFullMonoMs?: number;
  /** When that was told, and what it drew then. */
  readonly estimated?: { readonly monoMs: number; readonly powerMw: number | undefined };
  readonly departureMonoMs?: number;
  /** While somebody is plugged in. */
  readonly stay?: SessionStay;
}

export function newSession(connectorId: ConnectorId, now: Now): Session {
  return { connectorId, state: 'unknown', sinceWallMs: now.wallMs, sources: [] };
}

/** The session after `event`, which `source` told. */
export function transition(
  session: Session,
  event: FirmwareEvent,
  source: FirmwareSource,
  now: Now,
): Session {
  const sources = heardFrom(session.sources, event, source, now);
  if (event.kind === 'linkLost') return { ...session, sources };
  const after = told({ before: session, heard: { ...session, sources }, source, now }, event);
  return isPlugged(after.state) ? withStay(session, after, event, now) : after;
}

interface Told {
  readonly before: Session;
  /** As before, with whoever told it heard now. */
  readonly heard: Session;
  readonly source: FirmwareSource;
  readonly now: Now;
}

function told(
  { before, heard, source, now }: Told,
  event: Exclude<FirmwareEvent, { kind: 'linkLost' }>,
): Session {
  switch (event.kind) {
    case 'linkUp':
      // The adapter states the connector anew right after; until then the source vouches for nothing, and where no other
      // watched meanwhile, who was known before is only a claim: another vehicle may stand there now.
      return isCutOff(heard.sources) ? asClaim(heard) : heard;
    case 'plugged':
      return replugged(before, heard, now);
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
      return metered(heard, event, source, now);
    case 'evInfo':
      return informed(heard, event, now);
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
  const isAnew = isCutOff(before.sources) || before.state === 'faulted';
  return isAnew ? moved(asClaim(heard), 'plugged', now) : heard;
}

/** The state that `session` is in, entered now where it is another than before. */
function moved(session: Session, state: SessionState, now: Now): Session {
  if (session.state === state) return session;
  const { faultReason: _healed, ...rest } = session;
  return { ...rest, state, sinceWallMs: now.wallMs };
}

/**
 * Whatever presupposes a vehicle implies that one is plugged in. Of a connector that is faulted nobody sees who comes and goes: who
 * was known before, or was named meanwhile, is a claim.
 */
function pluggedIn(session: Session, now: Now): Session {
  if (session.state === 'faulted') return asClaim(session);
  return isPlugged(session.state) ? session : moved(withoutVehicle(session), 'plugged', now);
}

function withoutVehicle(session: Session): Session {
  const { connectorId, state, sinceWallMs, sources } = session;
  return { connectorId, state, sinceWallMs, sources };
}

/** Or may be: a station that is faulted says nothing of a vehicle. */
export function isPlugged(state: SessionState): boolean {
  return state !== 'unknown' && state !== 'unplugged';
}

/** The firmware says that a vehicle is there. */
export function isSeenPlugged(state: SessionState): boolean {
  return isPlugged(state) && state !== 'faulted';
}

/** The firmware is heard, what it said is fresh, and whoever speaks of the connector agrees (sources.ts). */
export function isVerified({ state, sources }: Session, now: Now): boolean {
  if (state === 'unknown') return false;
  if (state === 'faulted') return isVouchedFor(sources, 'any', now);
  return isVouchedFor(sources, isPlugged(state) ? 'plugged' : 'unplugged', now);
}
