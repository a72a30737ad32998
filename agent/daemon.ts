/**
 * Wires everything: the broker and the firmware bring events, the engine drives the core, the store commits, and what was
 * committed goes out through the broker.
 */
import type { Logger } from 'pino';
import {
  encodeFrames,
  isBlobBody,
  type BlobBody,
  type BlobRef,
  type ClientId,
  type ClientName,
  type Digest,
  type DownBody,
  type Envelope,
  type TopicKind,
  type UpBody,
  type VehicleId,
} from '@plugpool/proto';
import {
  checkFirmwareEvent,
  Plausibility,
  type FirmwareAdapter,
  type FirmwareEvent,
  type SignedRecord,
} from '@plugpool/firmware-bridge';
import { limitLog, type LimitedLog } from './adapters/broker-aedes/limited-log.ts';
import { sameJsonInThread } from './adapters/json-thread/json-thread.ts';
import { BlobExchange } from './blobs/blob-exchange.ts';
import { BlobShares } from './blobs/blob-shares.ts';
import type { DiskRoom } from './blobs/disk-room.ts';
import { asHeldNow } from './blobs/held-bytes.ts';
import { Comparisons } from './comparisons.ts';
import { mayTake } from './core/clients/share.ts';
import { standingOf } from './core/clients/standing.ts';
import type { Effects } from './core/effects.ts';
import type { ConnectionNumber, Event, OperatorAnswer, OperatorCommand } from './core/events.ts';
import { digestsOfOpenTasks } from './core/payloads/gone-bytes.ts';
import { blobsHeldFor } from './core/payloads/held-for.ts';
import { mayPull } from './core/payloads/may-pull.ts';
import type { CreditId } from './core/records.ts';
import type { Settings } from './core/settings.ts';
import type { FirmwareSource } from './core/sessions/sources.ts';
import type { State } from './core/state.ts';
import { DiskAnswers } from './disk-answers/disk-answers.ts';
import { Engine } from './engine.ts';
import { FirmwareControls } from './firmware-control.ts';
import { FramesOut } from './frames-out.ts';
import { unpackFrame, type Unpacked } from './inbox.ts';
import type { BlobStore, Broker, BrokerHandlers, Clock, Store } from './ports.ts';
import type { StoreError } from './store-error.ts';
import { Strikes } from './strikes.ts';

export interface AgentParts {
  readonly settings: Settings;
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly room: Pick<DiskRoom, 'spare' | 'letGo' | 'makeRoom'>;
  readonly broker: Broker;
  readonly firmware: readonly FirmwareAdapter[];
  readonly clock: Clock;
  readonly log: Logger;
  authenticate: BrokerHandlers['authenticate'];
  /** Signed; where records are sent. */
  readonly creditOf?: (creditId: CreditId) => Promise<SignedRecord | undefined>;
  /** Called once when our own code broke a promise: stop the process, start it again. */
  fatal(error: unknown): void;
}

/** Bytes that no task references are kept this long, for whoever asks for the same again. */
const UNREFERENCED_BLOB_MS = 3600 * 1000;

export class Agent {
  readonly parts: AgentParts;
  readonly #engine: Engine;
  readonly #framesOut: FramesOut;
  readonly #exchange: BlobExchange;
  readonly #diskAnswers: DiskAnswers;
  readonly #comparisons: Comparisons;
  readonly #controls: FirmwareControls;
  /** For what vehicles can cause. */
  readonly #limitedLog: LimitedLog;
  readonly #connections = new Map<ClientId, ConnectionNumber>();
  readonly #strikes: Strikes;
  readonly #answers = new Map<number, (answer: OperatorAnswer) => void>();
  readonly #stopFirmware = new AbortController();
  #connectionCounter = 0;
  #questionCounter = 0;
  #address: { readonly host: string; readonly port: number } | undefined;
  #firmwareFrom = 0;

  constructor(parts: AgentParts) {
    this.parts = parts;
    this.#limitedLog = limitLog(parts.log, () => parts.clock.now().monoMs);
    this.#strikes = new Strikes(() => parts.clock.now().monoMs);
    this.#framesOut = new FramesOut(parts);
    this.#engine = new Engine({
      store: parts.store,
      clock: parts.clock,
      settings: parts.settings,
      prepare: (effects) => this.#framesOut.prepare(effects.sends),
      publish: (effects) => this.#publish(effects),
      refused: (events, error) => this.#refused(events, error),
      fatal: (error) => parts.fatal(error),
      asDecided: (event) =>
        asHeldNow(event, {
          holdsFor: (client, blob) => this.#holdsFor(client, blob),
          has: (digest) => parts.blobs.has(digest),
        }),
    });
    this.#diskAnswers = new DiskAnswers({
      ...{ store: parts.store, log: parts.log, limitedLog: this.#limitedLog },
      send: (clientId, envelopes) => this.#framesOut.say(clientId, envelopes),
    });
    this.#comparisons = new Comparisons({
      blobs: parts.blobs,
      sameJson: (texts, tolerance, signal) => sameJsonInThread({ texts, tolerance }, signal),
      compared: (pair, isSame) => this.#engine.push({ kind: 'compared', pair, isSame }),
      failed: (pair, error) => parts.log.error({ err: error, ...pair }, 'could not compare two results'),
    });
    this.#controls = new FirmwareControls({
      clock: parts.clock,
      creditOf: parts.creditOf ?? (() => Promise.resolve(undefined)),
      done: (control, outcome) => this.#engine.push({ kind: 'controlled', control, outcome }),
    });
    this.#exchange = new BlobExchange({
      blobs: parts.blobs,
      clock: parts.clock,
      shares: new BlobShares({
        ...{ blobs: parts.blobs, room: parts.room },
        mayTake: (vehicleId, table, bytes, use) => mayTake(this.state, vehicleId, table, bytes, use),
      }),
      mayPull: (vehicleId, digest) => this.#mayPull(vehicleId, digest),
      send: (clientId, envelope) => this.#sendBlob(clientId, envelope),
      arrived: (digest, vehicleId) => this.#engine.push({ kind: 'blobArrived', digest, vehicleId }),
      failed: (digest, vehicleId, why) => this.#engine.push({ kind: 'blobFailed', digest, vehicleId, why }),
    });
  }

  get state(): State {
    return this.#engine.state;
  }

  get metrics(): Engine['metrics'] {
    return this.#engine.metrics;
  }

  /** Where vehicles connect. */
  get address(): { readonly host: string; readonly port: number } {
    if (this.#address === undefined) throw new Error('the agent is not started');
    return this.#address;
  }

  /** The store first, so that nobody is heard who could not be answered; the broker last. */
  async start(): Promise<void> {
    const { blobs, broker, firmware, authenticate } = this.parts;
    await this.#engine.start();
    await blobs.start();
    this.#tellGoneBytes();
    for (const { digest, vehicleId } of blobsHeldFor(this.state)) blobs.assign(digest, vehicleId);
    const powerMwMax = this.parts.settings.power.connectorMaxMw;
    for (const [index, adapter] of firmware.entries()) {
      const heard = {
        adapter,
        source: sourceOf(adapter, index),
        plausibility: new Plausibility({ powerMwMax }),
      };
      await adapter.start((event) => this.#heard(heard, event), this.#stopFirmware.signal);
      this.#firmwareFrom += 1;
    }
    this.#address = await broker.start({
      authenticate,
      standing: (vehicleId) => standingOf(this.state, vehicleId),
      connected: (name) => this.#onConnected(name),
      disconnected: (name) => this.#onDisconnected(name),
      message: (name, kind, payload) => this.#onMessage(name, kind, payload),
    });
  }

  /** A store that was put back can speak of bytes that were removed since. */
  #tellGoneBytes(): void {
    const digests = new Set<Digest>();
    for (const digest of digestsOfOpenTasks(this.state))
      if (!this.parts.blobs.has(digest)) digests.add(digest);
    if (digests.size > 0) this.#engine.push({ kind: 'blobsGone', digests });
  }

  /** Grants nothing more, says what is owed, and leaves the leases to their donors: they are kept over a restart. */
  async stop(): Promise<void> {
    this.#engine.push({ kind: 'stopping' });
    await this.#engine.idle();
    this.#framesOut.flush();
    await this.parts.broker.stop();
    await this.#exchange.stop();
    await this.#comparisons.stop();
    this.#stopFirmware.abort();
    for (const adapter of this.parts.firmware.slice(0, this.#firmwareFrom)) await adapter.stop();
    await this.#engine.stop();
    await this.parts.blobs.stop();
    await this.parts.store.close();
  }

  /** Carries out a change; answered when it is committed. */
  async operate(command: OperatorCommand): Promise<OperatorAnswer> {
    this.#questionCounter += 1;
    const question = this.#questionCounter;
    const answered = new Promise<OperatorAnswer>((resolve) => this.#answers.set(question, resolve));
    this.#engine.push({ kind: 'operator', question, command });
    return answered;
  }

  /** From cron. */
  async keepHouse(): Promise<{ readonly freedBytes: number }> {
    this.#engine.push({ kind: 'housekeeping' });
    await this.#engine.idle();
    const keep = await this.parts.store.referencedBlobs();
    const freedBytes = await this.parts.blobs.sweep(keep, UNREFERENCED_BLOB_MS);
    return { freedBytes };
  }

  /** What cannot be true in an event, by itself or beside those before it, is doubted in it before the decisions see it. */
  #heard({ adapter, source, plausibility }: HeardAdapter, said: FirmwareEvent): void {
    const { event, problems } = checkFirmwareEvent(said);
    if (problems.length > 0)
      this.#limitedLog.warn(`firmware:${source.name}`, { problems }, 'firmware said what cannot be true');
    if (event === undefined) return;
    const { connectorId } = event;
    this.#controls.spoke(adapter, connectorId);
    const judged = plausibility.judge(event, this.parts.clock.now().monoMs);
    if (judged.news.length > 0)
      this.#limitedLog.warn(
        `doubted:${connectorId}`,
        { connectorId, source: source.name, doubted: judged.news },
        'a reading is not believed',
      );
    this.#engine.push({ kind: 'firmware', event: judged.event, source });
  }

  #onConnected(name: ClientName): void {
    this.#connectionCounter += 1;
    const connection = this.#connectionCounter as ConnectionNumber;
    this.#connections.set(name.clientId, connection);
    this.#engine.push({ kind: 'connected', client: name, connection });
  }

  #onDisconnected(name: ClientName): void {
    const connection = this.#connections.get(name.clientId);
    if (connection === undefined) return;
    this.#connections.delete(name.clientId);
    this.#strikes.forget(name.clientId);
    this.#exchange.onDisconnected(name.clientId);
    this.#diskAnswers.forget(name.clientId);
    this.#framesOut.forget(name.clientId);
    this.#engine.push({ kind: 'disconnected', client: name, connection });
  }

  #onMessage(name: ClientName, kind: TopicKind, payload: Uint8Array): Promise<void> | undefined {
    const connection = this.#connections.get(name.clientId);
    if (connection === undefined) return undefined;
    const sender = { name, connection, topic: kind };
    const { events, refusals } = unpackFrame(sender, payload, (blob) => this.#holdsFor(name, blob));
    if (refusals.length > 0) this.#refuse(name, refusals, payload.length);
    if (kind === 'blob') return this.#onBlobFrame(name, connection, events);
    for (const event of events) this.#engine.push(event);
    return this.#engine.room(name.vehicleId);
  }

  /** One message and one line, however many bodies of the frame are bad. */
  #refuse(name: ClientName, refusals: Unpacked['refusals'], bytes: number): void {
    const [{ reason } = { reason: undefined }] = refusals;
    const about = {
      clientId: name.clientId,
      bodies: refusals.length,
      code: reason?.code,
      detail: reason?.detail,
    };
    this.#limitedLog.warn('malformed', about, 'refused');
    if (!this.#strikes.mayErr(name.clientId, refusals.length, bytes))
      return this.parts.broker.disconnect(name.clientId);
    const envelopes = refusals.map(({ correlationId, reason: each }) => {
      const body: DownBody = { kind: 'refused', reasons: [each], retryable: false };
      return { correlationId, body };
    });
    this.#framesOut.say(name.clientId, envelopes);
  }

  async #onBlobFrame(
    name: ClientName,
    connection: ConnectionNumber,
    events: readonly Event[],
  ): Promise<void> {
    for (const event of events) {
      // One frame can ask for 128 MiB: for who does not read them, no disk is read.
      if (this.#connections.get(name.clientId) !== connection) return;
      if (event.kind !== 'message' || !isBlobEnvelope(event.envelope)) continue;
      await this.#exchange.onBody(name, event.envelope);
    }
  }

  /** Who sent them may have them back. */
  #mayPull(vehicleId: VehicleId, digest: Digest): boolean {
    return (
      this.parts.blobs.holderOf(digest) === vehicleId ||
      mayPull(this.state, vehicleId, digest) ||
      this.#diskAnswers.mayPull(vehicleId, digest)
    );
  }

  /** Bytes that a client may not have are asked for as if they were not there. */
  #holdsFor({ vehicleId }: ClientName, { digest, sizeBytes }: BlobRef): boolean {
    return this.#mayPull(vehicleId, digest) && this.parts.blobs.sizeOf(digest) === sizeBytes;
  }

  #publish(effects: Effects): void {
    this.#framesOut.publish();
    for (const { question, answer } of effects.answers) this.#answer(question, answer);
    for (const abandoned of effects.abandons) void this.#exchange.giveUp(abandoned);
    for (const wanted of effects.fetches) void this.#exchange.fetch(wanted);
    for (const asked of effects.compares) this.#comparisons.push(asked);
    this.#diskAnswers.push(effects);
    for (const control of effects.controls) this.#controls.push(control);
    for (const line of effects.logs) this.#write(line);
  }

  /** What the operator did, and what is broken, is written whatever else is. */
  #write({ level, message, fields }: Effects['logs'][number]): void {
    const isLimited = level === 'warn' || (level === 'info' && message !== 'operator');
    if (isLimited) this.#limitedLog[level](message, fields, message);
    else this.parts.log[level](fields, message);
  }

  #answer(question: number, answer: OperatorAnswer): void {
    this.#answers.get(question)?.(answer);
    this.#answers.delete(question);
  }

  /** Tells the senders, and closes their connections: what they must say again, they say at their next hello. */
  #refused(events: readonly Event[], error: StoreError): void {
    this.parts.log.error({ err: error, events: events.length }, 'commit failed, nothing of it happened');
    this.#framesOut.drop();
    const code = error.code === 'full' ? 'storage_full' : 'storage_unavailable';
    const reason = {
      code,
      detail: error.message,
      hint: 'send it again later; the pile kept nothing of it',
    } as const;
    const senders = new Set<ClientId>();
    for (const event of events) {
      if (event.kind === 'operator')
        this.#answer(event.question, { ok: false, code, detail: error.message, hint: error.hint });
      if (event.kind !== 'message') continue;
      senders.add(event.client.clientId);
      const { correlationId, body } = event.envelope;
      const about = body.kind === 'request' ? { requestId: body.requestId } : {};
      this.#framesOut.say(event.client.clientId, [
        { correlationId, body: { kind: 'refused', ...about, reasons: [reason], retryable: true } },
      ]);
    }
    // Whoever waited for an upload that arrived in this batch is not known any more.
    if (events.some((event) => event.kind === 'blobArrived'))
      for (const clientId of this.#connections.keys()) senders.add(clientId);
    for (const clientId of senders) this.parts.broker.disconnect(clientId);
  }

  #sendBlob(clientId: ClientId, envelope: Envelope<DownBody>): void {
    for (const payload of encodeFrames([envelope])) this.parts.broker.send(clientId, 'blob', payload);
  }
}

interface HeardAdapter {
  readonly adapter: FirmwareAdapter;
  readonly source: FirmwareSource;
  readonly plausibility: Plausibility;
}

/** Two adapters of one kind are two sources. */
function sourceOf({ name, staleAfterMs, unwatched }: FirmwareAdapter, index: number): FirmwareSource {
  return { name: `${name}#${index + 1}`, staleAfterMs, ...(unwatched === true ? { unwatched } : {}) };
}

function isBlobEnvelope(envelope: Envelope<UpBody>): envelope is Envelope<BlobBody> {
  return isBlobBody(envelope.body);
}
