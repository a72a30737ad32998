/**
 * The agent's process in a simulated world: the production engine and core over a store, connections and firmware that fail. It
 * dies at any moment, between any two effects too, and starts again from what is on its disk.
 */
import {
  encodeFrames,
  type BlobRef,
  type ClientId,
  type ClientName,
  type DownBody,
  type Digest,
  type Envelope,
  type UpBody,
} from '@plugpool/proto';
import { Plausibility, type ControlOutcome, type FirmwareEvent } from '@plugpool/firmware-bridge';
import type { Control, Effects } from '../../agent/core/effects.ts';
import type { ComparedPair, ConnectionNumber, Event, OperatorCommand } from '../../agent/core/events.ts';
import type { FirmwareSource } from '../../agent/core/sessions/sources.ts';
import type { Settings } from '../../agent/core/settings.ts';
import type { State } from '../../agent/core/state.ts';
import { RecalledDeliveries } from '../../agent/disk-answers/recalled-deliveries.ts';
import { RecalledResults } from '../../agent/disk-answers/recalled-results.ts';
import { Engine } from '../../agent/engine.ts';
import { hashOfRequest, unpackFrame } from '../../agent/inbox.ts';
import type { StoreError } from '../../agent/store-error.ts';
import type { Agenda } from './agenda.ts';
import type { Chance } from './chance.ts';
import type { FlakyStore } from './flaky-store.ts';
import { ofLife } from './living-store.ts';
import { MachineClock } from './machine-clock.ts';
import type { Connection, Frame, Listener, PileEnd } from './network.ts';
import { PROGRAMS } from './programs.ts';
import { clientName } from './simulated-pile.ts';

/** Who looks on. Each may throw what is wrong. */
export interface AgentWatcher {
  /** Right after a step, before anything of it is on disk or let out. */
  stepped(agent: SimulatedAgent, effects: Effects): void;
  /** Right before the effects of a step are let out. */
  publishing(agent: SimulatedAgent, effects: Effects): void;
  /** Right before an event goes in. */
  pushed(agent: SimulatedAgent, event: Event, isGhost: boolean): void;
  broken(error: unknown): void;
}

export interface SimulatedAgentParts {
  readonly agenda: Agenda;
  readonly chance: Chance;
  readonly settings: Settings;
  readonly store: FlakyStore;
  readonly watcher: AgentWatcher;
  readonly driftPpm: number;
  readonly wallMs: number;
  /** Frames go over the wire as bytes, through the production codec. */
  readonly asBytes: boolean;
  /** Says the state of each connector anew. */
  restate(): void;
  /** An engine has something to do: the world lets it. */
  touched(): void;
  /** An engine goes on when everything of this moment is there. */
  soon(callback: () => void): void;
}

/** One process of it. */
interface Life {
  readonly engine: Engine;
  readonly deliveries: RecalledDeliveries;
  readonly results: RecalledResults;
  readonly connections: Map<ClientId, Connection>;
  /** By the source of what it judges. */
  readonly plausibility: Map<string, Plausibility>;
  isReady: boolean;
  isAlive: boolean;
  readonly clock: MachineClock;
}

interface Speaker {
  readonly client: ClientName;
  readonly from: Connection;
}

/** Bytes take so long to come up. */
const CONTROL_MS = [10, 5_000] as const;
const UPLOAD_MS = [20, 3_000] as const;

export class SimulatedAgent implements Listener {
  readonly parts: SimulatedAgentParts;
  /** Bytes on its disk, by their digest. */
  readonly held = new Map<Digest, number>();
  readonly wall: MachineClock;
  deaths = 0;
  #life: Life | undefined;
  #connectionCounter = 0;
  /** It dies before it lets out this many further effects. */
  #effectsLeft: number | undefined;
  #onDeath: (() => void) | undefined;

  constructor(parts: SimulatedAgentParts) {
    this.parts = parts;
    this.wall = new MachineClock(parts.agenda, parts.driftPpm, parts.wallMs);
  }

  get isUp(): boolean {
    return this.#life?.isReady === true;
  }

  /** Of the process that runs. */
  get state(): State {
    if (this.#life === undefined) throw new Error('the agent is not up');
    return this.#life.engine.state;
  }

  now(): { readonly monoMs: number; readonly wallMs: number } {
    const life = this.#life;
    if (life === undefined) throw new Error('the agent is not up');
    return { monoMs: life.clock.monoMs(), wallMs: this.wall.wallMs() };
  }

  get metrics(): Engine['metrics'] | undefined {
    return this.#life?.engine.metrics;
  }

  start(): void {
    const { agenda, settings, store, driftPpm } = this.parts;
    const touched = (): void => this.parts.touched();
    // A monotonic clock begins with its process.
    const clock = new MachineClock(agenda, driftPpm, 0);
    const living = ofLife(store, () => life.isAlive);
    const send = (clientId: ClientId, frame: Frame<DownBody>): void => this.#send(life, clientId, frame);
    const life: Life = {
      clock,
      engine: new Engine({
        store: living,
        clock: {
          now: () => ({ monoMs: clock.monoMs(), wallMs: this.wall.wallMs() }),
          setTimer: (delayMs, callback) =>
            clock.setTimer(delayMs, () => {
              if (!life.isAlive) return;
              touched();
              callback();
            }),
        },
        settings,
        prepare: (effects) => this.#guard(life, () => this.parts.watcher.stepped(this, effects)),
        publish: (effects) => this.#guard(life, () => this.#publish(life, effects)),
        refused: (events, error) => this.#guard(life, () => this.#refused(life, events, error)),
        fatal: (error) => this.#guard(life, () => this.parts.watcher.broken(error)),
        soon: (callback) => this.parts.soon(callback),
      }),
      deliveries: new RecalledDeliveries({ store: living, send, failed: () => undefined }),
      results: new RecalledResults({
        store: living,
        send,
        refused: () => undefined,
        failed: () => undefined,
      }),
      connections: new Map(),
      plausibility: new Map(),
      isReady: false,
      isAlive: true,
    };
    this.#life = life;
    touched();
    life.engine.start().then(
      () => this.#guard(life, () => this.#started(life)),
      (error: unknown) => this.parts.watcher.broken(error),
    );
  }

  #started(life: Life): void {
    life.isReady = true;
    for (const algorithm of PROGRAMS)
      if (!this.state.algorithms.has(`${algorithm.id}@${algorithm.version}`))
        this.operate({ verb: 'addAlgorithm', algorithm });
    this.parts.restate();
    this.#push(life, { kind: 'tick' });
  }

  #guard(life: Life, act: () => void): void {
    if (!life.isAlive) return;
    try {
      act();
    } catch (error) {
      this.parts.watcher.broken(error);
    }
  }

  #push(life: Life, event: Event, isGhost = false): void {
    if (!life.isAlive) return;
    this.parts.watcher.pushed(this, event, isGhost);
    this.parts.touched();
    life.engine.push(event);
  }

  operate(command: OperatorCommand, question = 0): void {
    if (this.#life?.isReady === true) this.#push(this.#life, { kind: 'operator', question, command });
  }

  housekeeping(): void {
    if (this.#life?.isReady === true) this.#push(this.#life, { kind: 'housekeeping' });
  }

  /** As the daemon does it: what an adapter says is looked at beside what it said before. Returns what was heard. */
  firmware(said: FirmwareEvent, source: FirmwareSource): FirmwareEvent | undefined {
    const life = this.#life;
    if (life?.isReady !== true) return undefined;
    const plausibility = life.plausibility.get(source.name) ?? new Plausibility();
    life.plausibility.set(source.name, plausibility);
    const { event } = plausibility.judge(said, life.clock.monoMs());
    this.#push(life, { kind: 'firmware', event, source });
    return event;
  }

  /** `afterEffects`: not now, but before it lets out so many further effects. */
  die(onDeath: () => void, afterEffects?: number): void {
    if (this.#life === undefined || this.#onDeath !== undefined) return;
    this.#onDeath = onDeath;
    if (afterEffects === undefined) this.#perish();
    else this.#effectsLeft = afterEffects;
  }

  #perish(): void {
    const life = this.#life;
    if (life === undefined) return;
    life.isAlive = false;
    this.#life = undefined;
    this.#effectsLeft = undefined;
    this.deaths += 1;
    const isPowerCut = this.parts.chance.is(300);
    for (const connection of life.connections.values()) {
      // Its system says so for a process that died; nobody does where the power went.
      if (isPowerCut) connection.cut('both');
      connection.closeAtPile(false);
    }
    this.parts.store.die();
    const onDeath = this.#onDeath;
    this.#onDeath = undefined;
    onDeath?.();
  }

  accept(connection: Connection): PileEnd | undefined {
    const life = this.#life;
    if (life?.isReady !== true) return undefined;
    const client = clientName(connection.clientId);
    this.#connectionCounter += 1;
    connection.number = this.#connectionCounter;
    const before = life.connections.get(client.clientId);
    life.connections.set(client.clientId, connection);
    // A second connection of the same client id closes the first.
    if (before !== undefined) {
      before.closeAtPile(false);
      this.#push(life, { kind: 'disconnected', client, connection: before.number as ConnectionNumber });
    }
    this.#push(life, { kind: 'connected', client, connection: connection.number as ConnectionNumber });
    return {
      frame: (from, frame, isGhost) => this.#heard(life, { client, from }, frame, isGhost),
      closed: (gone) => this.#closed(life, client, gone),
    };
  }

  #closed(life: Life, client: ClientName, connection: Connection): void {
    if (life.connections.get(client.clientId) !== connection) return;
    life.connections.delete(client.clientId);
    life.deliveries.forget(client.clientId);
    life.results.forget(client.clientId);
    this.#push(life, {
      kind: 'disconnected',
      client,
      connection: connection.number as ConnectionNumber,
    });
  }

  #heard(life: Life, { client, from }: Speaker, frame: Frame<UpBody>, isGhost: boolean): void {
    if (!life.isAlive) return;
    const number = from.number as ConnectionNumber;
    if (this.parts.asBytes)
      for (const payload of encodeFrames(frame))
        for (const event of unpackFrame(
          { name: client, connection: number, topic: 'frame' },
          payload,
          ({ digest, sizeBytes }) => this.held.get(digest) === sizeBytes,
        ).events)
          this.#push(life, event, isGhost);
    else
      for (const envelope of frame)
        this.#push(life, this.#eventOf({ client, connection: number }, envelope), isGhost);
  }

  #eventOf(
    about: Pick<Extract<Event, { kind: 'message' }>, 'client' | 'connection'>,
    envelope: Envelope<UpBody>,
  ): Event {
    const { body } = envelope;
    const message = { kind: 'message', ...about, envelope } as const;
    if (body.kind === 'request')
      return { ...message, bodyHash: hashOfRequest(body), blobHeld: this.#has(body.input) };
    if (body.kind === 'result' && body.outcome.ok)
      return { ...message, blobHeld: this.#has(body.outcome.output) };
    if (body.kind === 'checkpoint') return { ...message, blobHeld: this.held.has(body.state.digest) };
    return message;
  }

  #has(payload: Extract<UpBody, { kind: 'request' }>['input']): boolean {
    return payload.where === 'inline' || this.held.has(payload.blob.digest);
  }

  /** What one step owes to one client leaves as one message. */
  #publish(life: Life, effects: Effects): void {
    this.parts.watcher.publishing(this, effects);
    const frames = new Map<ClientId, Envelope<DownBody>[]>();
    for (const { clientId, envelope } of effects.sends) {
      const frame = frames.get(clientId);
      if (frame === undefined) frames.set(clientId, [envelope]);
      else frame.push(envelope);
    }
    for (const [clientId, frame] of frames)
      if (!this.#letOut(() => this.#send(life, clientId, frame))) return;
    for (const { clientId, blob } of effects.fetches)
      if (!this.#letOut(() => this.#fetch(life, clientId, blob))) return;
    for (const { pair, payloads } of effects.compares)
      if (!this.#letOut(() => this.#compare(life, pair, payloads))) return;
    for (const control of effects.controls) if (!this.#letOut(() => this.#control(life, control))) return;
    for (const recall of effects.recalls) if (!this.#letOut(() => life.deliveries.push(recall))) return;
    for (const recall of effects.resultRecalls) if (!this.#letOut(() => life.results.push(recall))) return;
  }

  /** A station takes a moment, and does not always do it. */
  #control(life: Life, control: Control): void {
    const { agenda, chance } = this.parts;
    const outcome: ControlOutcome = chance.is(700)
      ? { ok: true }
      : { ok: false, code: chance.pick(['no_answer', 'refused', 'link_lost']), message: 'simulated' };
    agenda.after(chance.between(...CONTROL_MS), () => {
      if (life.isAlive) this.#push(life, { kind: 'controlled', control, outcome });
    });
  }

  /** False: it died first. */
  #letOut(effect: () => void): boolean {
    if (this.#effectsLeft === 0) {
      this.#perish();
      return false;
    }
    if (this.#effectsLeft !== undefined) this.#effectsLeft -= 1;
    effect();
    return true;
  }

  #send(life: Life, clientId: ClientId, frame: Frame<DownBody>): void {
    if (life.isAlive) life.connections.get(clientId)?.tell(frame);
  }

  /** By their digests: the simulated bytes of a blob are its name. */
  #compare(life: Life, pair: ComparedPair, [a, b]: Effects['compares'][number]['payloads']): void {
    const { agenda, chance } = this.parts;
    const isSame = JSON.stringify(a) === JSON.stringify(b);
    agenda.after(chance.between(...UPLOAD_MS), () => {
      if (life.isAlive) this.#push(life, { kind: 'compared', pair, isSame });
    });
  }

  /** The bytes come while their sender is there. */
  #fetch(life: Life, clientId: ClientId, { digest, sizeBytes }: BlobRef): void {
    const { agenda, chance } = this.parts;
    const connection = life.connections.get(clientId);
    const { vehicleId } = clientName(clientId);
    agenda.after(chance.between(...UPLOAD_MS), () => {
      if (!life.isAlive) return;
      if (connection?.isOpenAtPile === true) {
        this.held.set(digest, sizeBytes);
        this.#push(life, { kind: 'blobArrived', digest, vehicleId });
      } else {
        const why = { code: 'input_unavailable', detail: 'the sender is gone' } as const;
        this.#push(life, { kind: 'blobFailed', digest, vehicleId, why });
      }
    });
  }

  /** As the daemon does it: the senders are told, and their connections closed. */
  #refused(life: Life, events: readonly Event[], error: StoreError): void {
    const code = error.code === 'full' ? 'storage_full' : 'storage_unavailable';
    const reasons = [{ code, detail: error.message, hint: 'send it again later' }] as const;
    const senders = new Set<ClientId>();
    for (const event of events) {
      if (event.kind !== 'message') continue;
      const { clientId } = event.client;
      senders.add(clientId);
      const { correlationId, body } = event.envelope;
      const about = body.kind === 'request' ? { requestId: body.requestId } : {};
      this.#send(life, clientId, [
        { correlationId, body: { kind: 'refused', ...about, reasons, retryable: true } },
      ]);
    }
    if (events.some(({ kind }) => kind === 'blobArrived'))
      for (const clientId of life.connections.keys()) senders.add(clientId);
    for (const clientId of senders) life.connections.get(clientId)?.closeAtPile();
  }
}
