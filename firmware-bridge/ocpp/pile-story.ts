/** What one pile's frames say: matches answers to calls, and moves what is known of its connectors. No I/O, no clock. */
import { parseConnectorId } from '../connector-id.ts';
import type { FirmwareEvent, Pseudonymize, SampleTime } from '../port.ts';
import { AcceptedTokens } from './accepted-tokens.ts';
import { ConnectorStory } from './connector-story.ts';
import { dialect16 } from './dialect-16.ts';
import { dialect201 } from './dialect-201.ts';
import type { OcppFrame } from './frame.ts';
import { HeartbeatSetting } from './heartbeat-setting.ts';
import { keepNewest } from './keep-newest.ts';
import type {
  MeterMessage,
  NeedsMessage,
  OcppDialect,
  OcppPlace,
  PileMessage,
  StatusMessage,
  TransactionMessage,
} from './pile-message.ts';
import { PowerLimits } from './power-limits.ts';
import { SourceClock } from './source-clock.ts';
import type { OcppSubprotocol } from './tap.ts';

export interface PileStoryOptions {
  readonly station: string;
  readonly subprotocol: OcppSubprotocol;
  readonly pseudonymize: Pseudonymize;
  /** How long a pile may say nothing where no BootNotification was answered yet; see `silenceMsOf`. */
  readonly heartbeatMs: number;
  readonly emit: (event: FirmwareEvent) => void;
}

/** When something was heard: on our clocks, and when the relay had read it. */
export interface Heard {
  readonly monoMs: number;
  readonly wallMs: number;
  /** Earlier than `wallMs` for what is recalled. */
  readonly readWallMs: number;
}

interface Waiting {
  readonly message: PileMessage;
  /** The stay that a transaction began in. */
  readonly stay?: number | undefined;
  /** It began before that, perhaps for another vehicle. */
  readonly isHistory?: boolean;
}

/** OCPP allows one; piles that number badly or never get an answer must not fill the memory. */
const WAITING_MAX = 32;
const CONNECTORS_MAX = 64;
const ENDED_MAX = 64;
/** So long after a pile came back it may send what it had queued; an old time later is a clock that was set back. */
const CATCH_UP_MS = 15 * 60_000;

/** Until the CSMS said another: what most of them say is less. */
export const HEARTBEAT_MS_DEFAULT = 300_000;

/** A heartbeat may come late by half of its interval, and by a slow line. */
export function silenceMsOf(heartbeatMs: number): number {
  return heartbeatMs * 1.5 + 5_000;
}

export class PileStory {
  readonly #options: PileStoryOptions;
  readonly #connectors = new Map<string, ConnectorStory>();
  readonly #waiting = new Map<string, Waiting>();
  /** Transactions that are over: what still comes of them is history. */
  readonly #ended = new Set<string>();
  readonly #tokens: AcceptedTokens;
  readonly #clock = new SourceClock();
  readonly limits = new PowerLimits();
  #subprotocol: OcppSubprotocol;
  #heartbeatMs: number;
  readonly #heartbeat = new HeartbeatSetting();
  #link: 'up' | 'silent' | 'down' = 'down';
  #heardMonoMs = 0;
  #upSinceMonoMs = 0;
  #isRecalling = false;
  /** When the present connection began, until a frame of it was heard. */
  #upSinceWallMs: number | undefined;

  constructor(options: PileStoryOptions) {
    this.#options = options;
    this.#tokens = new AcceptedTokens(options.pseudonymize);
    this.#subprotocol = options.subprotocol;
    this.#heartbeatMs = options.heartbeatMs;
  }

  get connectors(): readonly ConnectorStory[] {
    return [...this.#connectors.values()];
  }

  get subprotocol(): OcppSubprotocol {
    return this.#subprotocol;
  }

  /** What the pile's clock shows then. */
  pileClockAt(wallMs: number): number {
    return this.#clock.at(wallMs);
  }

  get link(): 'up' | 'silent' | 'down' {
    return this.#link;
  }

  /** When its silence becomes a lost link; absent where it is lost already. */
  get silentFromMonoMs(): number | undefined {
    return this.#link === 'up' ? this.#heardMonoMs + silenceMsOf(this.#heartbeatMs) : undefined;
  }

  /** The pile's connection to the relay is there. What the pile does not say anew stays unverified. */
  linkUp(subprotocol: OcppSubprotocol, heard: Heard): void {
    this.#subprotocol = subprotocol;
    if (this.#link !== 'down') return;
    this.#link = 'up';
    this.#heardMonoMs = heard.monoMs;
    this.#upSinceMonoMs = heard.monoMs;
    this.#upSinceWallMs = heard.readWallMs;
    if (!this.#isRecalling) this.#beginConnection();
  }

  /** What happened before it is history, though it may come now. */
  #beginConnection(): void {
    const upSinceWallMs = this.#upSinceWallMs;
    this.#upSinceWallMs = undefined;
    if (upSinceWallMs === undefined) return;
    for (const connector of this.connectors) {
      connector.forget();
      connector.changedSourceMs = this.#clock.at(upSinceWallMs);
    }
  }

  linkDown(reason: string, heard: Heard): void {
    this.#link = 'down';
    this.#waiting.clear();
    for (const connector of this.connectors) {
      connector.telling.lose(reason, receivedAt(heard));
      connector.forget();
    }
  }

  /** What follows is told when all of it was heard. */
  beginRecall(): void {
    this.#isRecalling = true;
    for (const connector of this.connectors) connector.forgetTimes();
  }

  endRecall(heard: Heard): void {
    this.#isRecalling = false;
    this.#beginConnection();
    if (this.#link === 'up') this.#tellAll(receivedAt(heard));
  }

  /** Time went by. */
  advance(heard: Heard): void {
    const silentFromMonoMs = this.silentFromMonoMs;
    if (silentFromMonoMs === undefined || heard.monoMs < silentFromMonoMs || this.#isRecalling) return;
    this.#link = 'silent';
    const reason = `nothing was heard of the pile for ${Math.round(silenceMsOf(this.#heartbeatMs) / 1000)} s`;
    for (const connector of this.connectors) connector.telling.lose(reason, receivedAt(heard));
  }

  take(from: 'pile' | 'csms', frame: OcppFrame, heard: Heard): void {
    // Frames of an earlier connection are recalled first: they say what was, not what is.
    if (heard.readWallMs >= (this.#upSinceWallMs ?? Infinity)) this.#beginConnection();
    if (from === 'pile') this.#noteHeard(heard);
    if (from === 'pile' && frame.type === 'call') this.#takeCall(frame, heard);
    if (from === 'csms' && frame.type === 'call') {
      this.limits.take(frame.action, frame.payload);
      this.#heartbeat.asked(frame.id, frame.action, frame.payload);
    } else if (from === 'csms') this.#takeAnswer(frame, heard);
    else if (frame.type === 'result')
      this.#heartbeatMs = this.#heartbeat.answered(frame.id, frame.payload) ?? this.#heartbeatMs;
  }

  /** The connection was there all the while and messages keep their order, so that what is known was not overtaken. */
  #noteHeard(heard: Heard): void {
    this.#heardMonoMs = heard.monoMs;
    if (this.#link !== 'silent') return;
    this.#link = 'up';
    this.#tellAll(receivedAt(heard));
  }

  #takeCall({ id, action, payload }: OcppFrame & { readonly type: 'call' }, heard: Heard): void {
    const message = this.#dialect().readCall(action, payload);
    if (message === undefined) return;
    const waiting = this.#takeMessage(message, heard);
    if (waiting === undefined) return;
    keepNewest(this.#waiting, WAITING_MAX);
    this.#waiting.set(id, waiting);
  }

  /** What its answer will say more of. */
  #takeMessage(message: PileMessage, heard: Heard): Waiting | undefined {
    switch (message.what) {
      case 'boot':
        this.#reboot(heard);
        return { message };
      case 'status':
        this.#takeStatus(message, heard);
        return undefined;
      case 'transaction':
        return this.#takeTransaction(message, heard);
      case 'meter':
        this.#takeMeter(message, heard);
        return undefined;
      case 'needs':
        this.#takeNeeds(message, heard);
        return undefined;
      case 'shown':
        return { message };
    }
  }

  /** Its transactions may be forgotten and its clock another: the connectors are known when it speaks of them. */
  #reboot(heard: Heard): void {
    for (const connector of this.connectors) {
      if (connector.known.place === 'occupied')
        connector.telling.lose('the pile started anew', receivedAt(heard));
      connector.forget();
      connector.forgetTimes();
    }
  }

  #takeStatus(message: StatusMessage, heard: Heard): void {
    const connector = this.#connectorAt(message.place);
    const sourceWallMs = this.#clock.read(message.sourceWallMs, heard.readWallMs);
    if (connector === undefined) return;
    const held = [connector.known.transactionId, connector.before?.transactionId];
    const queuedWallMs = this.#queued(sourceWallMs, heard);
    const isTaken = connector.status(message, queuedWallMs, sourceWallMs ?? this.#clock.at(heard.readWallMs));
    if (!isTaken) return;
    // A vehicle that left without an end of its transaction took it along.
    if (message.status === 'free') {
      for (const transactionId of held) this.#noteEnded(transactionId);
      this.limits.transactionEnded(connector.evse);
    }
    this.#tell(connector, sampledAt(sourceWallMs, heard));
  }

  #takeTransaction(message: TransactionMessage, heard: Heard): Waiting | undefined {
    const { transactionId } = message;
    const connector = this.#connectorOf(message);
    const sourceWallMs = this.#clock.read(message.sourceWallMs, heard.readWallMs);
    if (connector === undefined) return undefined;
    // An id that begins anew is another transaction; all else of one that ended comes late.
    const queuedWallMs = this.#queued(sourceWallMs, heard);
    const isHistory = connector.isHistory(message, queuedWallMs);
    if (message.phase === 'started' && !isHistory) this.#ended.delete(transactionId ?? '');
    if (this.#ended.has(transactionId ?? '')) return undefined;
    const at = sampledAt(sourceWallMs, heard);
    if (message.phase === 'ended') {
      connector.readings(message.readings, transactionId, heard.readWallMs, at);
      this.#noteEnded(transactionId);
      if (!isHistory) this.limits.transactionEnded(connector.evse);
    }
    connector.transaction(message, queuedWallMs);
    // Before its id is known, history cannot be told from what is under way.
    const isTellable = !isHistory || transactionId !== undefined;
    if (message.phase === 'started' && isTellable) this.#identify(connector, message, undefined, heard);
    this.#tell(connector, at);
    if (message.phase !== 'ended' && isTellable)
      connector.readings(message.readings, transactionId, heard.readWallMs, at);
    this.#tell(connector, at);
    return { message, stay: connector.known.stay, isHistory };
  }

  #takeMeter(message: MeterMessage, heard: Heard): void {
    const { transactionId } = message;
    const connector = this.#connectorAt(message.place);
    if (connector === undefined) return;
    const last = message.readings.at(-1);
    const sourceWallMs = this.#clock.read(last?.sourceWallMs, heard.readWallMs);
    const at = sampledAt(sourceWallMs, heard);
    const isOver = transactionId !== undefined && this.#ended.has(transactionId);
    if (!isOver && transactionId !== undefined)
      connector.adopt(transactionId, this.#queued(sourceWallMs, heard));
    this.#tell(connector, at);
    // Some piles go on under the id of the transaction before.
    const openId = connector.known.transactionId;
    if (isOver ? openId !== undefined : (transactionId ?? openId) === openId)
      connector.readings(message.readings, undefined, heard.readWallMs, at);
    this.#tell(connector, at);
  }

  /** The time of what may have been queued; absent once nothing is any more, whatever its time says. */
  #queued(sourceWallMs: number | undefined, heard: Heard): number | undefined {
    return heard.monoMs - this.#upSinceMonoMs < CATCH_UP_MS ? sourceWallMs : undefined;
  }

  #takeNeeds(message: NeedsMessage, heard: Heard): void {
    const connector = this.#connectorAt(message.place);
    const sourceWallMs = this.#clock.read(message.sourceWallMs, heard.readWallMs);
    connector?.needs(message, this.#clock.at(heard.readWallMs), sampledAt(sourceWallMs, heard));
  }

  #takeAnswer(frame: OcppFrame, heard: Heard): void {
    const waiting = this.#waiting.get(frame.id);
    this.#waiting.delete(frame.id);
    if (waiting === undefined || frame.type !== 'result') return;
    const { message, stay, isHistory = false } = waiting;
    const answer = this.#dialect().readAnswer(frame.payload);
    if (message.what === 'boot') this.#heartbeatMs = answer.heartbeatMs ?? this.#heartbeatMs;
    if (message.what === 'shown' && answer.isTokenAccepted === true) {
      const isProven = message.hasCertificate && answer.isCertificateAccepted === true;
      this.#tokens.accepted(message.token, isProven, heard.readWallMs);
    }
    if (message.what !== 'transaction' || message.phase === 'ended') return;
    const transactionId = message.transactionId ?? answer.transactionId;
    const connector =
      message.place === undefined ? this.#holderOf(transactionId) : this.#connectorAt(message.place);
    // Answered when the vehicle had left, or another had come.
    if (connector === undefined || transactionId === undefined || connector.known.stay !== stay) return;
    if (isHistory) connector.beganBefore(transactionId);
    else if (message.transactionId === undefined && connector.isNameless)
      this.#begin(connector, transactionId);
    this.#identify(connector, { ...message, transactionId }, answer.isTokenAccepted, heard);
    this.#tell(connector, receivedAt(heard));
  }

  #begin(connector: ConnectorStory, transactionId: string): void {
    this.#ended.delete(transactionId);
    connector.name(transactionId);
  }

  #identify(
    connector: ConnectorStory,
    { token, transactionId }: Pick<TransactionMessage, 'token' | 'transactionId'>,
    isAccepted: boolean | undefined,
    { readWallMs }: Heard,
  ): void {
    if (token === undefined) return;
    const credential = this.#tokens.credentialOf(token, isAccepted, readWallMs);
    if (credential !== undefined) connector.identify(credential, transactionId);
  }

  #noteEnded(transactionId: string | undefined): void {
    if (transactionId === undefined) return;
    keepNewest(this.#ended, ENDED_MAX);
    this.#ended.add(transactionId);
  }

  /** 2.1 says what 2.0.1 says, and more. */
  #dialect(): OcppDialect {
    return this.#subprotocol === 'ocpp1.6' ? dialect16 : dialect201;
  }

  #connectorOf({ place, transactionId }: TransactionMessage): ConnectorStory | undefined {
    return place === undefined ? this.#holderOf(transactionId) : this.#connectorAt(place);
  }

  #holderOf(transactionId: string | undefined): ConnectorStory | undefined {
    if (transactionId === undefined) return undefined;
    return this.connectors.find(({ known, before }) =>
      [known.transactionId, before?.transactionId].includes(transactionId),
    );
  }

  /** 2.0.1 may name the EVSE alone: then it is the connector that is in use, else the only one that is known, else its first. */
  #connectorAt({ evse, connector }: OcppPlace): ConnectorStory | undefined {
    if (connector !== undefined) return this.#connector(evse, connector);
    const ofEvse = this.connectors.filter((one) => one.evse === evse);
    const inUse = ofEvse.find(({ known }) => known.place === 'occupied' || known.transactionId !== undefined);
    return inUse ?? ofEvse[0] ?? this.#connector(evse, 1);
  }

  #connector(evse: number, connector: number): ConnectorStory | undefined {
    const name = `${evse}/${connector}`;
    const known = this.#connectors.get(name);
    if (known !== undefined || this.#connectors.size >= CONNECTORS_MAX) return known;
    const { station, emit } = this.#options;
    const made = new ConnectorStory(evse, connector, parseConnectorId(name, station), emit);
    this.#connectors.set(name, made);
    return made;
  }

  #tell(connector: ConnectorStory, at: SampleTime): void {
    if (this.#link === 'up' && !this.#isRecalling) connector.telling.tell(connector.known, at);
  }

  #tellAll(at: SampleTime): void {
    for (const connector of this.connectors) connector.telling.tell(connector.known, at);
  }
}

function receivedAt({ wallMs }: Heard): SampleTime {
  return { receivedWallMs: wallMs };
}

function sampledAt(sourceWallMs: number | undefined, { wallMs }: Heard): SampleTime {
  return sourceWallMs === undefined ? { receivedWallMs: wallMs } : { sourceWallMs, receivedWallMs: wallMs };
}
