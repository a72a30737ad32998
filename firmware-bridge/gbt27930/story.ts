/**
 * What a bus tells of its connector: messages and time in, facts out.
 *
 * A vehicle is plugged in when its own voice is heard; a charger alone proves nothing. Unplugging is not on the bus: a vehicle
 * that falls silent is unverified (`linkLost`), and has left when the next handshake begins or `unpluggedAfterMs` has passed.
 *
 *   free ──vehicle heard──► present ──silent──► lost ──heard──► present
 *    ▲                        │ new handshake     │ unpluggedAfterMs, or heard with a new handshake
 *    └────────────────────────┴───────────────────┘
 */
import type { ConnectorId } from '@plugpool/proto';
import type { FirmwareFact } from '../firmware-fact.ts';
import { SWAP_MS_MIN } from '../swap-time.ts';
import { ChargingState } from './charging-state.ts';
import type { Heard } from './decoder.ts';
import type { Message } from './message.ts';
import { Readings } from './readings.ts';
import { stageOf } from './stage.ts';
import type { Stage } from './stage.ts';
import { CHARGING_SILENCE_MS_MAX, SILENCE_MS_MAX } from './timeouts.ts';
import type { Told } from '../told.ts';

export interface StoryOptions {
  readonly connectorId: ConnectorId;
  /** A vehicle that was silent for this long has left; absent: only a new handshake ends its session. */
  readonly unpluggedAfterMs?: number | undefined;
}

/** From the first word of a vehicle to its leaving. */
interface Session {
  stage: Stage;
  vinPseudonym: string | undefined;
  /** So it was told last. */
  isFaulted: boolean;
  readonly charging: ChargingState;
  readonly readings: Readings;
}

type Link = 'up' | 'vehicleSilent' | 'tapLost';

export class Gbt27930Story {
  readonly #options: StoryOptions;
  #session: Session | undefined;
  #link: Link = 'up';
  #vehicleHeardMs = 0;
  #deafSinceMs = 0;
  /** A charger's greeting (CHM) was heard that no vehicle answered yet. */
  #greeted = false;

  constructor(options: StoryOptions) {
    this.#options = options;
  }

  /** Somebody spoke. What silence before that meant is `pass`'s to say: a listener that was held up hears late, not nothing. */
  hear({ by, message }: Heard, nowMs: number): readonly FirmwareFact[] {
    const told: Told[] = [];
    if (message?.kind === 'CHM') told.push(...this.#greet());
    if (by === 'vehicle') told.push(...this.#hearVehicle(message, nowMs));
    const session = this.#link === 'up' ? this.#session : undefined;
    if (session !== undefined && message !== undefined) told.push(...this.#follow(session, message, nowMs));
    return this.#named(told);
  }

  /** Time went on; call it when `nextDueMs` has come. */
  pass(nowMs: number): readonly FirmwareFact[] {
    return this.#named([...this.#due(nowMs)]);
  }

  /** When silence begins to mean something; undefined: never, as things are. */
  nextDueMs(): number | undefined {
    const session = this.#session;
    if (session === undefined || this.#link === 'tapLost') return undefined;
    if (this.#link === 'vehicleSilent') return this.#leavesMs();
    const { charging, stage } = session;
    return Math.min(this.#vehicleSilentMs(session), charging.nextDueMs(stage, this.#vehicleHeardMs));
  }

  /** We hear nothing any more, whatever is said on the bus. */
  loseTap(reason: string, nowMs: number): readonly FirmwareFact[] {
    if (this.#link === 'tapLost') return [];
    const wasUp = this.#link === 'up';
    this.#link = 'tapLost';
    // A tap that comes and goes is deaf since the vehicle was last heard through it.
    if (wasUp) this.#deafSinceMs = nowMs;
    return wasUp ? this.#named([{ kind: 'linkLost', reason }]) : [];
  }

  /** We hear again; whether anybody speaks is another matter. */
  regainTap(nowMs: number): void {
    if (this.#link !== 'tapLost') return;
    // Another vehicle may charge by now, whose handshake we did not hear.
    const mayBeAnother = nowMs - this.#deafSinceMs > SWAP_MS_MIN;
    if (mayBeAnother && this.#session !== undefined) this.#session.vinPseudonym = undefined;
    this.#link = 'vehicleSilent';
    this.#vehicleHeardMs = nowMs;
  }

  #named(told: readonly Told[]): readonly FirmwareFact[] {
    const { connectorId } = this.#options;
    return told.map((fact) => ({ ...fact, connectorId }));
  }

  *#due(nowMs: number): Generator<Told> {
    const session = this.#session;
    if (session === undefined || this.#link === 'tapLost') return;
    if (this.#link === 'up') {
      yield* followed(session, session.charging.pass(session.stage, this.#vehicleHeardMs, nowMs));
      if (nowMs < this.#vehicleSilentMs(session)) return;
      this.#link = 'vehicleSilent';
      yield { kind: 'linkLost', reason: 'nothing is heard from the vehicle on the bus' };
    }
    if (nowMs < (this.#leavesMs() ?? Infinity)) return;
    this.#link = 'up';
    this.#session = undefined;
    yield { kind: 'linkUp' };
    yield { kind: 'unplugged' };
  }

  #vehicleSilentMs({ stage }: Session): number {
    return this.#vehicleHeardMs + (stage === 'charging' ? CHARGING_SILENCE_MS_MAX : SILENCE_MS_MAX);
  }

  #leavesMs(): number | undefined {
    const { unpluggedAfterMs } = this.#options;
    return unpluggedAfterMs === undefined ? undefined : this.#vehicleHeardMs + unpluggedAfterMs;
  }

  /** A charger greets once for a vehicle: after that, it greets another, or this one plugged in anew. */
  *#greet(): Generator<Told> {
    if (this.#session === undefined || this.#session.stage === 'handshake') return;
    if (this.#link === 'up') {
      this.#session = undefined;
      yield { kind: 'unplugged' };
    } else this.#greeted = true;
  }

  *#hearVehicle(message: Message | undefined, nowMs: number): Generator<Told> {
    this.#vehicleHeardMs = nowMs;
    const known = this.#session;
    const isAnother = known !== undefined && (this.#greeted || beginsAnew(known, message));
    this.#greeted = false;
    if (this.#link === 'up' && known !== undefined && !isAnother) return;
    if (this.#link !== 'up') yield { kind: 'linkUp' };
    this.#link = 'up';
    if (isAnother) yield { kind: 'unplugged' };
    yield { kind: 'plugged' };
    if (known === undefined || isAnother) this.#session = newSession();
    else yield* restated(known);
  }

  *#follow(session: Session, message: Message, nowMs: number): Generator<Told> {
    session.stage = stageOf(session.stage, message);
    if (message.kind === 'BRM' && message.vinPseudonym !== undefined) {
      yield* nameVehicle(session, message.vinPseudonym);
    }
    yield* followed(session, session.charging.follow(session.stage, message, nowMs));
    yield* session.readings.of(message, nowMs);
  }
}

function newSession(): Session {
  return {
    stage: 'handshake',
    vinPseudonym: undefined,
    isFaulted: false,
    charging: new ChargingState(),
    readings: new Readings(),
  };
}

/** After a fault nothing is assumed of who is there. This vehicle never fell silent, nor was there a new handshake: it is the same. */
function* followed(session: Session, told: Iterable<Told>): Generator<Told> {
  for (const fact of told) {
    if (fact.kind !== 'faulted' && session.isFaulted) {
      yield { kind: 'plugged' };
      yield* named(session);
    }
    session.isFaulted = fact.kind === 'faulted';
    yield fact;
  }
}

function* named({ vinPseudonym }: Session): Generator<Told> {
  if (vinPseudonym === undefined) return;
  yield { kind: 'credential', credential: { kind: 'vin', pseudonym: vinPseudonym } };
}

/** What is still known of a vehicle that was silent for a while, and spoke on without a new handshake. */
function* restated(session: Session): Generator<Told> {
  session.isFaulted = false;
  yield* named(session);
  yield* session.charging.restate();
  session.readings.restate();
}

function* nameVehicle(session: Session, vinPseudonym: string): Generator<Told> {
  if (session.vinPseudonym === vinPseudonym) return;
  session.vinPseudonym = vinPseudonym;
  yield* named(session);
}

/** Whether this is the first word of another session: a handshake where this one is past it, or another vehicle's name. */
function beginsAnew({ stage, vinPseudonym }: Session, message: Message | undefined): boolean {
  switch (message?.kind) {
    case 'BHM':
      // A last one may cross the charger's first CRM.
      return stage !== 'handshake' && stage !== 'identification';
    case 'BRM':
      // In mid-session it may also be the same vehicle, which connects again after an error (7.6).
      return (
        stage === 'ended' ||
        (vinPseudonym !== undefined &&
          message.vinPseudonym !== undefined &&
          message.vinPseudonym !== vinPseudonym)
      );
    default:
      return false;
  }
}
