/** A pile that says only what a test tells it to, on a real broker with the real codec; every wait is for a message. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createHash } from 'node:crypto';
import { Aedes, type Client } from 'aedes';
import {
  decodeUpFrame,
  downTopic,
  encodeFrames,
  parseClientId,
  type AlgorithmId,
  type BlobChunk,
  type BlobRef,
  type ClientName,
  type Digest,
  type DownBody,
  type Envelope,
  type Epoch,
  type FencingToken,
  type Hello,
  type InstanceId,
  type LeaseId,
  type Offer,
  type TaskId,
  type UpBody,
  type Welcome,
} from '@plugpool/proto';

export type Heard<Kind extends UpBody['kind']> = {
  readonly clientId: string;
  readonly correlationId: number;
  readonly body: Extract<UpBody, { kind: Kind }>;
  /** Counts the MQTT messages, to see what came together. */
  readonly frame: number;
};

interface Waiting {
  readonly matches: (heard: Heard<UpBody['kind']>) => boolean;
  readonly resolve: (heard: Heard<UpBody['kind']>) => void;
}

export interface PileOptions {
  readonly leaseMs?: number;
  readonly port?: number;
  /** What a welcome keeps and drops; default: keeps all. */
  readonly judge?: (hello: Hello) => Pick<Welcome, 'keep' | 'drop'>;
  /** Password that is let in; default: any. */
  readonly password?: string;
  /** Answers renewals with all that they name. Default true. */
  readonly renews?: boolean;
}

export class ScriptedPile {
  readonly #server: Server;
  readonly #aedes: Aedes;
  readonly #options: PileOptions;
  readonly #sockets = new Set<Socket>();
  readonly #clients = new Map<string, Client>();
  #unread: Heard<UpBody['kind']>[] = [];
  #waiting: Waiting[] = [];
  #epoch = 0;
  #frames = 0;
  /** Blobs that the pile gives out when asked. */
  readonly blobs = new Map<Digest, Uint8Array>();
  /** While false, pulls stay unanswered. */
  servesBlobs = true;
  chunksServed = 0;
  renews: boolean;
  /** As which it says welcome: another one is another pile that the vehicle came to. */
  stationId = 'scripted';

  private constructor(aedes: Aedes, options: PileOptions) {
    this.#aedes = aedes;
    this.#options = options;
    this.renews = options.renews ?? true;
    this.#server = createServer({ noDelay: true }, (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      aedes.handle(socket);
    });
  }

  static async start(options: PileOptions = {}): Promise<ScriptedPile> {
    const pile = new ScriptedPile(await Aedes.createBroker(), options);
    await pile.#listen();
    return pile;
  }

  get url(): string {
    return `mqtt://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The next body of this kind, of those that were not asked for yet. */
  next<Kind extends UpBody['kind']>(
    kind: Kind,
    where: (heard: Heard<Kind>) => boolean = () => true,
  ): Promise<Heard<Kind>> {
    const matches = (heard: Heard<UpBody['kind']>): boolean =>
      heard.body.kind === kind && where(heard as unknown as Heard<Kind>);
    const index = this.#unread.findIndex(matches);
    const found = index < 0 ? undefined : this.#unread.splice(index, 1)[0];
    if (found !== undefined) return Promise.resolve(found as unknown as Heard<Kind>);
    return new Promise((resolve) =>
      this.#waiting.push({ matches, resolve: resolve as unknown as Waiting['resolve'] }),
    );
  }

  /** Bodies of this kind that nobody asked for yet. */
  unread<Kind extends UpBody['kind']>(kind: Kind): Heard<Kind>[] {
    return this.#unread.filter((heard) => heard.body.kind === kind) as unknown as Heard<Kind>[];
  }

  send(clientId: string, ...bodies: (DownBody | Envelope<DownBody>)[]): void {
    const name = parseClientId(clientId) as ClientName;
    const envelopes = bodies.map((body) => ('body' in body ? body : { correlationId: 0, body }));
    for (const payload of encodeFrames(envelopes)) {
      this.#aedes.publish(
        { cmd: 'publish', topic: downTopic(name, 'frame'), payload, qos: 1, retain: false, dup: false },
        () => undefined,
      );
    }
  }

  /** Sends bytes as they are. */
  sendRaw(clientId: string, payload: Buffer): void {
    const topic = downTopic(parseClientId(clientId) as ClientName, 'frame');
    this.#aedes.publish(
      { cmd: 'publish', topic, payload, qos: 1, retain: false, dup: false },
      () => undefined,
    );
  }

  /** Cuts every connection, as a pulled cable does. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  connected(): readonly string[] {
    return [...this.#clients.keys()];
  }

  /** Pulls a blob from a client and gives its bytes. */
  async pull(clientId: string, blob: BlobRef, chunkBytes = 64 * 1024): Promise<Buffer> {
    const parts: Uint8Array[] = [];
    for (let offset = 0; offset < blob.sizeBytes; offset += chunkBytes) {
      const correlationId = 1_000_000 + offset;
      const length = Math.min(chunkBytes, blob.sizeBytes - offset);
      this.send(clientId, { correlationId, body: { kind: 'blobPull', digest: blob.digest, offset, length } });
      const chunk = await this.next('blobChunk', (heard) => heard.correlationId === correlationId);
      parts.push(chunk.body.data);
    }
    return Buffer.concat(parts);
  }

  put(bytes: Uint8Array): BlobRef {
    const blob = refOf(bytes);
    this.blobs.set(blob.digest, bytes);
    return blob;
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.cut();
    await once(this.#server, 'close');
    await new Promise<void>((resolve) => this.#aedes.close(() => resolve()));
  }

  async #listen(): Promise<void> {
    const { password } = this.#options;
    this.#aedes.authenticate = (_client, _user, given, done) => {
      if (password === undefined || String(given) === password) return done(null, true);
      done(Object.assign(new Error('refused'), { returnCode: 5 }), false);
    };
    this.#aedes.on('client', (client) => this.#clients.set(client.id, client));
    this.#aedes.on('clientDisconnect', (client) => this.#clients.delete(client.id));
    this.#aedes.on('publish', (packet, client) => {
      if (client !== null) this.#received(client.id, packet.payload as Buffer);
    });
    this.#server.listen(this.#options.port ?? 0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  #received(clientId: string, payload: Buffer): void {
    const frame = decodeUpFrame(payload);
    if (!frame.ok || frame.rejected.length > 0)
      throw new Error(`a client sent what cannot be read: ${JSON.stringify(frame)}`);
    this.#frames += 1;
    for (const { body, correlationId } of frame.envelopes) {
      this.#hear({ clientId, correlationId, body, frame: this.#frames });
    }
  }

  #hear(heard: Heard<UpBody['kind']>): void {
    const { clientId, correlationId, body } = heard;
    if (body.kind === 'hello') this.#welcome(clientId, correlationId, body);
    if (body.kind === 'renewal' && this.renews) {
      const held = body.held.map((entry) => entry.lease);
      this.send(clientId, { correlationId, body: { kind: 'renewed', held, leaseMs: this.#leaseMs } });
    }
    if (body.kind === 'blobPull' && this.servesBlobs) this.#serve(clientId, correlationId, body);
    const index = this.#waiting.findIndex((waiting) => waiting.matches(heard));
    if (index < 0) this.#unread.push(heard);
    else this.#waiting.splice(index, 1)[0]?.resolve(heard);
  }

  get #leaseMs(): number {
    return this.#options.leaseMs ?? 15_000;
  }

  #welcome(clientId: string, correlationId: number, hello: Hello): void {
    const { keep, drop } = this.#options.judge?.(hello) ?? { keep: hello.held, drop: [] };
    this.send(clientId, {
      correlationId,
      body: {
        kind: 'welcome',
        epoch: ++this.#epoch as Epoch,
        leaseMs: this.#leaseMs,
        messageBytesMax: 256 * 1024,
        inlineBytesMax: 64 * 1024,
        blobBytesMax: 64 * 1024 * 1024,
        chunkBytesMax: 64 * 1024,
        keep,
        drop,
        checkpoints: false,
        stationId: this.stationId,
      },
    });
  }

  #serve(
    clientId: string,
    correlationId: number,
    { digest, offset, length }: { digest: Digest; offset: number; length: number },
  ): void {
    const bytes = this.blobs.get(digest);
    if (bytes === undefined) {
      this.send(clientId, {
        correlationId,
        body: { kind: 'blobRefused', digest, code: 'blob_unknown', detail: 'not here' },
      });
      return;
    }
    const data = bytes.subarray(offset, offset + length);
    const chunk: BlobChunk = { kind: 'blobChunk', digest, offset, data, sizeBytes: bytes.length };
    this.chunksServed += 1;
    this.send(clientId, { correlationId, body: chunk });
  }
}

export function refOf(bytes: Uint8Array): BlobRef {
  return { digest: createHash('sha256').update(bytes).digest('hex') as Digest, sizeBytes: bytes.length };
}

export function leaseOf(instanceId: string, fencingToken = 1): LeaseId {
  return { instanceId: instanceId as InstanceId, fencingToken: fencingToken as FencingToken };
}

/** An offer of a small echo task; its image is empty and so needs no transfer. */
export function echoOffer(instanceId: string, input: Uint8Array, over: Partial<Offer> = {}): Offer {
  return {
    kind: 'offer',
    lease: leaseOf(instanceId),
    leaseMs: 15_000,
    taskId: `task-${instanceId}` as TaskId,
    attempt: 1,
    algorithmId: 'echo' as AlgorithmId,
    algorithmVersion: '1',
    runtime: 'echo',
    image: refOf(new Uint8Array()),
    args: [],
    input: { where: 'inline', bytes: input },
    demand: { cpuMillicores: 100, memoryMib: 16, threads: 1 },
    limits: { cpuMs: 10_000, wallMs: 10_000, memoryMib: 64, outputBytes: 64 * 1024 * 1024 },
    seed: new Uint8Array(16),
    ...over,
  };
}
