/** The car's signals from a broker on board: each from a topic of its own, out of the JSON or the bare number found there. */
import { connect, type MqttClient } from 'mqtt';
import type { VehicleSignals } from '../core/policy.ts';
import type { Clock, Log, VehicleSignalsSource } from '../ports.ts';

/** A signal that was not heard for so long is not told any more. */
export const SIGNAL_STALE_MS_DEFAULT = 5 * 60_000;
const RECONNECT_EVERY_MS = 5_000;
const PAYLOAD_BYTES_MAX = 64 * 1024;

export type SignalName = keyof VehicleSignals;

export interface SignalTopic {
  readonly topic: string;
  /** Keys and indexes into the JSON, with dots between; absent: the payload is the value. */
  readonly path?: string | undefined;
}

export interface MqttSignalsOptions {
  readonly url: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly topics: Readonly<Partial<Record<SignalName, SignalTopic>>>;
  readonly staleMs?: number | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

interface Heard {
  readonly value: number | 'on' | 'off';
  readonly atMonoMs: number;
}

export class MqttSignals implements VehicleSignalsSource {
  readonly #options: MqttSignalsOptions;
  readonly #byTopic = new Map<string, SignalName[]>();
  readonly #heard = new Map<SignalName, Heard>();
  readonly #warned = new Set<SignalName>();
  #client: MqttClient | undefined;

  constructor(options: MqttSignalsOptions) {
    this.#options = options;
    for (const [name, topic] of Object.entries(options.topics)) {
      const names = this.#byTopic.get(topic.topic) ?? [];
      names.push(name as SignalName);
      this.#byTopic.set(topic.topic, names);
    }
  }

  /** Does not wait for the broker: a car that tells nothing yet is a car that tells nothing. */
  start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { url, username, password, log } = this.#options;
    const client = connect(url, {
      protocolVersion: 4,
      clean: true,
      resubscribe: false,
      reconnectPeriod: RECONNECT_EVERY_MS,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
    });
    this.#client = client;
    client.on('connect', () => client.subscribe([...this.#byTopic.keys()], { qos: 0 }));
    client.on('message', (topic, payload) => this.#received(topic, payload));
    let wasTold = false;
    client.on('error', (error) => {
      if (!wasTold) log.warn({ url, err: error.message }, "no connection to the car's broker; trying again");
      wasTold = true;
    });
    client.on('connect', () => (wasTold = false));
    return Promise.resolve();
  }

  latest(): VehicleSignals {
    const oldestMonoMs = this.#options.clock.monoMs() - (this.#options.staleMs ?? SIGNAL_STALE_MS_DEFAULT);
    const fresh = [...this.#heard].filter(([, heard]) => heard.atMonoMs >= oldestMonoMs);
    return Object.fromEntries(fresh.map(([name, heard]) => [name, heard.value]));
  }

  async stop(): Promise<void> {
    await this.#client?.endAsync(true);
    this.#client = undefined;
  }

  #received(topic: string, payload: Uint8Array): void {
    if (payload.length > PAYLOAD_BYTES_MAX) return;
    const text = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('utf8');
    for (const name of this.#byTopic.get(topic) ?? []) {
      const value = parseSignal(name, text, this.#options.topics[name]?.path);
      if (value !== undefined) this.#heard.set(name, { value, atMonoMs: this.#options.clock.monoMs() });
      else this.#warnOnce(name, topic);
    }
  }

  #warnOnce(name: SignalName, topic: string): void {
    if (this.#warned.has(name)) return;
    this.#warned.add(name);
    this.#options.log.warn({ signal: name, topic }, 'a signal could not be read from what the car sent');
  }
}

const PERCENT_NAMES: ReadonlySet<SignalName> = new Set(['socPercent', 'socTargetPercent']);
const ON = new Set(['on', 'true', '1']);
const OFF = new Set(['off', 'false', '0']);

/** The signal's value in a payload, or undefined where there is none that makes sense. */
export function parseSignal(
  name: SignalName,
  payload: string,
  path?: string,
): number | 'on' | 'off' | undefined {
  const found = path === undefined ? payload.trim() : findInJson(payload, path);
  if (typeof found !== 'string' && typeof found !== 'number' && typeof found !== 'boolean') return undefined;
  if (found === '') return undefined;
  if (name === 'ignition') {
    const word = String(found).toLowerCase();
    return ON.has(word) ? 'on' : OFF.has(word) ? 'off' : undefined;
  }
  // A ready-by time may be given as cars do, in ISO 8601.
  const number =
    name === 'readyByWallMs' && Number.isNaN(Number(found)) ? Date.parse(String(found)) : Number(found);
  if (!Number.isFinite(number)) return undefined;
  if (PERCENT_NAMES.has(name) && (number < 0 || number > 100)) return undefined;
  return number;
}

function findInJson(payload: string, path: string): unknown {
  try {
    let value: unknown = JSON.parse(payload);
    for (const key of path.split('.')) {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
      value = (value as Record<string, unknown>)[key];
    }
    return value;
  } catch {
    return undefined;
  }
}
