/** A vehicle made of hand-written MQTT bytes that speaks to a whole agent: says what no honest client would. */
import {
  decodeDownFrame,
  downTopic,
  encodeFrame,
  upTopic,
  type ClientName,
  type DownBody,
  type TopicKind,
  type UpBody,
} from '@plugpool/proto';
import { named, packet, publishPacket, RawClient, type ConnectFields } from './broker-raw-client.ts';
import { HARDWARE } from './vehicle-fixtures.ts';

const PUBLISH = 3;

export class RawVehicle {
  readonly client: RawClient;
  readonly name: ClientName;
  #correlationId = 0;
  readonly #heard: DownBody[] = [];

  private constructor(client: RawClient, name: ClientName) {
    this.client = client;
    this.name = name;
  }

  /** Connected and subscribed, and not yet welcomed. */
  static async connect(url: string, clientId: string, fields: ConnectFields = {}): Promise<RawVehicle> {
    const client = new RawClient(Number(new URL(url).port));
    await client.ready(clientId, fields);
    return new RawVehicle(client, named(clientId));
  }

  static async welcomed(url: string, clientId: string): Promise<RawVehicle> {
    const vehicle = await RawVehicle.connect(url, clientId);
    vehicle.sayHello();
    await vehicle.hear('welcome');
    return vehicle;
  }

  /** A donor that takes whatever it is offered, and says nothing of it yet. */
  static async lending(url: string, vehicleId: string): Promise<RawVehicle> {
    const donor = await RawVehicle.welcomed(url, `${vehicleId}.lend`);
    donor.say({
      kind: 'capacity',
      lendable: { cpuMillicores: 4_000, memoryMib: 4_096, gpus: [] },
      lending: true,
      reason: '',
      cachedImages: [],
      allowedAlgorithms: [],
      chargingOnly: false,
    });
    return donor;
  }

  sayHello(): number {
    const hardware = this.name.slot === 'lend' ? { hardware: HARDWARE } : {};
    return this.say({
      kind: 'hello',
      clientVersion: '0.0.1',
      held: [],
      runtimes: ['wasm', 'echo'],
      ...hardware,
    });
  }

  say(body: UpBody): number {
    this.#correlationId += 1;
    const kind = body.kind.startsWith('blob') ? 'blob' : 'frame';
    this.sayBytes(encodeFrame([{ correlationId: this.#correlationId, body }]), kind);
    return this.#correlationId;
  }

  sayBytes(bytes: Buffer, kind: TopicKind = 'frame'): void {
    // At QoS 0, so that nothing but frames comes back.
    this.client.send(publishPacket(upTopic(this.name, kind), bytes, 0, 0));
  }

  /** The next body of that kind; what comes before it is left out. */
  hear<Kind extends DownBody['kind']>(kind: Kind): Promise<Extract<DownBody, { kind: Kind }>> {
    return this.hearEither(kind);
  }

  async hearEither<Kind extends DownBody['kind']>(
    ...kinds: readonly Kind[]
  ): Promise<Extract<DownBody, { kind: Kind }>> {
    for (;;) {
      const body = this.#heard.shift();
      if (body === undefined) this.#heard.push(...(await this.#nextBodies()));
      else if ((kinds as readonly string[]).includes(body.kind))
        return body as Extract<DownBody, { kind: Kind }>;
    }
  }

  async #nextBodies(): Promise<readonly DownBody[]> {
    const { type, body } = await this.client.next();
    if (type !== PUBLISH) return [];
    const topicEnd = 2 + body.readUInt16BE(0);
    const topic = body.subarray(2, topicEnd).toString();
    this.client.send(packet(0x40, body.subarray(topicEnd, topicEnd + 2)));
    const frame = decodeDownFrame(body.subarray(topicEnd + 2));
    if (
      !frame.ok ||
      frame.rejected.length > 0 ||
      !topic.startsWith(downTopic(this.name, 'frame').slice(0, -5))
    )
      throw new Error(`the pile sent what cannot be read on ${topic}`);
    return frame.envelopes.map((envelope) => envelope.body);
  }

  leave(): void {
    this.client.socket.destroy();
  }
}
