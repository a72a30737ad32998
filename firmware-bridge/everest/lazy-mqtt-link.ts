/** The link over MQTT, loaded when it is started: a pile without EVerest does not pay 16 MiB for a client that it never uses. */
import type { EverestLink, EverestLinkHandlers, MqttLinkOptions } from './everest-link.ts';

export class LazyMqttLink implements EverestLink {
  readonly #options: MqttLinkOptions;
  #link: EverestLink | undefined;
  #starting: Promise<void> | undefined;
  #isStopped = false;

  constructor(options: MqttLinkOptions) {
    this.#options = options;
  }

  start(filters: readonly string[], handlers: EverestLinkHandlers): void {
    this.#starting = this.#load(filters, handlers);
  }

  publish(topic: string, payload: string): Promise<boolean> {
    return this.#link?.publish(topic, payload) ?? Promise.resolve(false);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#starting;
    await this.#link?.stop();
  }

  async #load(filters: readonly string[], handlers: EverestLinkHandlers): Promise<void> {
    const { MqttLink } = await import('./mqtt-link.ts');
    if (this.#isStopped) return;
    this.#link = new MqttLink(this.#options);
    this.#link.start(filters, handlers);
  }
}
