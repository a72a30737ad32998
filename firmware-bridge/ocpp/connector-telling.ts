/** Tells one connector's events in the order that the port asks for: the difference between what is known and what was told. */
import type { ConnectorId } from '@plugpool/proto';
import type { FirmwareFact } from '../firmware-fact.ts';
import type { Credential, FirmwareEvent, SampleTime } from '../port.ts';
import type { Activity, ConnectorKnown } from './connector-known.ts';

type WithoutConnector<Fact> = Fact extends FirmwareFact ? Omit<Fact, 'connectorId'> : never;
type Fact = WithoutConnector<FirmwareFact>;

interface Told {
  readonly place: 'unheard' | 'free' | 'occupied';
  readonly stay: number;
  readonly activity?: Activity | undefined;
  readonly transactionId?: string | undefined;
  readonly fault?: string | undefined;
  /** The fault is over, and the vehicle is told anew. */
  readonly isHealed?: boolean;
  readonly credentials: readonly Credential[];
}

type Reading = Extract<Fact, { readonly kind: 'meter' | 'evInfo' }>;

/** The last that was heard while it could not be told, such as what a relay remembers. */
interface KeptReading {
  readonly fact: Reading;
  readonly at: SampleTime;
  readonly stay: number;
}

const NOTHING_TOLD: Told = { place: 'unheard', stay: -1, credentials: [] };

export class ConnectorTelling {
  readonly connectorId: ConnectorId;
  readonly #emit: (event: FirmwareEvent) => void;
  #isLost = false;
  #told: Told = NOTHING_TOLD;
  #kept: readonly KeptReading[] = [];

  constructor(connectorId: ConnectorId, emit: (event: FirmwareEvent) => void) {
    this.connectorId = connectorId;
    this.#emit = emit;
  }

  /** Once, and only where anything was told before. */
  lose(reason: string, at: SampleTime): void {
    const isHeard = this.#told.place !== 'unheard' || this.#told.fault !== undefined;
    if (this.#isLost || !isHeard) return;
    this.#isLost = true;
    this.#say({ kind: 'linkLost', reason }, at);
  }

  tell(known: ConnectorKnown, at: SampleTime): void {
    if (this.#isLost) {
      // What is not known yet is not stated anew, and stays unverified.
      if (known.place === 'unknown') return;
      this.#isLost = false;
      this.#told = NOTHING_TOLD;
      this.#say({ kind: 'linkUp' }, at);
    }
    if (known.fault === undefined) this.#healFault();
    if (known.place === 'free') this.#tellFree(at);
    else if (known.place === 'occupied') this.#tellOccupied(known, at);
    this.#tellFault(known, at);
  }

  /** What a vehicle presupposes: nobody hears it of a free connector; while the link is lost the last of each kind is kept. */
  tellReading(fact: Reading, at: SampleTime, { place, stay }: ConnectorKnown): void {
    if (place !== 'occupied') return;
    if (!this.#isLost && this.#told.place === 'occupied') return this.#say(fact, at);
    this.#kept = [...this.#kept.filter((one) => one.fact.kind !== fact.kind), { fact, at, stay }];
  }

  #tellKept({ stay }: ConnectorKnown, at: SampleTime): void {
    const kept = this.#kept.filter((one) => one.stay === stay);
    this.#kept = [];
    for (const one of kept) this.#say(...retold(one, at));
  }

  #tellFree(at: SampleTime): void {
    if (this.#told.place === 'free') return;
    this.#tellEnd(at);
    this.#say({ kind: 'unplugged' }, at);
    this.#told = { ...NOTHING_TOLD, place: 'free' };
  }

  #tellOccupied(known: ConnectorKnown, at: SampleTime): void {
    if (this.#told.place === 'occupied' && this.#told.stay !== known.stay) this.#tellFree(at);
    if (this.#told.place !== 'occupied' || this.#told.isHealed === true) {
      if (this.#told.transactionId !== known.transactionId) this.#tellEnd(at);
      this.#say({ kind: 'plugged' }, at);
      this.#told = { ...NOTHING_TOLD, place: 'occupied', stay: known.stay, activity: 'plugged' };
    }
    this.#tellCredentials(known, at);
    if (known.transactionId !== undefined) this.#tellStart(known.transactionId, at);
    // Whoever is told of a state takes the fault for over.
    if (known.fault === undefined) this.#tellActivity(known.activity, at);
    if (known.transactionId === undefined) this.#tellEnd(at);
    this.#tellKept(known, at);
  }

  #tellCredentials({ credentials }: ConnectorKnown, at: SampleTime): void {
    for (const credential of credentials.slice(this.#told.credentials.length))
      this.#say({ kind: 'credential', credential }, at);
    this.#told = { ...this.#told, credentials };
  }

  #tellStart(transactionId: string, at: SampleTime): void {
    if (this.#told.transactionId === transactionId) return;
    this.#tellEnd(at);
    this.#say({ kind: 'transactionStarted', transactionId }, at);
    this.#told = { ...this.#told, transactionId };
  }

  #tellEnd(at: SampleTime): void {
    const { transactionId } = this.#told;
    if (transactionId === undefined) return;
    this.#say({ kind: 'transactionEnded', transactionId }, at);
    this.#told = { ...this.#told, transactionId: undefined };
  }

  #tellActivity(activity: Activity, at: SampleTime): void {
    if (this.#told.activity === activity) return;
    this.#told = { ...this.#told, activity };
    switch (activity) {
      case 'plugged':
        return;
      case 'charging':
        return this.#say({ kind: 'chargingStarted' }, at);
      case 'finishing':
        return this.#say({ kind: 'chargingStopped' }, at);
      default:
        return this.#say({ kind: 'suspended', by: activity === 'suspendedEV' ? 'EV' : 'EVSE' }, at);
    }
  }

  #tellFault({ fault }: ConnectorKnown, at: SampleTime): void {
    if (fault === undefined || this.#told.fault === fault) return;
    this.#told = { ...this.#told, fault };
    this.#say({ kind: 'faulted', reason: fault }, at);
  }

  /** When it is over, the connector is told anew: nothing else ends a fault. */
  #healFault(): void {
    const { fault, place } = this.#told;
    if (fault === undefined) return;
    this.#told = {
      ...this.#told,
      fault: undefined,
      isHealed: true,
      place: place === 'free' ? 'unheard' : place,
    };
  }

  #say(fact: Fact, at: SampleTime): void {
    this.#emit({ ...fact, connectorId: this.connectorId, at });
  }
}

/** Durations count from when it is told. */
function retold({ fact, at }: KeptReading, now: SampleTime): [Reading, SampleTime] {
  const times = { ...at, receivedWallMs: now.receivedWallMs };
  if (fact.kind !== 'evInfo' || fact.departureInMs === undefined) return [fact, times];
  const { departureInMs, ...rest } = fact;
  const leftMs = departureInMs - (now.receivedWallMs - at.receivedWallMs);
  return [leftMs > 0 ? { ...rest, departureInMs: leftMs } : rest, times];
}
