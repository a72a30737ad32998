/** The configuration in force, in the types of those who use it. */
import {
  BLOB_BYTES_MAX,
  CHUNK_BYTES_MAX,
  INLINE_BYTES_MAX,
  MESSAGE_BYTES_MAX,
  STATUS_TASKS_MAX,
} from '@plugpool/proto';
import { resolve } from 'node:path';
import type { TokenMode } from '../adapters/vehicle-tokens.ts';
import { toTariff } from './ledger-schema.ts';
import { knownVehicles } from '../core/donors/known-vehicles.ts';
import { DEFAULT_SETTINGS, type Settings } from '../core/settings.ts';
import { defaultDataDir } from './data-dir.ts';
import { ms } from './fields.ts';
import { toFirmware, type FirmwareConfig } from './firmware/firmware-schema.ts';
import { toPower } from './power-schema.ts';
import { outdatedKeys, unreachedKeys } from './remarks.ts';
import { ConfigError, problemsOf, type ConfigProblem } from './problems.ts';
import { toZone } from './site-schema.ts';
import { configSchema, type LogLevel, type ConfigFile, type ConfigInput } from './schema.ts';
import { keysAt } from './schema-keys.ts';
import { fixedTimeZone, systemTimeZone } from './time-zone.ts';

export interface Config {
  /** Absolute. */
  readonly dataDir: string;
  readonly listen: string;
  readonly tokens: TokenMode;
  readonly logLevel: LogLevel;
  readonly connectionsMax: number;
  readonly connectionsPerVehicleMax: number;
  readonly messagesPerSecondMax: number;
  readonly blobsBytesMax: number;
  readonly keepFreeBytes: number;
  readonly settings: Settings;
  readonly firmware: readonly FirmwareConfig[];
  readonly housekeepingCron: string;
  readonly settleCron: string;
  readonly foldLogEveryMs: number;
  readonly storeCheckCron: string;
  /** Keys that still work and should go: what to write instead. */
  readonly outdated: readonly ConfigProblem[];
  /** Keys whose number something else never lets come to be: by what, and what to write. */
  readonly unreached: readonly ConfigProblem[];
}

/** For a program that embeds an agent: the same keys as a configuration file. Throws a `ConfigError`. */
export function configOf(input: ConfigInput = {}): Config {
  const parsed = configSchema.safeParse(input);
  if (parsed.success) return toConfig(parsed.data);
  const context = { origin: () => '', keysAt };
  throw new ConfigError(parsed.error.issues.flatMap((issue) => problemsOf(issue, context)));
}

export function toConfig(file: ConfigFile, env: NodeJS.ProcessEnv = process.env): Config {
  const { broker, storage } = file;
  return {
    dataDir: file.dataDir === undefined ? defaultDataDir(env) : resolve(file.dataDir),
    listen: file.listen,
    tokens: file.tokens,
    logLevel: file.logLevel,
    connectionsMax: broker.connectionsMax,
    connectionsPerVehicleMax: broker.connectionsPerVehicleMax,
    messagesPerSecondMax: broker.messagesPerSecondMax,
    blobsBytesMax: storage.blobsMib * 1024 * 1024,
    keepFreeBytes: storage.keepFreeMib * 1024 * 1024,
    settings: toSettings(file),
    firmware: file.firmware.map(toFirmware),
    housekeepingCron: file.housekeeping.cron,
    settleCron: file.housekeeping.settleCron,
    foldLogEveryMs: ms(storage.foldLogEvery),
    storeCheckCron: storage.checkCron,
    outdated: outdatedKeys(file),
    unreached: unreachedKeys(file),
  };
}

function dwellTimeZone(dwell: ConfigFile['dwell'], ledger: ConfigFile['ledger']): string {
  if (dwell.utcOffsetMinutes !== undefined) return fixedTimeZone(dwell.utcOffsetMinutes);
  return dwell.timeZone ?? ledger.timeZone ?? systemTimeZone();
}

/** Every one by name, so that the type tells of one that no key sets. */
function toSettings({
  station,
  policy,
  pools,
  dwell,
  ledger,
  tariffs,
  power,
  credits,
  vehicles,
  zones,
}: ConfigFile): Settings {
  const { checkpoint, largestDonor, latencyClasses, stayBar } = policy;
  return {
    wire: {
      messageBytesMax: MESSAGE_BYTES_MAX,
      inlineBytesMax: INLINE_BYTES_MAX,
      blobBytesMax: BLOB_BYTES_MAX,
      chunkBytesMax: CHUNK_BYTES_MAX,
      statusTasksMax: STATUS_TASKS_MAX,
    },
    stationId: station,
    leaseMs: ms(policy.lease),
    revokeGraceMs: ms(policy.revokeGrace),
    unverifiedGraceMs: ms(policy.unverifiedGrace),
    capacityStaleMs: ms(policy.capacityStale),
    restMs: ms(policy.rest),
    departuresMax: policy.departuresMax,
    crashesMax: policy.crashesMax,
    deadlineDefaultMs: ms(policy.deadlineDefault),
    deadlineMaxMs: ms(policy.deadlineMax),
    openTasksMax: policy.openTasksMax,
    openTasksPerVehicleMax: policy.openTasksPerVehicleMax,
    latencyClassesMs: [ms(latencyClasses.latency), ms(latencyClasses.soon), ms(latencyClasses.some)],
    manyInstances: policy.manyInstances,
    stayBarMillis: [
      millis(stayBar.normal),
      millis(stayBar.some),
      millis(stayBar.soon),
      millis(stayBar.latency),
    ],
    ageBoundMs: ms(policy.ageBound),
    dueEvery: policy.dueEvery,
    preemptAfterMs: ms(policy.preemptAfter),
    transferBytesPerMs: (policy.transferMibPerS * 1024 * 1024) / 1000,
    checkpoints: checkpoint.keep,
    checkpointGraceMs: ms(checkpoint.grace),
    checkpointBeforeMs: ms(checkpoint.before),
    suspendedMaxMs: ms(checkpoint.suspendedMax),
    checkpointCostMs: ms(checkpoint.cost),
    graceFailsMillis: millis(checkpoint.graceFails),
    progressMinMs: ms(checkpoint.progressMin),
    blobWaitMs: ms(policy.blobWait),
    lendingStates: policy.lendingStates,
    identityAssurance: policy.identityAssurance,
    plugCodes: policy.plugCodes,
    copresence: policy.copresence,
    operatorShareMillis: Math.round(policy.operatorSharePercent * 10),
    coreDrawsMw: Math.round(ledger.coreDrawsW * 1000),
    gpuDrawsMw: Math.round(ledger.gpuDrawsW * 1000),
    computingPowerMaxMw: Math.round(ledger.computingPowerMaxW * 1000),
    unprovenMncsPerDay: Math.round(ledger.unprovenCoreHoursPerDay * 3600 * 1000),
    tariffs: tariffs.map((tariff) => toTariff(tariff, ledger.timeZone ?? systemTimeZone())),
    ...(ledger.overstayAfter === undefined ? {} : { overstayAfterMs: ms(ledger.overstayAfter) }),
    largestDonor: {
      cpuMillicores: largestDonor.cpuMillicores,
      memoryMib: largestDonor.memoryMib,
      gpus: largestDonor.gpus.map((gpu) => ({ ...gpu, deviceId: '*' })),
    },
    retentionMs: ms(policy.retention),
    runTimeFactor: policy.runTimeFactor,
    runTimeFloorMs: ms(policy.runTimeFloor),
    referenceMachine: policy.referenceMachine,
    dwell: {
      mode: 'learned',
      timeZone: dwellTimeZone(dwell, ledger),
      halfLifeMs: ms(dwell.halfLife),
    },
    subPools: pools.enabled,
    poolLowMillis: Math.round(pools.lowPercent * 10),
    poolHighMillis: Math.round(pools.highPercent * 10),
    poolWindowMs: ms(pools.window),
    poolCooldownMs: ms(pools.cooldown),
    poolMinimumMillis: Math.round(pools.minimumPercent * 10),
    poolReserveMillis: Math.round(pools.reservePercent * 10),
    poolHalfLifeMs: ms(pools.halfLife),
    deployImagesMax: pools.imagesPerVehicle,
    usageHalfLifeMs: ms(policy.usageHalfLife),
    // Drawn anew at each start (agent/index.ts).
    seed: DEFAULT_SETTINGS.seed,
    secretKey: DEFAULT_SETTINGS.secretKey,
    trustAfter: policy.trust.after,
    trustHalfLifeMs: ms(policy.trust.halfLife),
    auditFloorMillis: millis(policy.trust.checkedMin),
    spotCheckMillis: millis(policy.trust.spotChecks),
    confirmWithinMs: ms(policy.trust.confirmWithin),
    healthHalfLifeMs: ms(policy.health.halfLife),
    healthFaultsMax: policy.health.faultsMax,
    healthSlowFactor: policy.health.slowFactor,
    healthRestMs: ms(policy.health.rest),
    healthRestMaxMs: ms(policy.health.restMax),
    credits,
    power: toPower(power),
    vehicles: knownVehicles(vehicles),
    zones: zones.map(toZone),
  };
}

/** Of a part of 1. */
function millis(part: number): number {
  return Math.round(part * 1000);
}
