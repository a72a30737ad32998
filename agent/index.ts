/** The public entry of the agent: `startAgent` puts one together from a configuration, in the caller's process. */
import { randomBytes, randomInt } from 'node:crypto';
import { pino, type Logger } from 'pino';
import type { FirmwareAdapter, ManualFirmware } from '@plugpool/firmware-bridge';
import { MESSAGE_BYTES_MAX } from '@plugpool/proto';
import { createBlobFiles } from './adapters/blob-files/blob-files.ts';
import { createAedesBroker } from './adapters/broker-aedes/aedes-broker.ts';
import { systemClock } from './adapters/clock-system.ts';
import { ControlServer } from './adapters/control-socket/control-server.ts';
import type { ControlAnswer } from './adapters/control-socket/protocol.ts';
import { createSqliteStore } from './adapters/store-sqlite/store.ts';
import { createVehicleTokens } from './adapters/vehicle-tokens.ts';
import { DiskRoom } from './blobs/disk-room.ts';
import type { Config } from './config/config.ts';
import { controlSocketPath } from './config/data-dir.ts';
import { answerVerb, type Controlled } from './control.ts';
import { CreditCare } from './credits/credit-care.ts';
import { isResident } from './core/clients/standing.ts';
import { Agent } from './daemon.ts';
import { createFirmware } from './firmware-adapters.ts';
import { LedgerCare } from './ledger-care.ts';
import { makeDirectory } from './make-directory.ts';
import { RegularWork } from './regular-work.ts';
import type { BlobStore, Broker } from './ports.ts';
import { createPilePseudonymizer } from './pseudonym-salt.ts';
import { StoreCare } from './store-care.ts';
import { storeErrorOfFile } from './store-error.ts';
import { AGENT_VERSION } from './version.ts';

export { Agent } from './daemon.ts';
export { configOf, type Config } from './config/config.ts';
export type { FirmwareConfig } from './config/firmware/firmware-schema.ts';
export { ConfigError } from './config/problems.ts';
export type { ConfigInput } from './config/schema.ts';
export { controlSocketPath } from './config/data-dir.ts';
export { ControlClient } from './adapters/control-socket/control-client.ts';
export { ControlSocketError } from './adapters/control-socket/control-socket-error.ts';
export type { ControlAnswer } from './adapters/control-socket/protocol.ts';
export { StoreError } from './store-error.ts';

export interface AgentSurroundings {
  /** Default: none is written. */
  readonly log?: Logger;
  /** Our own code broke a promise; the agent does nothing any more. Default: an uncaught exception. */
  readonly fatal?: (error: unknown) => void;
  /** Beside those of the configuration. */
  readonly firmware?: readonly FirmwareAdapter[];
}

export interface RunningAgent {
  readonly agent: Agent;
  readonly address: { readonly host: string; readonly port: number };
  /** `mqtt://host:port`, as vehicles are told it. */
  readonly url: string;
  /** Absent where the configuration names no manual firmware. */
  readonly manual: ManualFirmware | undefined;
  /** What the operator's commands ask, without the socket. */
  control(verb: string, args?: object): Promise<ControlAnswer>;
  /** Once; a second call waits for the first. */
  stop(): Promise<void>;
}

/**
 * Resolves when vehicles and operators are listened to. Rejects with a `StoreError` (held, damaged, newer, …), a
 * `ControlSocketError`, a `FirmwareError`, or an `Error` that says why it cannot listen; nothing is left running then.
 */
export async function startAgent(config: Config, around: AgentSurroundings = {}): Promise<RunningAgent> {
  const log = around.log ?? pino({ level: 'silent' });
  const { dataDir } = config;
  for (const { where, what } of config.outdated)
    log.warn({ key: where, hint: what }, 'an old key of the configuration');
  for (const { where, what } of config.unreached)
    log.warn({ key: where, hint: what }, 'a number of the configuration that is never reached');
  makeDataDir(dataDir);
  const store = createSqliteStore({ dataDir, log });
  const blobs = createBlobs(config, log);
  const tokens = createVehicleTokens({ store, mode: config.tokens, log });
  const pseudonymize = createPilePseudonymizer(dataDir);
  const { adapters, manual } = createFirmware(config.firmware, {
    ...{ station: config.settings.stationId, dataDir, log, pseudonymize },
  });
  const credits = new CreditCare({ store, dataDir, station: config.settings.stationId, pseudonymize });
  const room = new DiskRoom({
    ...{ blobs, store, log, clock: systemClock },
    isResident: (vehicleId) => isResident(agent.state, vehicleId),
  });
  const agent: Agent = new Agent({
    // What is checked by lot must be foreseen by nobody.
    settings: { ...config.settings, seed: randomInt(2 ** 48 - 1), secretKey: drawKey() },
    ...{ store, blobs, room, log, broker: createBroker(config, log) },
    firmware: [...adapters, ...(around.firmware ?? [])],
    clock: systemClock,
    creditOf: (creditId) => credits.signed(creditId),
    authenticate: (name, token) => tokens.authenticate(name, token),
    fatal: around.fatal ?? throwUncaught,
  });
  const care = new StoreCare({ store, clock: systemClock, log, foldEveryMs: config.foldLogEveryMs });
  const ledger = new LedgerCare({
    store,
    clock: systemClock,
    dataDir,
    station: config.settings.stationId,
    operate: (command) => agent.operate(command),
  });
  const about = { version: AGENT_VERSION, dataDir, startedWallMs: Date.now() };
  const controlled: Controlled = {
    ...{
      agent,
      store,
      care,
      ledger,
      credits,
      blobs,
      room,
      tokens,
      manual,
      about,
      pseudonymize,
      clock: systemClock,
    },
    failed: (verb, error) => log.error({ verb, err: error }, 'a verb failed'),
  };
  const control = new ControlServer({
    path: controlSocketPath(dataDir),
    answer: (verb, args) => answerVerb(controlled, verb, args),
  });
  const regular = new RegularWork({ config, agent, care, ledger, log });

  await startOrUndo(agent, control, [care, room]);
  regular.start();
  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    await control.stop();
    await care.stop();
    await room.stop();
    await regular.stop();
    await agent.stop();
  };
  const { address } = agent;
  return {
    ...{ agent, address, manual },
    url: urlOf(address),
    control: (verb, args = {}) => answerVerb(controlled, verb, args),
    stop: () => (stopped ??= stop()),
  };
}

/** 256 bits. */
function drawKey(): number[] {
  const bytes = randomBytes(32);
  return Array.from({ length: 8 }, (_, i) => bytes.readUInt32LE(4 * i));
}

async function startOrUndo(
  agent: Agent,
  control: ControlServer,
  cares: readonly (StoreCare | DiskRoom)[],
): Promise<void> {
  try {
    await agent.start();
    for (const care of cares) await care.start();
    await control.start();
  } catch (error) {
    // The store closes itself where it could not be opened; whatever came after it is stopped.
    for (const care of cares) await care.stop();
    if (hasState(agent)) await agent.stop();
    throw error;
  }
}

function hasState(agent: Agent): boolean {
  try {
    void agent.state;
    return true;
  } catch {
    return false;
  }
}

function makeDataDir(dataDir: string): void {
  try {
    makeDirectory(dataDir);
  } catch (error) {
    throw storeErrorOfFile(error, `make the data directory ${dataDir}`);
  }
}

function createBlobs({ dataDir, blobsBytesMax, keepFreeBytes }: Config, log: Logger): BlobStore {
  const ignored = (path: string): void => log.warn({ path }, 'a file among the blobs is none of ours');
  return createBlobFiles({ dataDir, totalBytesMax: blobsBytesMax, keepFreeBytes, ignored });
}

function createBroker(config: Config, log: Logger): Broker {
  const { listen, connectionsMax, connectionsPerVehicleMax, messagesPerSecondMax } = config;
  const limits = { connectionsMax, connectionsPerVehicleMax, messagesPerSecondMax };
  return createAedesBroker({ listen, ...limits, messageBytesMax: MESSAGE_BYTES_MAX, log });
}

function urlOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return `mqtt://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function throwUncaught(error: unknown): void {
  setImmediate(() => {
    throw error;
  });
}
