/** What is remembered of the stay at a connector while it goes on: what is asked about it, and what is learned once it is over. */
import type { FirmwareEvent } from '@plugpool/firmware-bridge';
import type { Now } from '@plugpool/proto';
import type { StaySoFar } from '../dwell/stay-so-far.ts';
import { STAY_MAX_MS } from '../dwell/time-bins.ts';
import type { StayRecord } from '../records.ts';
import type { Session } from './session.ts';
import { isCutOff, wereSilent } from './sources.ts';

export interface SessionStay {
  readonly pluggedWallMs: number;
  readonly pluggedMonoMs: number;
  /** It was there when we first looked: since when, nobody saw. */
  readonly isOlder: boolean;
  readonly chargingSinceMonoMs?: number;
  readonly chargingEndedMonoMs?: number;
  /** The first that was stated; those after it were stated by somebody who knew more. */
  readonly firstStatedMonoMs?: number;
}

/** While the firmware is not heard for this long, one vehicle may leave and another come. */
const SWAP_MS = 2 * 60_000;
/** A wall clock that went by so much faster or slower was set meanwhile. */
const CLOCK_SLACK_MS = 60_000;

/** `after`, where somebody is plugged in, with what is remembered of the stay; `before` is the session before the event. */
export function withStay(before: Session, after: Session, event: FirmwareEvent, now: Now): Session {
  // A fault of a connector that was free brings nobody.
  if (before.stay === undefined && after.state === 'faulted') return after;
  const stay = before.stay === undefined || isUnseen(before, event, now) ? begun(before, now) : before.stay;
  return { ...after, stay: stated(charged(stay, before, after, now), after, now) };
}

/** Whoever is there may have come while nobody looked. */
function isUnseen(before: Session, event: FirmwareEvent, now: Now): boolean {
  return event.kind === 'plugged' && isCutOff(before.sources) && wasUnheard(before, now);
}

function wasUnheard({ sources }: Session, now: Now): boolean {
  return sources.length > 0 && wereSilent(sources, SWAP_MS, now);
}

function begun(before: Session, now: Now): SessionStay {
  // Only from an empty connector is it seen how somebody comes.
  const isOlder = before.state !== 'unplugged' || wasUnheard(before, now);
  return { pluggedWallMs: now.wallMs, pluggedMonoMs: now.monoMs, isOlder };
}

function charged(stay: SessionStay, before: Session, after: Session, now: Now): SessionStay {
  if (after.state === 'charging') {
    if (stay.chargingSinceMonoMs !== undefined && stay.chargingEndedMonoMs === undefined) return stay;
    const { chargingEndedMonoMs: _wentOn, ...rest } = stay;
    return { ...rest, chargingSinceMonoMs: stay.chargingSinceMonoMs ?? now.monoMs };
  }
  const ended = after.state === 'suspendedEV' || after.state === 'finishing';
  if (!ended || stay.chargingSinceMonoMs === undefined || stay.chargingEndedMonoMs !== undefined) return stay;
  return before.state === after.state ? stay : { ...stay, chargingEndedMonoMs: now.monoMs };
}

function stated(stay: SessionStay, { departureMonoMs }: Session, now: Now): SessionStay {
  if (stay.firstStatedMonoMs !== undefined || departureMonoMs === undefined) return stay;
  return departureMonoMs > now.monoMs ? { ...stay, firstStatedMonoMs: departureMonoMs } : stay;
}

/** The stay that ended between `before` and now, where both its ends were seen and it can be true. */
export function stayThatEnded(before: Session, now: Now): StayRecord | undefined {
  const { stay } = before;
  if (stay === undefined || stay.isOlder || wasUnheard(before, now)) return undefined;
  const lastedMs = now.monoMs - stay.pluggedMonoMs;
  const byWallMs = now.wallMs - stay.pluggedWallMs;
  if (lastedMs <= 0 || lastedMs > STAY_MAX_MS || Math.abs(byWallMs - lastedMs) > CLOCK_SLACK_MS)
    return undefined;
  // A monotonic clock tells fractions of a millisecond; what is kept is whole.
  const wall = (monoMs: number): number => Math.round(stay.pluggedWallMs + monoMs - stay.pluggedMonoMs);
  // Who left while charging charged to the end.
  const chargedMonoMs = before.state === 'charging' ? now.monoMs : stay.chargingEndedMonoMs;
  return {
    connectorId: before.connectorId,
    pluggedWallMs: stay.pluggedWallMs,
    unpluggedWallMs: wall(now.monoMs),
    ...(chargedMonoMs === undefined ? {} : { chargingEndedWallMs: wall(chargedMonoMs) }),
    ...(stay.firstStatedMonoMs === undefined ? {} : { statedDepartureWallMs: wall(stay.firstStatedMonoMs) }),
  };
}

/**
 * What the dwell model is asked with, `departureMonoMs` being the departure that is stated now, whoever stated it. A session
 * without a stay is taken for one that nobody saw begin.
 */
export function staySoFar(session: Session, departureMonoMs: number | undefined, now: Now): StaySoFar {
  const stay = session.stay ?? { pluggedWallMs: now.wallMs, pluggedMonoMs: now.monoMs, isOlder: true };
  const elapsedMs = now.monoMs - stay.pluggedMonoMs;
  const { chargingSinceMonoMs, chargingEndedMonoMs } = stay;
  return {
    connectorId: session.connectorId,
    // By the clock of now: where it was set since, people still leave by what it says now.
    pluggedWallMs: now.wallMs - elapsedMs,
    elapsedMs,
    isOlder: stay.isOlder,
    state: session.state,
    ...(chargingSinceMonoMs === undefined ? {} : { chargingForMs: now.monoMs - chargingSinceMonoMs }),
    ...(chargingEndedMonoMs === undefined ? {} : { chargingEndedAgoMs: now.monoMs - chargingEndedMonoMs }),
    ...(departureMonoMs === undefined ? {} : { statedInMs: departureMonoMs - now.monoMs }),
    ...(session.estimatedFullMonoMs === undefined
      ? {}
      : { estimatedFullInMs: session.estimatedFullMonoMs - now.monoMs }),
    ...(session.socPermille === undefined ? {} : { socPermille: session.socPermille }),
    ...(session.powerMw === undefined ? {} : { powerMw: session.powerMw }),
  };
}
