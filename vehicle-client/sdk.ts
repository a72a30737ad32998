/** The way in for a program that asks for computing power: connect, request, read the result. docs/sdk.md leads through it. */
import { randomBytes } from 'node:crypto';
import type { Slot, VehicleId } from '@plugpool/proto';
import { systemClock } from './adapters/clock-system.ts';
import { MqttLink } from './adapters/link-mqtt.ts';
import { loadOrCreateToken } from './adapters/token-file.ts';
import { dataPaths, defaultDataDir, parseVehicleId } from './data-dir.ts';
import type { Clock, Link, Log } from './ports.ts';
import { CONNECT_TIMEOUT_MS_DEFAULT, Requester } from './requester.ts';

export interface ConnectOptions {
  /** The pile's address: `mqtt://host:port`. */
  readonly agent: string;
  /** 1 to 64 letters, digits, `_` and `-`. */
  readonly vehicleId: string;
  /** Absent: the token in the data directory, made at first use. */
  readonly token?: string | undefined;
  /** Where the token file is; absent: `$XDG_STATE_HOME/plugpool-vehicle/<vehicleId>`. */
  readonly dataDir?: string | undefined;
  /** False: acknowledge each result yourself with `result.acknowledge()` once it is stored. Default true. */
  readonly autoAck?: boolean | undefined;
  /** How long to wait for the pile's welcome. Default 10 s. */
  readonly connectTimeoutMs?: number | undefined;
  /** Anything with pino's methods; absent: silence. */
  readonly log?: Log | undefined;
  readonly clock?: Clock | undefined;
  /** Instead of MQTT to `agent`; for tests and for cars with ways of their own. */
  readonly link?: Link | undefined;
}

export const SILENT_LOG: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** Connects and waits for the pile's welcome. Rejects with a `PlugpoolError` whose hint says what to do. */
export async function connectRequester(options: ConnectOptions): Promise<Requester> {
  const vehicleId = parseVehicleId(options.vehicleId);
  const clock = options.clock ?? systemClock;
  const requester = new Requester({
    link: options.link ?? linkTo(options, vehicleId, clock),
    clock,
    log: options.log ?? SILENT_LOG,
    autoAck: options.autoAck ?? true,
    connectTimeoutMs: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS_DEFAULT,
  });
  await requester.connect();
  return requester;
}

function linkTo(options: ConnectOptions, vehicleId: VehicleId, clock: Clock): Link {
  const token =
    options.token ?? loadOrCreateToken(dataPaths(options.dataDir ?? defaultDataDir(vehicleId)).token);
  return new MqttLink({ agentUrl: options.agent, vehicleId, slot: newAskSlot(), token, clock });
}

/** A slot of its own for each client, so that several programs of one vehicle may ask at once. */
function newAskSlot(): Slot {
  return `ask-${randomBytes(4).toString('hex')}` as Slot;
}
