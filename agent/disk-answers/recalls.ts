/**
 * What is read from disk again for clients, one reading at a time and each client in its turn: however much one of them asks for, the
 * store is asked once, and whoever connects or asks meanwhile waits for one reading at most.
 */
import type { ClientId, DownBody, Envelope } from '@plugpool/proto';

export interface Question {
  readonly clientId: ClientId;
  readonly correlationId: number;
}

/** Of one client: all that it can be owed, and some questions. */
const WAITING_MAX = 6_000;

/** Where many wait, one client may have few. */
export interface Crowd {
  readonly waiting: number;
  readonly ofClientMax: number;
}

export interface RecallsSurroundings<Asked extends Question> {
  /** Of what a client can ask about without end, however little there is to read. */
  readonly crowd?: Crowd;
  /** What is asked about: questions of a client with the same are answered by one reading. */
  about(asked: Asked): string;
  /** Rejects never. */
  read(asked: Asked): Promise<DownBody>;
  send(clientId: ClientId, envelopes: readonly Envelope<DownBody>[]): void;
}

interface AskedAbout<Asked> {
  readonly asked: Asked;
  readonly correlationIds: Set<number>;
}

interface OfClient<Asked> {
  /** By what is asked about. A message can ask about one thing hundreds of times: it is read once. */
  readonly byAbout: Map<string, AskedAbout<Asked>>;
  /** Of its questions. */
  waitingCount: number;
}

export class Recalls<Asked extends Question> {
  readonly #around: RecallsSurroundings<Asked>;
  /** The client whose turn it is stands first. */
  readonly #clients = new Map<ClientId, OfClient<Asked>>();
  /** Of all clients. */
  #waitingCount = 0;
  #isRunning = false;
  /** For whom the store is asked. */
  #reading: ClientId | undefined;

  constructor(around: RecallsSurroundings<Asked>) {
    this.#around = around;
  }

  push(asked: Asked): void {
    const { clientId, correlationId } = asked;
    const ofClient = this.#clients.get(clientId) ?? {
      byAbout: new Map<string, AskedAbout<Asked>>(),
      waitingCount: 0,
    };
    const about = this.#around.about(asked);
    const same = ofClient.byAbout.get(about) ?? { asked, correlationIds: new Set<number>() };
    // What waits to be said already is not said twice.
    if (same.correlationIds.has(correlationId)) return;
    if (ofClient.waitingCount >= this.#waitingMax()) return this.#refuse(asked);
    same.correlationIds.add(correlationId);
    ofClient.byAbout.set(about, same);
    ofClient.waitingCount += 1;
    this.#waitingCount += 1;
    this.#clients.set(clientId, ofClient);
    if (!this.#isRunning) void this.#run();
  }

  /** The client is gone: what was asked in one connection is not answered in the next. */
  forget(clientId: ClientId): void {
    this.#waitingCount -= this.#clients.get(clientId)?.waitingCount ?? 0;
    this.#clients.delete(clientId);
    if (this.#reading === clientId) this.#reading = undefined;
  }

  #waitingMax(): number {
    const { crowd } = this.#around;
    return crowd !== undefined && this.#waitingCount >= crowd.waiting ? crowd.ofClientMax : WAITING_MAX;
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    for (let next = this.#take(); next !== undefined; next = this.#take()) {
      const { asked, correlationIds } = next;
      const { clientId } = asked;
      this.#reading = clientId;
      const body = await this.#around.read(asked);
      if (this.#reading !== clientId) continue;
      this.#around.send(
        clientId,
        [...correlationIds].map((correlationId) => ({ correlationId, body })),
      );
    }
    this.#reading = undefined;
    this.#isRunning = false;
  }

  /** Of the client whose turn it is, which is then the last in turn. */
  #take(): AskedAbout<Asked> | undefined {
    const [first] = this.#clients;
    if (first === undefined) return undefined;
    const [clientId, ofClient] = first;
    this.#clients.delete(clientId);
    const [oldest] = ofClient.byAbout;
    if (oldest === undefined) return this.#take();
    const [about, same] = oldest;
    ofClient.byAbout.delete(about);
    ofClient.waitingCount -= same.correlationIds.size;
    this.#waitingCount -= same.correlationIds.size;
    if (ofClient.waitingCount > 0) this.#clients.set(clientId, ofClient);
    return same;
  }

  /** What nobody asked for, or under no number, is said again at the next hello. */
  #refuse({ clientId, correlationId }: Asked): void {
    if (correlationId !== 0) this.#around.send(clientId, [{ correlationId, body: TOO_MANY }]);
  }
}

const TOO_MANY: DownBody = {
  kind: 'refused',
  reasons: [
    {
      code: 'rate_limited',
      detail: 'too many questions of this connection wait for the disk',
      hint: 'ask again when these are answered',
    },
  ],
  retryable: true,
};

/** Nothing is known until the store answers. */
export const UNREAD: DownBody = {
  kind: 'refused',
  reasons: [{ code: 'storage_unavailable', detail: 'the store did not answer', hint: 'ask again' }],
  retryable: true,
};
