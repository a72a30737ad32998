/** What the readings of one connector tell of its session: readings and time in, facts out. */
import type { ConnectorId } from '@plugpool/proto';
import type { FirmwareFact } from '../firmware-fact.ts';
import type { CredentialKind } from '../port.ts';
import { SWAP_MS_MIN } from '../swap-time.ts';
import type { Told } from '../told.ts';
import type { ReportedState } from './register-map.ts';
import { RememberedCards } from './remembered-cards.ts';

/** One look at a connector; absent is unknown. */
export interface Reading {
  readonly state: ReportedState;
  readonly powerMw?: number | undefined;
  readonly energyMwh?: number | undefined;
  readonly socPermille?: number | undefined;
  /** Pseudonyms. */
  readonly credentials: readonly ReadCredential[];
}

export interface ReadCredential {
  readonly kind: CredentialKind;
  readonly pseudonym: string;
  /** The device keeps the last one that it saw, also when that vehicle has left. */
  readonly lastSeen: boolean;
}

/** Said again after this long without a change: silence would mean that the device is not heard. */
export const RESTATE_MS = 10_000;

interface Stay {
  state: ReportedState;
  hasCharged: boolean;
  /** Energy stopped for good: no pause and no charging until another vehicle. */
  hasStopped: boolean;
  readonly told: Map<CredentialKind, string>;
}

export class ModbusStory {
  readonly #connectorId: ConnectorId;
  /** Undefined: nobody is there, or nothing is known. */
  #stay: Stay | undefined;
  #isLost = false;
  #freeToldMs = -Infinity;
  #brokenToldMs = -Infinity;
  #stateToldMs = -Infinity;
  #meter = {
    powerMw: undefined as number | undefined,
    energyMwh: undefined as number | undefined,
    toldMs: -Infinity,
  };
  #soc = { permille: undefined as number | undefined, toldMs: -Infinity };
  readonly #cards = new RememberedCards();
  /** The last look that said who is there: nobody sees who comes and goes at a connector that is faulted. */
  #seenMs = -Infinity;
  #isFaulted = false;

  constructor(connectorId: ConnectorId) {
    this.#connectorId = connectorId;
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  see(reading: Reading, nowMs: number): readonly FirmwareFact[] {
    const told: Told[] = this.#isLost ? [{ kind: 'linkUp' }] : [];
    const wasUnseen = this.#isLost || this.#isFaulted;
    if (wasUnseen && nowMs - this.#seenMs > SWAP_MS_MIN) this.#cards.forget();
    this.#isLost = false;
    this.#isFaulted = reading.state === 'faulted';
    if (!this.#isFaulted) this.#seenMs = nowMs;
    told.push(...this.#look(reading, nowMs));
    return this.#named(told);
  }

  /** It cannot be read. What is seen afterwards is told anew. */
  lose(reason: string): readonly FirmwareFact[] {
    if (this.#isLost) return [];
    this.#isLost = true;
    this.#stay = undefined;
    this.#freeToldMs = -Infinity;
    this.#brokenToldMs = -Infinity;
    return this.#named([{ kind: 'linkLost', reason }]);
  }

  #look(reading: Reading, nowMs: number): Iterable<Told> {
    if (reading.state === 'unplugged') return this.#free(reading, nowMs);
    // A fault alone says nothing of a vehicle.
    const isBroken = reading.state === 'faulted' && this.#stay === undefined;
    return isBroken ? this.#brokenFree(nowMs) : this.#occupied(reading, nowMs);
  }

  *#brokenFree(nowMs: number): Generator<Told> {
    if (nowMs - this.#brokenToldMs < RESTATE_MS) return;
    this.#brokenToldMs = nowMs;
    this.#freeToldMs = -Infinity;
    yield* saying('faulted');
  }

  #named(told: readonly Told[]): readonly FirmwareFact[] {
    return told.map((fact) => ({ ...fact, connectorId: this.#connectorId }));
  }

  *#free({ credentials }: Reading, nowMs: number): Generator<Told> {
    const isNews = this.#stay !== undefined || this.#freeToldMs === -Infinity;
    if (isNews) this.#cards.left(credentials);
    else this.#cards.free(credentials, nowMs);
    if (!isNews && nowMs - this.#freeToldMs < RESTATE_MS) return;
    this.#stay = undefined;
    this.#freeToldMs = nowMs;
    this.#brokenToldMs = -Infinity;
    yield { kind: 'unplugged' };
  }

  *#occupied(reading: Reading, nowMs: number): Generator<Told> {
    const isOverFault = this.#stay?.state === 'faulted' && reading.state !== 'faulted';
    if (this.#stay === undefined || isOverFault) {
      yield { kind: 'plugged' };
      this.#begin(reading);
    }
    const stay = this.#stay;
    if (stay === undefined) return;
    yield* this.#credentials(stay, reading, nowMs);
    yield* this.#state(stay, reading, nowMs);
    yield* this.#readings(reading, nowMs);
  }

  #begin({ credentials }: Reading): void {
    this.#stay = { state: 'plugged', hasCharged: false, hasStopped: false, told: new Map() };
    this.#stateToldMs = -Infinity;
    this.#meter = { powerMw: undefined, energyMwh: undefined, toldMs: -Infinity };
    this.#soc = { permille: undefined, toldMs: -Infinity };
    this.#cards.came(credentials);
  }

  *#credentials(stay: Stay, { credentials }: Reading, nowMs: number): Generator<Told> {
    for (const credential of credentials) {
      const { kind, pseudonym } = credential;
      if (this.#cards.isOfAnother(credential, nowMs) || stay.told.get(kind) === pseudonym) continue;
      this.#cards.told(credential);
      stay.told.set(kind, pseudonym);
      yield { kind: 'credential', credential: { kind, pseudonym } };
    }
  }

  *#state(stay: Stay, reading: Reading, nowMs: number): Generator<Told> {
    // Energy had flowed, and the vehicle is there: it is the station that waits now.
    const state = reading.state === 'plugged' && stay.hasCharged ? 'suspendedEVSE' : reading.state;
    const isNews = state !== stay.state;
    if (!isNews && nowMs - this.#stateToldMs < RESTATE_MS) return;
    if (stay.hasStopped && state !== 'faulted' && state !== 'finishing') return;
    stay.state = state;
    stay.hasCharged ||= state === 'charging';
    stay.hasStopped ||= state === 'finishing';
    this.#stateToldMs = nowMs;
    yield* saying(state);
  }

  *#readings({ powerMw, energyMwh, socPermille }: Reading, nowMs: number): Generator<Told> {
    const meter = this.#meter;
    const isKnown = powerMw !== undefined || energyMwh !== undefined;
    const isSame = powerMw === meter.powerMw && energyMwh === meter.energyMwh;
    if (isKnown && (!isSame || nowMs - meter.toldMs >= RESTATE_MS)) {
      this.#meter = { powerMw, energyMwh, toldMs: nowMs };
      yield {
        kind: 'meter',
        ...(powerMw === undefined ? {} : { powerMw }),
        ...(energyMwh === undefined ? {} : { energyMwh }),
      };
    }
    const isSocSame = socPermille === this.#soc.permille && nowMs - this.#soc.toldMs < RESTATE_MS;
    if (socPermille === undefined || isSocSame) return;
    this.#soc = { permille: socPermille, toldMs: nowMs };
    yield { kind: 'evInfo', socPermille };
  }
}

function* saying(state: ReportedState): Generator<Told> {
  switch (state) {
    case 'charging':
      yield { kind: 'chargingStarted' };
      break;
    case 'suspendedEV':
      yield { kind: 'suspended', by: 'EV' };
      break;
    case 'suspendedEVSE':
      yield { kind: 'suspended', by: 'EVSE' };
      break;
    case 'finishing':
      yield { kind: 'chargingStopped' };
      break;
    case 'faulted':
      yield { kind: 'faulted', reason: 'the device reports a fault' };
      break;
    // Told once, when it came; nothing else may repeat it.
    case 'plugged':
    case 'unplugged':
      break;
  }
}
