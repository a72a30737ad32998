/**
 * What is true at one EVSE, from what EVerest says of it; pure, the time is given.
 *
 *   unknown ──► free ⇄ occupied: none ──► charging ⇄ pausedByEV | pausedByEVSE ──► ended ──► free
 *   any ── link lost ──► unknown
 *
 * `session_event` is exact. `session_info` says the same about once a second while a session runs, and is how a vehicle is
 * found that was there before us; for a moment after an event it may still speak of what was before it.
 */
import type { ConnectorId } from '@plugpool/proto';
import { DURATION_MS_MAX } from '@plugpool/proto';
import type { FirmwareFact } from '../firmware-fact.ts';
import type { Credential, FirmwareEvent } from '../port.ts';
import { isSameSession, type Acquaintance, type Session } from './acquaintance.ts';
import type { EverestMessage, MeterReading } from './decode.ts';
import { isOver, isSameInfo, PRESUPPOSES_VEHICLE, SUPPLY_OF_STATE, type Supply } from './evse-words.ts';
import { HeldForNext } from './held-for-next.ts';
import { CREDENTIALS_PER_STAY_MAX } from './limits.ts';

export interface StoryNow {
  readonly monoMs: number;
  readonly wallMs: number;
}

type SessionEvent = Extract<EverestMessage, { name: 'session_event' }>;
type SessionInfo = Extract<EverestMessage, { name: 'session_info' }>;
type EvInfo = Extract<EverestMessage, { name: 'ev_info' }>;

interface Stay {
  /** EVerest's id of the session; unknown where only `session_info` was heard so far. */
  uuid: string | undefined;
  supply: Supply;
  /** `untold`: there is one, and its id is not known yet. */
  transaction: 'none' | 'untold' | 'told' | 'ended';
  evInfo: EvInfo | undefined;
  sessionStartWallMs: number | undefined;
  readonly credentials: Map<string, Credential>;
}

/** How long what `session_info` says may be older than the event before it. It is said again within about a second. */
const SETTLE_MS = 1_000;

export class ConnectorStory {
  readonly connectorId: ConnectorId;
  #link: 'unheard' | 'up' | 'lost' = 'unheard';
  #at: 'unknown' | 'free' | Stay = 'unknown';
  /** Before the link was lost, or the agent stopped: said again where EVerest says the same session. */
  #before: Acquaintance | undefined;
  readonly #held = new HeldForNext();
  #eventMonoMs = Number.NEGATIVE_INFINITY;
  /** Of the session whose vehicle left last: what is still said of it brings no vehicle back. */
  #endedUuid: string | undefined;
  /** EVerest's clock less ours, by what it says of the session: a meter has a clock of its own. */
  #aheadMs = 0;
  #now: StoryNow = { monoMs: 0, wallMs: 0 };
  #out: FirmwareEvent[] = [];

  constructor(connectorId: ConnectorId, before?: Acquaintance) {
    this.connectorId = connectorId;
    this.#before = before;
  }

  /** Of the vehicle that is there; while that is not known, of the one that was there last. */
  get acquaintance(): Acquaintance | undefined {
    if (typeof this.#at !== 'object') return this.#before;
    const { uuid, sessionStartWallMs, credentials } = this.#at;
    return { uuid, sessionStartWallMs, credentials: [...credentials.values()] };
  }

  get isLost(): boolean {
    return this.#link === 'lost';
  }

  /** EVerest's clock less ours. */
  get aheadMs(): number {
    return this.#aheadMs;
  }

  lost(reason: string, now: StoryNow): readonly FirmwareEvent[] {
    if (this.#link === 'lost') return [];
    this.#begin(now);
    this.#held.clear();
    this.#before = this.acquaintance;
    this.#at = 'unknown';
    this.#link = 'lost';
    return this.#end({ kind: 'linkLost', connectorId: this.connectorId, reason });
  }

  hear(message: EverestMessage, now: StoryNow): readonly FirmwareEvent[] {
    this.#begin(now);
    switch (message.name) {
      case 'session_event':
        this.#keepsTime(message.atWallMs);
        this.#onEvent(message);
        break;
      case 'session_info':
        this.#keepsTime(message.atWallMs);
        this.#onInfo(message);
        break;
      case 'ev_info':
        this.#onEvInfo(message);
        break;
      case 'powermeter':
        this.#sayMeter(message);
        break;
      default:
        break;
    }
    return this.#out;
  }

  /** A token that was used for this EVSE alone. Shown while a transaction runs, it is there to end it. */
  show(credential: Credential, now: StoryNow): readonly FirmwareEvent[] {
    this.#begin(now);
    const isBegun = typeof this.#at === 'object' && this.#at.transaction !== 'none';
    if (!isBegun) this.#credential(credential);
    return this.#out;
  }

  /** A token that was refused, or that nobody came for, is not the next vehicle's. */
  takeBack(credential: Credential): void {
    this.#held.drop(credential);
  }

  #begin(now: StoryNow): void {
    this.#now = now;
    this.#out = [];
  }

  #end(fact: FirmwareFact, sourceWallMs?: number): readonly FirmwareEvent[] {
    this.#say(fact, sourceWallMs);
    return this.#out;
  }

  #say(fact: FirmwareFact, sourceWallMs?: number): void {
    const times = sourceWallMs === undefined ? {} : { sourceWallMs };
    this.#out.push({ ...fact, at: { ...times, receivedWallMs: this.#now.wallMs } });
  }

  #keepsTime(atWallMs: number): void {
    this.#aheadMs = atWallMs - this.#now.wallMs;
  }

  #onEvent(message: SessionEvent): void {
    if (message.uuid === this.#endedUuid) return;
    this.#eventMonoMs = this.#now.monoMs;
    const { event, uuid, startedBy, atWallMs } = message;
    if (event === 'SessionStarted') this.#sessionStarted(uuid, startedBy, atWallMs);
    else if (PRESUPPOSES_VEHICLE.has(event)) this.#occupied(atWallMs, { uuid });
    if (message.credential !== undefined) this.#credential(message.credential, atWallMs);
    this.#moveBy(message);
    if (message.meter !== undefined) this.#sayMeter(message.meter);
    if (!isOver(message)) return;
    this.#endedUuid = uuid;
    this.#becomeFree(atWallMs);
  }

  #moveBy({ event, uuid, atWallMs }: SessionEvent): void {
    switch (event) {
      case 'TransactionStarted':
        return this.#supplies('none', atWallMs, uuid);
      case 'PrepareCharging':
        // Again after it charged: the supply is off until it goes on.
        return this.#supplies(this.#hasCharged() ? 'pausedByEVSE' : 'none', atWallMs, uuid);
      case 'ChargingStarted':
        return this.#supplies('charging', atWallMs, uuid);
      case 'ChargingPausedEV':
        return this.#supplies('pausedByEV', atWallMs, uuid);
      case 'ChargingPausedEVSE':
      case 'SwitchingPhases':
      case 'StoppingCharging':
        return this.#supplies('pausedByEVSE', atWallMs, uuid);
      case 'ChargingFinished':
      case 'PluginTimeout':
        return this.#setSupply('ended', atWallMs);
      case 'TransactionFinished':
        return this.#transactionFinished(atWallMs);
      case 'Deauthorized':
        return this.#held.clear();
      case 'Disabled':
        if (this.#hasCharged()) this.#setSupply('pausedByEVSE', atWallMs);
        return;
      default:
        return;
    }
  }

  #onInfo(info: SessionInfo): void {
    if (this.#now.monoMs - this.#eventMonoMs < SETTLE_MS) return;
    const { state, atWallMs } = info;
    if (state === 'Unplugged') return this.#becomeFree(atWallMs);
    const supply = SUPPLY_OF_STATE[state];
    // Preparing without a transaction: a token was shown, or a vehicle came; which of them, only the event says.
    const isThere = supply !== undefined || (state === 'Preparing' && info.inTransaction);
    // Of a vehicle that left, the end of its session is said after it.
    if (!isThere || (this.#at === 'free' && state.startsWith('Finished'))) return;
    const { sessionStartWallMs } = info;
    const stay = this.#occupied(atWallMs, { sessionStartWallMs });
    stay.sessionStartWallMs ??= sessionStartWallMs;
    if (info.inTransaction) this.#inTransaction(stay, atWallMs);
    this.#setSupply(supply ?? 'none', atWallMs);
  }

  #inTransaction(stay: Stay, atWallMs: number): void {
    if (stay.transaction !== 'none') return;
    if (stay.uuid === undefined) stay.transaction = 'untold';
    else this.#startTransaction(stay, stay.uuid, atWallMs);
  }

  #sessionStarted(uuid: string, startedBy: SessionEvent['startedBy'], atWallMs: number): void {
    const stay = typeof this.#at === 'object' ? this.#at : undefined;
    // The same session, which session_info told first.
    const isSame =
      stay !== undefined && (stay.uuid === uuid || (stay.uuid === undefined && stay.supply === 'none'));
    if (stay !== undefined && !isSame) this.#becomeFree(atWallMs);
    if (startedBy === 'EVConnected') this.#occupied(atWallMs, { uuid });
  }

  #transactionFinished(atWallMs: number): void {
    this.#setSupply('ended', atWallMs);
    if (typeof this.#at !== 'object') return;
    this.#endTransaction(this.#at, atWallMs);
    this.#at.transaction = 'ended';
  }

  /** Whatever supplies presupposes a transaction, but for one that is over. */
  #supplies(supply: Supply, atWallMs: number, uuid: string): void {
    const stay = this.#occupied(atWallMs, { uuid });
    if (stay.transaction === 'none' || stay.transaction === 'untold')
      this.#startTransaction(stay, uuid, atWallMs);
    this.#setSupply(supply, atWallMs);
  }

  #startTransaction(stay: Stay, transactionId: string, atWallMs: number): void {
    stay.transaction = 'told';
    this.#say({ kind: 'transactionStarted', connectorId: this.connectorId, transactionId }, atWallMs);
  }

  #hasCharged(): boolean {
    return typeof this.#at === 'object' && this.#at.supply !== 'none';
  }

  /** What ended has ended until the vehicle leaves; a transaction that begins does not take charging back. */
  #setSupply(supply: Supply, atWallMs: number): void {
    if (typeof this.#at !== 'object' || this.#at.supply === 'ended' || this.#at.supply === supply) return;
    if (supply === 'none') return;
    this.#at.supply = supply;
    this.#say(this.#factOf(supply), atWallMs);
  }

  #factOf(supply: Exclude<Supply, 'none'>): FirmwareFact {
    const { connectorId } = this;
    if (supply === 'charging') return { kind: 'chargingStarted', connectorId };
    if (supply === 'ended') return { kind: 'chargingStopped', connectorId };
    return { kind: 'suspended', connectorId, by: supply === 'pausedByEV' ? 'EV' : 'EVSE' };
  }

  #occupied(atWallMs: number, who: Session): Stay {
    if (typeof this.#at === 'object') {
      if (this.#at.uuid === undefined || who.uuid === undefined || this.#at.uuid === who.uuid) {
        this.#at.uuid ??= who.uuid;
        return this.#at;
      }
      this.#becomeFree(atWallMs);
    }
    return this.#plugged(atWallMs, who);
  }

  #plugged(atWallMs: number, who: Session): Stay {
    this.#heard();
    const before = isSameSession(this.#before, who) ? this.#before : undefined;
    this.#before = undefined;
    const stay: Stay = {
      uuid: who.uuid ?? before?.uuid,
      sessionStartWallMs: who.sessionStartWallMs ?? before?.sessionStartWallMs,
      supply: 'none',
      transaction: 'none',
      evInfo: undefined,
      credentials: new Map(),
    };
    this.#at = stay;
    this.#say({ kind: 'plugged', connectorId: this.connectorId }, atWallMs);
    for (const credential of before?.credentials ?? []) this.#credential(credential);
    for (const credential of this.#held.credentials(this.#now.monoMs)) this.#credential(credential);
    const heldInfo = this.#held.evInfo(this.#now.monoMs);
    if (heldInfo !== undefined) this.#onEvInfo(heldInfo);
    this.#held.clear();
    return stay;
  }

  #becomeFree(atWallMs: number): void {
    this.#held.clear();
    this.#before = undefined;
    if (this.#at === 'free') return;
    this.#heard();
    if (typeof this.#at === 'object') this.#endTransaction(this.#at, atWallMs);
    this.#at = 'free';
    this.#say({ kind: 'unplugged', connectorId: this.connectorId }, atWallMs);
  }

  #endTransaction({ transaction, uuid }: Stay, atWallMs: number): void {
    if (transaction !== 'told' || uuid === undefined) return;
    this.#say({ kind: 'transactionEnded', connectorId: this.connectorId, transactionId: uuid }, atWallMs);
  }

  /** The first statement of a connector ends a lost link: what was before it is not assumed. */
  #heard(): void {
    if (this.#link === 'lost') this.#say({ kind: 'linkUp', connectorId: this.connectorId });
    this.#link = 'up';
  }

  #credential(credential: Credential, atWallMs?: number): void {
    const { kind, pseudonym } = credential;
    if (typeof this.#at !== 'object') {
      this.#held.hold(credential, this.#now.monoMs);
      return;
    }
    const { credentials } = this.#at;
    const key = `${kind}:${pseudonym}`;
    if (credentials.has(key) || credentials.size >= CREDENTIALS_PER_STAY_MAX) return;
    credentials.set(key, credential);
    this.#say({ kind: 'credential', connectorId: this.connectorId, credential }, atWallMs);
  }

  #onEvInfo(info: EvInfo): void {
    if (this.#at === 'free') return;
    if (this.#at === 'unknown') {
      this.#held.holdInfo(info, this.#now.monoMs);
      return;
    }
    if (info.evccid !== undefined) this.#credential(info.evccid);
    if (this.#at.evInfo !== undefined && isSameInfo(this.#at.evInfo, info)) return;
    this.#at.evInfo = info;
    const facts = this.#readingsOf(info);
    if (Object.keys(facts).length > 0) this.#say({ kind: 'evInfo', connectorId: this.connectorId, ...facts });
  }

  #readingsOf({ socPermille, fullAtWallMs, departureAtWallMs }: EvInfo) {
    const estimatedFullInMs = this.#fromNow(fullAtWallMs);
    const departureInMs = this.#fromNow(departureAtWallMs);
    return {
      ...(socPermille === undefined ? {} : { socPermille }),
      ...(estimatedFullInMs === undefined ? {} : { estimatedFullInMs }),
      ...(departureInMs === undefined ? {} : { departureInMs }),
    };
  }

  /** By EVerest's own clock, which may be years off. What is now or past is how a vehicle says that it does not know. */
  #fromNow(atWallMs: number | undefined): number | undefined {
    if (atWallMs === undefined) return undefined;
    const inMs = atWallMs - (this.#now.wallMs + this.#aheadMs);
    return inMs > 0 && inMs <= DURATION_MS_MAX ? inMs : undefined;
  }

  #sayMeter({ atWallMs, powerMw, energyMwh, ocmf }: MeterReading): void {
    if (typeof this.#at !== 'object') return;
    const power = powerMw === undefined ? {} : { powerMw };
    const signed = ocmf === undefined ? {} : { signed: { format: 'OCMF', data: ocmf } as const };
    this.#say({ kind: 'meter', connectorId: this.connectorId, ...power, energyMwh, ...signed }, atWallMs);
  }
}
