/**
 * Connections of a simulated world, as TCP and a broker give them: in order within one connection as long as it lives. What is
 * lost takes the connection with it, in one direction or both, and each end notices in its own time. Beyond TCP, where the
 * faults say so: a message that comes twice, and one of an old connection that comes after the new one was made.
 */
import type { DownBody, Envelope, UpBody } from '@plugpool/proto';
import type { Agenda } from './agenda.ts';
import type { Chance } from './chance.ts';
import type { NetworkFaults } from './faults.ts';

export type Frame<Body> = readonly Envelope<Body>[];

/** What a client hears of its connection. */
export interface ClientEnd {
  up(): void;
  /** Lost, or never made. */
  down(): void;
  frame(frame: Frame<DownBody>): void;
}

/** What a pile hears of one. */
export interface PileEnd {
  frame(connection: Connection, frame: Frame<UpBody>, isGhost: boolean): void;
  closed(connection: Connection): void;
}

/** Where clients connect; undefined: nobody answers there. */
export interface Listener {
  accept(connection: Connection): PileEnd | undefined;
}

/** MQTT's keep-alive of the client, and one and a half of it, in which each end must have noticed. */
const NOTICE_MIN_MS = 50;
const NOTICE_MAX_MS = 22_500;

/** When something that an old connection carried comes again. */
const GHOST_MS = [100, 20_000] as const;

interface Lane {
  isDead: boolean;
  /** When the last frame arrives: none overtakes it. */
  lastMs: number;
}

export class Network {
  readonly agenda: Agenda;
  readonly chance: Chance;
  faults: NetworkFaults;

  constructor(agenda: Agenda, chance: Chance, faults: NetworkFaults) {
    this.agenda = agenda;
    this.chance = chance;
    this.faults = faults;
  }

  delayMs(): number {
    const { delayMs, slowPermille } = this.faults;
    const [from, to] = delayMs;
    const usual = this.chance.between(from, to);
    return this.chance.is(slowPermille) ? usual + this.chance.between(500, 8_000) : usual;
  }

  /** Answered by `up` or `down`, later. */
  dial(clientId: string, client: ClientEnd, listener: Listener): Connection {
    const connection = new Connection(this, clientId, client);
    this.agenda.after(this.delayMs() + this.delayMs(), () => connection.arrive(listener));
    return connection;
  }
}

export class Connection {
  readonly clientId: string;
  /** The pile's own, once it was accepted. */
  number = 0;
  readonly #network: Network;
  readonly #client: ClientEnd;
  #pile: PileEnd | undefined;
  #clientIsOpen = true;
  #pileIsOpen = false;
  readonly #up: Lane = { isDead: false, lastMs: 0 };
  readonly #down: Lane = { isDead: false, lastMs: 0 };

  constructor(network: Network, clientId: string, client: ClientEnd) {
    this.#network = network;
    this.clientId = clientId;
    this.#client = client;
  }

  get isOpenAtPile(): boolean {
    return this.#pileIsOpen;
  }

  arrive(listener: Listener): void {
    if (!this.#clientIsOpen) return;
    this.#pile = listener.accept(this);
    if (this.#pile === undefined) {
      this.#clientIsOpen = false;
      this.#client.down();
      return;
    }
    this.#pileIsOpen = true;
    this.#later(this.#down, () => {
      if (this.#clientIsOpen) this.#client.up();
    });
  }

  /** From the vehicle. */
  say(frame: Frame<UpBody>): void {
    if (!this.#clientIsOpen) return;
    const { agenda, chance, faults } = this.#network;
    const isGhost = chance.is(faults.ghostPermille);
    if (isGhost) agenda.after(chance.between(...GHOST_MS), () => this.#haunt(frame));
    this.#carry(this.#up, () => {
      if (this.#pileIsOpen) this.#pile?.frame(this, frame, false);
    });
  }

  /** Long after it was said, and only where the connection is no more: the pile must not take it for news. */
  #haunt(frame: Frame<UpBody>): void {
    if (!this.#pileIsOpen) this.#pile?.frame(this, frame, true);
  }

  /** From the pile. */
  tell(frame: Frame<DownBody>): void {
    if (!this.#pileIsOpen) return;
    this.#carry(this.#down, () => {
      if (this.#clientIsOpen) this.#client.frame(frame);
    });
  }

  #carry(lane: Lane, arrive: () => void): void {
    const { chance, faults } = this.#network;
    // What TCP cannot carry is not lost alone: whatever follows it waits for it.
    if (chance.is(faults.lossPermille)) this.cut(lane === this.#up ? 'up' : 'down');
    this.#later(lane, arrive);
    if (chance.is(faults.doublePermille)) this.#later(lane, arrive);
  }

  #later(lane: Lane, arrive: () => void): void {
    if (lane.isDead) return;
    const { agenda } = this.#network;
    lane.lastMs = Math.max(lane.lastMs, agenda.nowMs + this.#network.delayMs());
    agenda.at(lane.lastMs, () => {
      if (!lane.isDead) arrive();
    });
  }

  /** Nothing more arrives that way, nor what is under way; whoever waits for it notices in time, and says so where it can. */
  cut(way: 'up' | 'down' | 'both'): void {
    if (way !== 'down') this.#kill(this.#up, () => this.closeAtPile());
    if (way !== 'up') this.#kill(this.#down, () => this.closeAtClient());
  }

  #kill(lane: Lane, noticed: () => void): void {
    if (lane.isDead) return;
    lane.isDead = true;
    const { agenda, chance } = this.#network;
    agenda.after(chance.between(NOTICE_MIN_MS, NOTICE_MAX_MS), noticed);
  }

  /** The vehicle's end is gone: it noticed, or its process is no more. */
  closeAtClient(isTold = true): void {
    if (!this.#clientIsOpen) return;
    this.#clientIsOpen = false;
    this.#later(this.#up, () => this.closeAtPile());
    if (isTold) this.#client.down();
  }

  closeAtPile(isTold = true): void {
    if (!this.#pileIsOpen) return;
    this.#pileIsOpen = false;
    this.#later(this.#down, () => this.closeAtClient());
    if (isTold) this.#pile?.closed(this);
  }
}
