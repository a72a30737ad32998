/** Simulated EVSEs of EVerest on a real broker: they publish, beat once a second, answer, and come back when the broker does. */
import { connectAsync, type MqttClient } from 'mqtt';
import { SimulatedEverest, type PublishedMessage } from './simulated-everest.ts';

const BEAT_MS = 1_000;

export class LiveEverest {
  /** What the agent sent, by topic. */
  readonly received: PublishedMessage[] = [];
  readonly evses: readonly SimulatedEverest[];
  readonly #client: MqttClient;
  readonly #beat: NodeJS.Timeout;
  readonly #silent = new Set<number>();
  #told: (() => void)[] = [];

  constructor(client: MqttClient, count: number) {
    this.#client = client;
    this.evses = Array.from({ length: count }, (_, index) => this.#evse(index + 1));
    client.on('connect', () => client.subscribe('everest_api/1/+/+/m2e/#'));
    client.on('error', () => undefined);
    client.on('message', (topic, payload) => this.#hear(topic, payload));
    this.#beat = setInterval(() => this.everySecond(), BEAT_MS);
  }

  /** Its module says nothing any more. */
  silence(index: number): void {
    this.#silent.add(index);
  }

  everySecond(): void {
    for (const [index, evse] of this.evses.entries()) {
      if (this.#silent.has(index)) continue;
      if (evse.state === 'Unplugged') evse.heartbeat();
      else evse.everySecond();
    }
  }

  /** Resolves when the agent has sent something with this name. */
  async hears(name: string): Promise<PublishedMessage> {
    for (;;) {
      const found = this.received.find(({ topic }) => topic.endsWith(`/m2e/${name}`));
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#told.push(resolve));
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#beat);
    await this.#client.endAsync(true);
  }

  #evse(evseId: number): SimulatedEverest {
    return new SimulatedEverest({
      module: `evse_${evseId}_api`,
      evseId,
      nowWallMs: () => Date.now(),
      publish: ({ topic, payload }) => {
        if (this.#client.connected) this.#client.publish(topic, JSON.stringify(payload), { qos: 1 });
      },
    });
  }

  #hear(topic: string, text: Buffer): void {
    const payload: unknown = JSON.parse(text.toString());
    this.received.push({ topic, payload });
    const { headers } = (payload ?? {}) as { readonly headers?: { readonly replyTo: string } };
    const evse = this.evses.find((_, index) => topic.includes(`/evse_${index + 1}_api/m2e/get_evse`));
    if (headers !== undefined) evse?.answerEvse(headers.replyTo);
    for (const told of this.#told.splice(0)) told();
  }
}

export async function openLiveEverest(url: string, evses: number): Promise<LiveEverest> {
  const client = await connectAsync(url, { protocolVersion: 4, reconnectPeriod: 50, queueQoSZero: false });
  const live = new LiveEverest(client, evses);
  await client.subscribeAsync('everest_api/1/+/+/m2e/#');
  return live;
}
