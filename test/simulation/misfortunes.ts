/**
 * What goes wrong in a simulated world, how often, and how it ends: the network, the disks, agents, vehicles and their drivers, the
 * firmware, clocks, requesters, liars, and what the operator does meanwhile.
 */
import type { FencingToken, LeaseId, UpBody } from '@plugpool/proto';
import { NO_FAULTS } from './faults.ts';
import type { Connector, Station, Supply } from './station.ts';
import type { World } from './world.ts';

/** Much more often than cron does it, and not so often that a run is about nothing else. */
const HOUSEKEEPING_EVERY_MS = 1_800_000;
const DOWN_MS = [200, 20_000] as const;

export class Misfortunes {
  readonly #world: World;
  #questions = 0;

  constructor(world: World) {
    this.#world = world;
  }

  start(): void {
    const { faults, chance, cars, stations, requesters } = this.#world;
    this.#every(faults.network.cutEveryMs, () => this.#cut());
    this.#every(faults.agentDiesEveryMs, () => this.#killAgent());
    this.#every(faults.disk.fullEveryMs, () => this.#fillDisk());
    this.#every(faults.leavesEveryMs, () => this.#leave());
    this.#every(faults.donorDiesEveryMs, () => chance.pick(cars).crash(chance.is(500)));
    this.#every(faults.driverActsEveryMs, () => chance.pick(cars).actUp());
    this.#every(faults.firmwareFailsEveryMs, () => this.#failFirmware());
    this.#every(faults.liesEveryMs, () => this.#lie());
    this.#every(faults.drainsEveryMs, () => this.#drain());
    this.#every(faults.requesterDiesEveryMs, () => this.#killRequester());
    this.#every(faults.cancelEveryMs, () => chance.pick(requesters).cancelOne());
    this.#every(faults.cancelEveryMs, () => chance.pick(requesters).reuseOne());
    this.#every(faults.clockJumpsEveryMs, () => this.#jump());
    this.#every(HOUSEKEEPING_EVERY_MS, () => chance.pick(stations).agent.housekeeping());
  }

  /** As long as there are faults. */
  #every(meanMs: number, act: () => void): void {
    if (!Number.isFinite(meanMs)) return;
    this.#world.agenda.after(this.#world.chance.wait(meanMs), () => {
      if (this.#world.faults === NO_FAULTS) return;
      act();
      this.#every(meanMs, act);
    });
  }

  #cut(): void {
    const { chance } = this.#world;
    const whom = chance.is(500) ? chance.pick(this.#world.cars) : chance.pick(this.#world.requesters);
    whom.cut(chance.pick(['up', 'down', 'both']));
  }

  #killAgent(): void {
    const { chance, agenda } = this.#world;
    const { agent } = chance.pick(this.#world.stations);
    const afterEffects = chance.is(this.#world.faults.diesBetweenEffectsPermille)
      ? chance.whole(0, 6)
      : undefined;
    agent.die(() => agenda.after(chance.between(...DOWN_MS), () => agent.start()), afterEffects);
  }

  #fillDisk(): void {
    const store = this.#world.chance.pick(this.#world.stores);
    store.isFull = true;
    this.#world.agenda.after(this.#world.chance.between(500, 10_000), () => (store.isFull = false));
  }

  #leave(): void {
    const car = this.#world.chance.pick(this.#world.cars);
    car.leave(!this.#world.chance.is(this.#world.faults.unnoticedPermille));
    this.#world.agenda.after(this.#world.chance.between(1_000, 120_000), () =>
      car.arrive(this.#world.chance.pick(this.#world.stations)),
    );
  }

  #failFirmware(): void {
    const { chance, agenda } = this.#world;
    const station = chance.pick(this.#world.stations);
    const connector = chance.pick(station.connectors);
    const lastsMs = chance.between(1_000, 90_000);
    if (chance.is(100)) station.misname(connector, chance.pick(this.#world.cars).vehicleId);
    else if (chance.is(300)) {
      connector.isSilent = true;
      agenda.after(lastsMs, () => (connector.isSilent = false));
    } else if (chance.is(500)) {
      station.loseLink(connector);
      agenda.after(lastsMs, () => station.restoreLink(connector));
    } else {
      this.#supply(station, connector, chance.pick(['suspendedEV', 'suspendedEVSE']));
      agenda.after(lastsMs, () => this.#supply(station, connector, 'charging'));
    }
  }

  /** With the token of the moment from another vehicle, or with an old token from anyone. */
  #lie(): void {
    const { chance, watchers } = this.#world;
    const instances = [...chance.pick(watchers).disk.instances.values()];
    if (instances.length === 0) return;
    const { instanceId, lease } = chance.pick(instances);
    const car = chance.pick(this.#world.cars);
    if (lease === undefined) return;
    const isOther = car.vehicleId !== lease.vehicleId && chance.is(500);
    const fencingToken = (lease.fencingToken - (isOther ? 0 : 1)) as FencingToken;
    car.lie(claimOf({ instanceId, fencingToken }));
  }

  /** For a while; everything is resumed together. */
  #drain(): void {
    const { chance, agenda } = this.#world;
    const index = chance.whole(0, this.#world.stations.length - 1);
    const { vehicleId } = chance.pick(this.#world.cars);
    const isWhole = chance.is(300);
    this.#questions += 1;
    this.#world.watchers[index]?.drainAsked(this.#questions, isWhole ? 'all' : vehicleId);
    const command = { verb: 'drain', ...(isWhole ? {} : { vehicleId }) } as const;
    this.#world.stationOf(index).agent.operate(command, this.#questions);
    agenda.after(chance.between(5_000, 60_000), () => this.#resume(index));
    this.#cap(index);
  }

  /** Where it is switched on. */
  #cap(index: number): void {
    const { chance } = this.#world;
    const { agent, connectors } = this.#world.stationOf(index);
    const { connectorId } = chance.pick(connectors);
    const powerMw = chance.whole(5, 8) * 1_000_000;
    agent.operate({ verb: 'setCap', connectorId, powerMw, forMs: chance.whole(1_000, 300_000) });
  }

  #resume(index: number): void {
    this.#world.watchers[index]?.resumeAsked();
    const { agent } = this.#world.stationOf(index);
    agent.operate({ verb: 'resume' });
    for (const { vehicleId } of this.#world.cars) agent.operate({ verb: 'resume', vehicleId });
  }

  #supply(station: Station, connector: Connector, supply: Supply): void {
    station.supply(connector, supply);
    for (const car of this.#world.cars) car.supplyChanged(connector);
  }

  #killRequester(): void {
    const { chance, agenda } = this.#world;
    const requester = chance.pick(this.#world.requesters);
    if (!requester.isConnected) return;
    requester.die(chance.is(500));
    agenda.after(chance.between(100, 30_000), () => requester.start());
  }

  #jump(): void {
    const { chance } = this.#world;
    const ms = chance.pick([-86_400_000, -60_000, -5_000, 5_000, 60_000, 86_400_000]);
    if (chance.is(500)) chance.pick(this.#world.stations).agent.wall.jump(ms);
    else chance.pick(this.#world.cars).clock.jump(ms);
  }

  /** Everybody is back, and everything works. */
  end(): void {
    const { cars, network, stations, stores } = this.#world;
    this.#world.faults = NO_FAULTS;
    network.faults = NO_FAULTS.network;
    for (const store of stores) {
      store.faults = NO_FAULTS.disk;
      store.isFull = false;
    }
    for (const index of stations.keys()) this.#resume(index);
    for (const [index, car] of cars.entries()) car.calm(this.#world.stationOf(index));
    for (const station of stations) this.#mend(station);
  }

  #mend(station: Station): void {
    station.calm();
    for (const connector of station.connectors) {
      connector.isSilent = false;
      station.restoreLink(connector);
      this.#supply(station, connector, 'charging');
    }
  }
}

function claimOf(lease: LeaseId): UpBody {
  const used = { cpuMs: 1_000, wallMs: 1_000, memoryPeakMib: 1, gpuMs: 0 };
  const output = { where: 'inline', bytes: Uint8Array.of(66, 65, 68) } as const;
  return { kind: 'result', lease, used, outcome: { ok: true, output } };
}
