/** A pile and its CSMS as a test writes them: each call makes the lines of the relay's tap. No sockets, no time of its own. */
import assert from 'node:assert/strict';
import type { FirmwareEvent } from '../firmware-bridge/index.ts';
import { createPseudonymizer } from '../firmware-bridge/index.ts';
import { RelayStory } from '../firmware-bridge/ocpp/relay-story.ts';
import type { OcppSubprotocol, TapLine } from '../firmware-bridge/ocpp/tap.ts';
import { FirmwareOrder } from './conformance/firmware-order.ts';

export const OCPP_START_WALL_MS = Date.UTC(2026, 10, 21, 12, 0, 0);
export const OCPP_TEST_PSEUDONYMS = createPseudonymizer(new Uint8Array(16).fill(7));

/** What it tells, and what is wrong with that. */
export class ToldOcpp {
  readonly events: FirmwareEvent[] = [];
  readonly problems: string[] = [];
  readonly leftOut: string[] = [];
  readonly story: RelayStory;
  nowMs = 0;
  readonly #order = new FirmwareOrder();
  readonly #subprotocol: OcppSubprotocol;
  readonly #pile: string;
  #id = 0;

  constructor(subprotocol: OcppSubprotocol, pile = 'pile') {
    this.#subprotocol = subprotocol;
    this.#pile = pile;
    this.story = new RelayStory({
      stations: {},
      pseudonymize: OCPP_TEST_PSEUDONYMS,
      heartbeatMs: 300_000,
      emit: (event) => {
        this.events.push(event);
        this.problems.push(...this.#order.see(event));
      },
      leftOut: (_pile, why) => this.leftOut.push(why),
    });
  }

  get wallMs(): number {
    return OCPP_START_WALL_MS + this.nowMs;
  }

  /** By the pile's clock, `behindMs` before now. */
  time(behindMs = 0): string {
    return new Date(this.wallMs - behindMs).toISOString();
  }

  later(byMs: number): this {
    this.nowMs += byMs;
    this.story.advance(this.#now());
    return this;
  }

  link(link: 'up' | 'down'): this {
    return this.line({
      t: 'pile',
      pile: this.#pile,
      atWallMs: this.wallMs,
      link,
      subprotocol: this.#subprotocol,
    });
  }

  text(text: string, from: 'pile' | 'csms' = 'pile'): this {
    return this.line({ t: 'frame', pile: this.#pile, from, atWallMs: this.wallMs, text });
  }

  /** A call of the pile, and the CSMS's answer to it. */
  call(action: string, payload: unknown, answer?: unknown): this {
    const id = `call-${++this.#id}`;
    this.text(JSON.stringify([2, id, action, payload]));
    return answer === undefined ? this : this.text(JSON.stringify([3, id, answer]), 'csms');
  }

  /** The relay itself is away. */
  lose(): this {
    this.story.lose('the relay is away', this.#now());
    return this;
  }

  line(line: TapLine): this {
    this.story.take(line, this.#now());
    return this;
  }

  /** Forgets what was told, and gives it in one line: `plugged meter(1500) …`. */
  take(): string {
    return this.events.splice(0).map(shown).join(' ');
  }

  #now() {
    return { monoMs: this.nowMs, wallMs: this.wallMs };
  }
}

/** One event in short, its numbers in W, Wh and percent. */
export function shown(event: FirmwareEvent): string {
  switch (event.kind) {
    case 'meter':
    case 'evInfo':
      return `${event.kind}(${numbersOf(event).join(' ')})`;
    case 'transactionStarted':
    case 'transactionEnded':
      return `${event.kind}(${event.transactionId})`;
    case 'suspended':
      return `suspended(${event.by})`;
    case 'credential':
      return `credential(${event.credential.kind})`;
    case 'faulted':
      return `faulted(${event.reason})`;
    default:
      return event.kind;
  }
}

type Reading = Extract<FirmwareEvent, { readonly kind: 'meter' | 'evInfo' }>;

function numbersOf(event: Reading): readonly string[] {
  const doubted = (event.doubted ?? []).map(({ field, why }) => `${field} ${why}`);
  if (event.kind === 'evInfo')
    return [
      ...(event.socPermille === undefined ? [] : [`${event.socPermille / 10}%`]),
      ...(event.departureInMs === undefined ? [] : [`leaves in ${event.departureInMs / 60_000} min`]),
      ...doubted,
    ];
  return [
    ...(event.energyMwh === undefined ? [] : [`${event.energyMwh / 1000}Wh`]),
    ...(event.powerMw === undefined ? [] : [`${event.powerMw / 1000}W`]),
    ...(event.signed === undefined ? [] : [event.signed.format]),
    ...doubted,
  ];
}

export const CARD_ACCEPTED = { idTagInfo: { status: 'Accepted' } };
export const TOKEN_ACCEPTED = { idTokenInfo: { status: 'Accepted' } };

export class Pile16 extends ToldOcpp {
  constructor() {
    super('ocpp1.6');
    this.link('up');
  }

  status(status: string, more: object = {}): this {
    return this.call('StatusNotification', { connectorId: 1, errorCode: 'NoError', status, ...more }, {});
  }

  start(transactionId: number, more: object = {}): this {
    const payload = { connectorId: 1, idTag: 'CARD1', meterStart: 0, timestamp: this.time(), ...more };
    return this.call('StartTransaction', payload, { transactionId, ...CARD_ACCEPTED });
  }

  stop(transactionId: number, more: object = {}): this {
    const payload = { transactionId, meterStop: 3000, timestamp: this.time(), ...more };
    return this.call('StopTransaction', payload, {});
  }

  meter(transactionId: number | undefined, samples: readonly object[], behindMs = 0): this {
    const meterValue = [{ timestamp: this.time(behindMs), sampledValue: samples }];
    return this.call('MeterValues', { connectorId: 1, transactionId, meterValue }, {});
  }

  energy(transactionId: number | undefined, wh: number, behindMs = 0): this {
    return this.meter(transactionId, [{ value: String(wh), unit: 'Wh' }], behindMs);
  }

  /** A car charges in transaction 1, and what led to it is forgotten. */
  charging(): this {
    this.status('Preparing').start(1).status('Charging').take();
    return this;
  }
}

export class Pile201 extends ToldOcpp {
  constructor() {
    super('ocpp2.0.1');
    this.link('up');
  }

  status(connectorStatus: string, more: object = {}): this {
    const payload = { timestamp: this.time(), evseId: 1, connectorId: 1, connectorStatus, ...more };
    return this.call('StatusNotification', payload, {});
  }

  event(eventType: string, transactionId: string, more: Fields = {}, answer: object = {}): this {
    const { info, behindMs = 0, ...rest } = more;
    const payload = {
      eventType,
      timestamp: this.time(behindMs as number),
      triggerReason: 'ChargingStateChanged',
      seqNo: 0,
      evse: { id: 1, connectorId: 1 },
      transactionInfo: { transactionId, ...(info as object) },
      ...rest,
    };
    return this.call('TransactionEvent', payload, answer);
  }

  state(transactionId: string, chargingState: string): this {
    return this.event('Updated', transactionId, { info: { chargingState } });
  }

  charging(): this {
    this.status('Occupied').event('Started', 'a').state('a', 'Charging').take();
    return this;
  }
}

type Fields = Readonly<Record<string, unknown>>;

/** The story, and that every event of it is well-formed and in its place. */
export function tells(pile: ToldOcpp, story: string): void {
  assert.equal(pile.take(), story);
  assert.deepEqual(pile.problems, []);
}
