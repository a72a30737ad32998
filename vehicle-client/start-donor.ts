/** The way in for lending: puts a donor together from its configuration and starts it. */
import type { RuntimeKind } from '@plugpool/proto';
import { FileBlobCache } from './adapters/blob-cache.ts';
import { systemClock } from './adapters/clock-system.ts';
import { MqttLink } from './adapters/link-mqtt.ts';
import { readMachineCpuMs } from './adapters/linux-proc.ts';
import { OutputFiles } from './adapters/output-files.ts';
import { SqliteOutbox } from './adapters/outbox-sqlite.ts';
import { meterOff } from './adapters/power-meter/meter-off.ts';
import { SysfsPowerMeter } from './adapters/power-meter/sysfs-power-meter.ts';
import { SystemProbe } from './adapters/probe-systeminformation.ts';
import { StaticSignals } from './adapters/signals-static.ts';
import { loadOrCreateToken, loadToken } from './adapters/token-file.ts';
import type { EnergySetting } from './config-schema.ts';
import type { DonorSettings } from './config.ts';
import { dataPaths, defaultDataDir, parseVehicleId } from './data-dir.ts';
import { Donor, LEND_SLOT } from './donor.ts';
import type { DonorEvent } from './donor.ts';
import type { Clock, Link, Log, PowerMeter, Probe, VehicleSignalsSource } from './ports.ts';
import type { Runtime } from './runtimes/port.ts';
import { SILENT_LOG } from './sdk.ts';

export interface DonorOptions extends DonorSettings {
  /** Absent: the token file. */
  readonly token?: string | undefined;
  readonly log?: Log | undefined;
  readonly clock?: Clock | undefined;
  /** Instead of what the configuration names; for tests and for cars with ways of their own. */
  readonly probe?: Probe | undefined;
  readonly link?: Link | undefined;
  readonly meter?: PowerMeter | undefined;
  readonly machineCpuMs?: (() => number | undefined) | undefined;
  readonly signalsSource?: VehicleSignalsSource | undefined;
  readonly runtimesInstead?: ReadonlyMap<RuntimeKind, Runtime> | undefined;
  /** What happens, for whoever watches. */
  readonly onEvent?: ((event: DonorEvent) => void) | undefined;
  /** From the start of an attempt to the program's first instruction; for benches. */
  readonly onProgramStarted?: ((runtime: RuntimeKind, startMs: number) => void) | undefined;
}

/** Resolves when the donor runs and its first try to connect is under way; it reconnects by itself from then on. */
export async function startDonor(options: DonorOptions, signal?: AbortSignal): Promise<Donor> {
  const vehicleId = parseVehicleId(options.vehicle);
  const dataDir = options.dataDir ?? defaultDataDir(vehicleId);
  const paths = dataPaths(dataDir);
  const clock = options.clock ?? systemClock;
  const log = options.log ?? SILENT_LOG;
  const donor = new Donor({
    vehicleId,
    policy: options.policy,
    connector: options.connector,
    clock,
    log,
    onEvent: options.onEvent,
    link:
      options.link ??
      new MqttLink({
        agentUrl: options.agent,
        vehicleId,
        slot: LEND_SLOT,
        token: tokenOf(options, paths.token),
        clock,
      }),
    probe:
      options.probe ?? new SystemProbe({ ...options.probeSettings, surveyPath: paths.survey, clock, log }),
    signals: options.signalsSource ?? (await signalsOf(options, clock, log)),
    meter: options.meter ?? meterOf(options.energy),
    machineCpuMs: options.machineCpuMs ?? readMachineCpuMs,
    outbox: new SqliteOutbox(dataDir, log),
    outputs: new OutputFiles(paths.outputs),
    cache: new FileBlobCache(paths.blobs, { bytesMax: options.cacheBytesMax }),
    runtimes: options.runtimesInstead ?? (await runtimesOf(options, log)),
  });
  await donor.start(signal);
  return donor;
}

function tokenOf(options: DonorOptions, defaultPath: string): string {
  if (options.token !== undefined) return options.token;
  return options.tokenFile === undefined ? loadOrCreateToken(defaultPath) : loadToken(options.tokenFile);
}

function meterOf(energy: EnergySetting): PowerMeter {
  if (energy === 'off') return meterOff;
  return new SysfsPowerMeter({ only: energy === 'auto' ? undefined : energy });
}

async function signalsOf(options: DonorOptions, clock: Clock, log: Log): Promise<VehicleSignalsSource> {
  const { signals } = options;
  if (signals.adapter === 'static') return new StaticSignals(signals.values);
  const { MqttSignals } = await import('./adapters/signals-mqtt.ts');
  return new MqttSignals({ ...signals, clock, log });
}

async function runtimesOf(options: DonorOptions, log: Log): Promise<ReadonlyMap<RuntimeKind, Runtime>> {
  const { createRuntimes } = await import('./runtimes/registry.ts');
  return createRuntimes({
    kinds: options.runtimes,
    sandbox: options.sandbox,
    warmChildren: options.warmChildren,
    executionProviders: options.executionProviders,
    events: {
      sandboxChosen: (sandbox, reason) => log.info({ sandbox, reason }, 'sandbox chosen'),
      started: (runtime, startMs) => {
        log.debug({ runtime, startMs }, 'program started');
        options.onProgramStarted?.(runtime, startMs);
      },
    },
  });
}
