/** The way to EVerest's broker as a port, so that the tests and a replay need none. */
import type { FirmwareClock } from '../clock.ts';

export interface EverestLinkHandlers {
  /** Connected and subscribed: from here on nothing is missed. */
  up(): void;
  down(reason: string): void;
  /** `isRetained`: the broker kept it, and it may be of any age. */
  message(topic: string, payload: Uint8Array, isRetained: boolean): void;
}

export interface EverestLink {
  start(filters: readonly string[], handlers: EverestLinkHandlers): void;
  /** Whether the broker acknowledged it. */
  publish(topic: string, payload: string): Promise<boolean>;
  stop(): Promise<void>;
}

export interface MqttLinkOptions {
  /** `mqtt://host[:port]` or `mqtts://host[:port]`. */
  readonly broker: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly clock: FirmwareClock;
  readonly random?: (() => number) | undefined;
}
