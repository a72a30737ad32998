/**
 * A car that lends, with its driver: it is plugged in, charges, is used, leaves and comes back; its program runs, crashes, starts
 * again. Law 9 is looked at from here: what computing may never cost the driver.
 */
import type { HardwareProfile, UpBody, VehicleId } from '@plugpool/proto';
import type { OwnerPolicy, ProbeSample, VehicleSignals } from '../../vehicle-client/core/policy.ts';
import { Battery, COMPUTING_W } from './battery.ts';
import type { Chance } from './chance.ts';
import { MachineClock } from './machine-clock.ts';
import type { DonorDisk } from './donor-surroundings.ts';
import { SimulatedDonor } from './simulated-donor.ts';
import { CAR_DRAWS_MW, type Connector, type Station } from './station.ts';
import type { World } from './world.ts';

export interface CarParts {
  readonly world: World;
  readonly vehicleId: VehicleId;
  readonly chance: Chance;
  readonly hardware: HardwareProfile;
  /** It returns wrong results, half of the time. */
  readonly isLiar: boolean;
  readonly driftPpm: number;
  readonly wallMs: number;
}

const SOC_FLOOR_PERCENT = 20;
/** The grace of a battery that is low, and a look at the clock. */
const STOPS_WITHIN_MS = 11_500;
const SAMPLE_EVERY_MAX_MS = 5_000;
/** What computing takes until it has stopped. */
const TARGET_SLACK_PERCENT = 0.03;

export class SimulatedCar {
  readonly vehicleId: VehicleId;
  readonly clock: MachineClock;
  readonly #parts: CarParts;
  readonly #battery: Battery;
  readonly #policy: OwnerPolicy;
  /** A program is set up for one pile: what it keeps for another waits until it is back there. */
  readonly #disks = new Map<Station, DonorDisk>();
  #station: Station | undefined;
  #place: { readonly station: Station; readonly connector: Connector } | undefined;
  #donor: SimulatedDonor | undefined;
  /** One in eight claims ten times what it did. */
  readonly #greed: number;
  #isComing = false;
  #ignition: 'on' | 'off' = 'off';
  #temperatureC = 40;
  #usedByOthersMillicores = 0;
  /** True time. */
  #readyByMs: number | undefined;
  #targetPercent = 80;
  /** What computing had taken when charging was cut short, as far as the target was not at risk until then. */
  #forgivenPercent = 0;
  #supplyW = 0;
  #belowSinceMs = Infinity;

  constructor(parts: CarParts) {
    this.#parts = parts;
    this.vehicleId = parts.vehicleId;
    const { agenda } = parts.world;
    this.clock = new MachineClock(agenda, parts.driftPpm, parts.wallMs);
    this.#battery = new Battery(agenda, 60, parts.chance.between(15, 90));
    this.#greed = parts.chance.is(125) ? 10 : 1;
    this.#policy = {
      cpuPercent: 100,
      memoryPercent: 75,
      gpuPercent: 100,
      socFloorPercent: SOC_FLOOR_PERCENT,
      temperatureMaxC: 85,
      hours: [],
      chargingOnly: parts.chance.is(300),
      allowedAlgorithms: [],
      computingPowerW: COMPUTING_W,
    };
  }

  /** Into a free connector of it, where there is one. */
  arrive(station: Station): void {
    const { chance, world } = this.#parts;
    const connector = station.connectors.find(({ vehicleId }) => vehicleId === undefined);
    if (this.#place !== undefined || connector === undefined) return;
    this.#place = { station, connector };
    if (this.#station !== station) this.#stopProgram(true);
    this.#station = station;
    this.#ignition = 'off';
    station.plug(connector, this.vehicleId);
    this.#supplies();
    const readyByMs = chance.is(600) ? world.agenda.nowMs + this.#plan() : undefined;
    // Who is as good as full has nothing to wait for.
    this.#readyByMs = this.#isTopUp ? undefined : readyByMs;
    this.#forgivenPercent = 0;
    this.#watchTarget();
    this.#donor?.look();
    this.#boot();
  }

  get #isTopUp(): boolean {
    return this.#supplyW > 0 && this.#supplyW * 1_000 < CAR_DRAWS_MW;
  }

  /** A little more than there is, by when charging alone just makes it, or easily; returns how long that is. */
  #plan(): number {
    const { chance } = this.#parts;
    const missingPercent = chance.between(0.3, 2);
    this.#targetPercent = Math.min(99, this.#battery.socPercent + missingPercent);
    const neededMs = ((missingPercent * 10 * this.#battery.kwh) / Math.max(1, this.#supplyW)) * 3_600_000;
    return neededMs * (chance.is(500) ? chance.between(1.01, 1.2) : chance.between(1.2, 3));
  }

  get #disk(): DonorDisk {
    const station = this.#station;
    if (station === undefined) throw new Error(`${this.vehicleId} was nowhere yet`);
    const disk = this.#disks.get(station) ?? {
      outbox: new Map(),
      images: new Set(),
      owner: { paused: false },
    };
    this.#disks.set(station, disk);
    return disk;
  }

  #boot(): void {
    const { world, chance, hardware, vehicleId } = this.#parts;
    const station = this.#station;
    if (station === undefined || this.#place === undefined || this.#donor !== undefined) return;
    const { options, network, agenda } = world;
    const donor = new SimulatedDonor(
      {
        vehicleId,
        agenda,
        chance: chance.fork(),
        clock: this.clock,
        hardware,
        disk: this.#disk,
        policy: this.#policy,
        greed: this.#greed,
        ...(station.isMetered ? { measuresW: COMPUTING_W } : {}),
        lies: () => this.#parts.isLiar && chance.is(500),
        // Who must be ready soon looks more often at whether he will be.
        sampleEveryMs: () =>
          this.#readyByMs === undefined
            ? options.sampleEveryMs
            : Math.min(SAMPLE_EVERY_MAX_MS, options.sampleEveryMs),
        reportEveryMs: options.settings.capacityStaleMs / 3,
        sample: () => this.#sample(),
        signals: () => this.#signals(),
        loadChanged: (running) => this.#battery.load(running),
        began: (offer) => this.#watcher(station)?.began(vehicleId, offer),
        ended: (offer) => this.#watcher(station)?.ended(vehicleId, offer),
      },
      {
        clientId: `${vehicleId}.lend`,
        network,
        chance: chance.fork(),
        asBytes: options.asBytes,
        record: world.recorder(station),
        listener: () => (this.#place === undefined ? undefined : station.agent),
      },
    );
    this.#donor = donor;
    donor.start();
  }

  #watcher(station: Station) {
    return this.#parts.world.watchers[this.#parts.world.stations.indexOf(station)];
  }

  #sample(): ProbeSample {
    this.#looked();
    const { cores, memoryMib, gpus } = this.#parts.hardware;
    return {
      cpuTotalMillicores: cores * 1000,
      cpuUsedByOthersMillicores: this.#usedByOthersMillicores,
      memoryTotalMib: memoryMib,
      memoryIdleMib: memoryMib,
      gpus: gpus.map(({ deviceId, model, vramMib }) => ({
        deviceId,
        model,
        vramMib,
        vramUsedByOthersMib: 0,
        usedByOthersMillis: 0,
      })),
      temperatureC: this.#temperatureC,
      load1: 0,
    };
  }

  #signals(): VehicleSignals {
    return {
      socPercent: this.#battery.socPercent,
      socTargetPercent: this.#targetPercent,
      chargingPowerW: Math.max(0, this.#battery.netW),
      batteryKwh: this.#battery.kwh,
      ignition: this.#ignition,
      ...(this.#readyByMs === undefined ? {} : { readyByWallMs: this.clock.wallAt(this.#readyByMs) }),
    };
  }

  /** Law 9: the floor is kept, or nothing computes; it takes a look at the battery to know, and the grace to stop. */
  #looked(): void {
    const { agenda, options } = this.#parts.world;
    const isBelow = (this.#donor?.running ?? 0) > 0 && this.#battery.socPercent < SOC_FLOOR_PERCENT;
    if (!isBelow) this.#belowSinceMs = Infinity;
    else this.#belowSinceMs = Math.min(this.#belowSinceMs, agenda.nowMs);
    const belowMs = agenda.nowMs - this.#belowSinceMs;
    if (belowMs > STOPS_WITHIN_MS + options.sampleEveryMs)
      this.#parts.world.violated(
        `law 9: ${this.vehicleId} computes for ${Math.round(belowMs)} ms below its floor`,
      );
  }

  /** Law 9: what would have been reached without computing is reached with it. */
  #watchTarget(): void {
    const readyByMs = this.#readyByMs;
    if (readyByMs === undefined) return;
    const { world } = this.#parts;
    const place = this.#place;
    world.agenda.at(readyByMs, () => {
      if (this.#place !== place || this.#readyByMs !== readyByMs) return;
      this.#readyByMs = undefined;
      const { socPercent, untouchedPercent } = this.#battery;
      const misses = socPercent < this.#targetPercent - TARGET_SLACK_PERCENT - this.#forgivenPercent;
      if (misses && untouchedPercent >= this.#targetPercent)
        world.violated(
          `law 9: ${this.vehicleId} has ${socPercent.toFixed(2)} % when it should be ready with ${this.#targetPercent.toFixed(2)} %, and ${untouchedPercent.toFixed(2)} % without computing`,
        );
    });
  }

  /** What flows is what the connector gives. */
  #supplies(): void {
    const gives =
      this.#place?.connector.supply === 'charging' && this.#place.connector.vehicleId === this.vehicleId;
    const supplyW = gives ? (this.#place?.connector.drawsW ?? 0) : 0;
    if (supplyW < this.#supplyW) this.#cutShort();
    this.#supplyW = supplyW;
    this.#battery.charge(this.#supplyW);
    this.#place?.connector.meter?.flows(this.#supplyW);
  }

  /** Nobody can know it before: what was on its way to the target until now has kept law 9. */
  #cutShort(): void {
    if (this.#readyByMs === undefined) return;
    const { socPercent, untouchedPercent, kwh } = this.#battery;
    const leftHours = (this.#readyByMs - this.#parts.world.agenda.nowMs) / 3_600_000;
    const reachedPercent = socPercent + (this.#supplyW * leftHours) / (10 * kwh);
    if (reachedPercent >= this.#targetPercent - TARGET_SLACK_PERCENT)
      this.#forgivenPercent = untouchedPercent - socPercent;
  }

  supplyChanged(connector: Connector): void {
    if (this.#place?.connector === connector) this.#supplies();
  }

  leave(isNoticed: boolean): void {
    const place = this.#place;
    if (place === undefined) return;
    this.#place = undefined;
    this.#readyByMs = undefined;
    place.station.unplug(place.connector, isNoticed);
    place.connector.meter?.flows(0);
    this.#battery.charge(0);
    // It drives out of reach with its program running, as likely as not.
    if (this.#parts.chance.is(500)) this.#stopProgram(false);
    else {
      this.#donor?.cut('both');
      this.#ignition = this.#parts.chance.is(500) ? 'on' : 'off';
      this.#donor?.update();
    }
    this.#battery.set(this.#parts.chance.between(10, 90));
  }

  #stopProgram(hasPower: boolean): void {
    this.#donor?.die(hasPower);
    this.#donor = undefined;
  }

  /** Its program dies, and is started again by and by. */
  crash(hasPower: boolean): void {
    if (this.#donor === undefined || this.#isComing) return;
    this.#stopProgram(hasPower);
    this.#isComing = true;
    const { world, chance } = this.#parts;
    world.agenda.after(chance.between(100, 30_000), () => {
      this.#isComing = false;
      this.#boot();
    });
  }

  /** Says what another one should say: nothing may come of it. */
  lie(body: UpBody): void {
    this.#donor?.lie(body);
  }

  cut(way: 'up' | 'down' | 'both'): void {
    this.#donor?.cut(way);
  }

  /** Something that a nervous driver does. */
  actUp(): void {
    if (this.#station === undefined) return;
    const { chance, world, hardware } = this.#parts;
    const { owner } = this.#disk;
    const lastsMs = chance.between(200, 60_000);
    switch (chance.whole(0, 5)) {
      case 0:
        this.#disk.owner = { ...owner, paused: !owner.paused };
        break;
      case 1:
        this.#ignition = 'on';
        world.agenda.after(lastsMs, () => this.#turn(() => (this.#ignition = 'off')));
        break;
      case 2:
        this.#temperatureC = 90;
        world.agenda.after(lastsMs, () => this.#turn(() => (this.#temperatureC = 40)));
        break;
      case 3:
        this.#usedByOthersMillicores = chance.whole(0, hardware.cores * 1000);
        break;
      case 4:
        this.#disk.owner = { ...owner, leavingAtWallMs: this.clock.wallMs() + chance.whole(1_000, 600_000) };
        world.agenda.after(lastsMs, () => this.#turn(() => (this.#disk.owner = { paused: false })));
        break;
      default:
        this.#unplugAndPlug(lastsMs);
    }
    this.#donor?.update();
  }

  #turn(change: () => void): void {
    change();
    this.#donor?.update();
  }

  /** The cable comes out and goes in again; the program runs on. */
  #unplugAndPlug(afterMs: number): void {
    const place = this.#place;
    if (place === undefined) return;
    place.station.unplug(place.connector, true);
    this.#supplies();
    this.#parts.world.agenda.after(Math.min(afterMs, 5_000), () => {
      if (this.#place !== place || place.connector.vehicleId !== undefined) return;
      place.station.plug(place.connector, this.vehicleId);
      this.#supplies();
    });
  }

  /** The driver is at peace: plugged in, with time, and willing to lend. */
  calm(station: Station): void {
    for (const disk of this.#disks.values()) disk.owner = { paused: false };
    this.#ignition = 'off';
    this.#temperatureC = 40;
    this.#usedByOthersMillicores = 0;
    this.#readyByMs = undefined;
    if (this.#place !== undefined && this.#place.connector.vehicleId === undefined)
      this.#place.station.plug(this.#place.connector, this.vehicleId);
    this.arrive(station);
    if (this.#battery.socPercent < SOC_FLOOR_PERCENT + 5) this.#battery.set(SOC_FLOOR_PERCENT + 5);
    this.#supplies();
    this.#boot();
    this.#donor?.update();
  }
}
