/** A simulated world: one station or several with their agents, the cars that come and go, those that ask, and all that goes wrong. */
import type { FencingToken, HardwareProfile, LeaseId, RequestId, UpBody, VehicleId } from '@plugpool/proto';
import type { Settings } from '../../agent/core/settings.ts';
import { Agenda } from './agenda.ts';
import { SimulatedCar } from './simulated-car.ts';
import { Chance } from './chance.ts';
import { NO_FAULTS, type Faults } from './faults.ts';
import { FlakyStore, type KeepingDisk } from './flaky-store.ts';
import type { HistoryEntry } from './history.ts';
import { LawWatcher } from './law-watcher.ts';
import { Network } from './network.ts';
import { FAILS, type Program } from './programs.ts';
import { SimulatedAgent } from './simulated-agent.ts';
import { SimulatedRequester } from './simulated-requester.ts';
import type { Metering } from './simulated-meter.ts';
import { Station, type Connector, type Meters, type Supply } from './station.ts';

export interface WorldOptions {
  readonly seed: number;
  readonly stations: number;
  readonly vehicles: number;
  readonly faults: Faults;
  readonly settings: Settings;
  readonly tasksPerVehicleHour: number;
  readonly asBytes: boolean;
  /** Absent: no connector has a meter. */
  readonly metering?: Metering | undefined;
  /** What is asked for. */
  readonly programs: readonly Program[];
  /** All laws, after each so many steps; some are checked after every one. */
  readonly fullCheckEvery: number;
  /** Nothing is written down: for runs that only take time. */
  readonly withHistory: boolean;
  readonly sampleEveryMs: number;
  disk(watcher: LawWatcher): KeepingDisk;
}

const WALL_MS = 1_795_000_000_000;
const CONNECTORS_SPARE = 1;
const METERS = 0x3e7e5;
/** Much more often than cron does it, and not so often that a run is about nothing else. */
const HOUSEKEEPING_EVERY_MS = 1_800_000;
const DOWN_MS = [200, 20_000] as const;
const TURNS_BETWEEN_LOOPS = 10_000;

export class World {
  readonly options: WorldOptions;
  readonly agenda = new Agenda();
  readonly chance: Chance;
  readonly network: Network;
  readonly stations: Station[] = [];
  readonly stores: FlakyStore[] = [];
  readonly watchers: LawWatcher[] = [];
  readonly cars: SimulatedCar[] = [];
  readonly requesters: SimulatedRequester[] = [];
  /** Of each station: what was said to it, and what it said. */
  readonly histories = new Map<Station, HistoryEntry[]>();
  readonly violations: string[] = [];
  faults: Faults;
  isDirty = false;
  /** What engines put off until everything of this moment is there. */
  #soon: (() => void)[] = [];
  #turns = 0;
  #asks = 0;
  #isAsking = true;
  #questions = 0;

  constructor(options: WorldOptions) {
    this.options = options;
    this.faults = options.faults;
    this.chance = new Chance(options.seed);
    this.network = new Network(this.agenda, this.chance.fork(), options.faults.network);
    for (let index = 0; index < options.stations; index += 1) this.#build(index);
    for (let index = 0; index < options.vehicles; index += 1) this.#park(index);
  }

  violated(detail: string): void {
    if (this.violations.length < 20)
      this.violations.push(`at ${Math.round(this.agenda.nowMs)} ms: ${detail}`);
  }

  #build(index: number): void {
    const { options, agenda, chance, faults } = this;
    const { stations, vehicles } = options;
    const isSampled = Number.isFinite(faults.firmwareFailsEveryMs) && chance.is(500);
    const connectors = Math.ceil(vehicles / stations) + CONNECTORS_SPARE;
    const station = new Station(agenda, connectors, isSampled ? 20_000 : 0, this.#meters(index));
    const watcher = new LawWatcher(this);
    const store = new FlakyStore(agenda, chance.fork(), {
      disk: options.disk(watcher),
      faults: faults.disk,
      answered: () => this.#touched(),
    });
    const agent = new SimulatedAgent({
      agenda,
      chance: chance.fork(),
      settings: { ...options.settings, stationId: `station-${index + 1}` },
      store,
      watcher,
      driftPpm: this.#driftPpm(),
      wallMs: WALL_MS,
      asBytes: options.asBytes,
      restate: () => station.restate(),
      touched: () => this.#touched(),
      soon: (callback) => {
        this.#touched();
        this.#soon.push(callback);
      },
    });
    station.attach(agent, watcher.energy);
    this.stations.push(station);
    this.stores.push(store);
    this.watchers.push(watcher);
  }

  /** Luck of its own, so that everything else is as it is without. */
  #meters(index: number): Meters | undefined {
    const { metering, seed } = this.options;
    return metering && { ...metering, chance: new Chance((seed ^ METERS) + index) };
  }

  #driftPpm(): number {
    const { driftPpmMax } = this.faults;
    return driftPpmMax === 0 ? 0 : this.chance.between(-driftPpmMax, driftPpmMax);
  }

  #touched(): void {
    this.isDirty = true;
  }

  /** Writes down what is said between a client and that station. */
  recorder(station: Station): (entry: HistoryEntry) => void {
    const history = this.histories.get(station) ?? [];
    this.histories.set(station, history);
    return (entry) => {
      if (this.options.withHistory) history.push(entry);
    };
  }

  #park(index: number): void {
    const { agenda, chance, network, options } = this;
    const vehicleId = `car-${index + 1}` as VehicleId;
    const station = this.stationOf(index);
    const car = new SimulatedCar({
      world: this,
      vehicleId,
      chance: chance.fork(),
      hardware: this.#hardware(),
      isLiar: this.faults.hasLiar && index === 0,
      driftPpm: this.#driftPpm(),
      wallMs: WALL_MS + chance.between(-1e9, 1e9),
    });
    this.cars.push(car);
    const requester = new SimulatedRequester(
      {
        agenda,
        chance: chance.fork(),
        mayBeLiedTo: this.faults.hasLiar,
        violated: (detail) => this.violated(detail),
      },
      {
        clientId: `${vehicleId}.ask-1`,
        network,
        chance: chance.fork(),
        asBytes: options.asBytes,
        record: this.recorder(station),
        listener: () => station.agent,
      },
    );
    this.requesters.push(requester);
  }

  stationOf(index: number): Station {
    const station = this.stations[index % this.stations.length];
    if (station === undefined) throw new Error('no station');
    return station;
  }

  #hardware(): HardwareProfile {
    const { chance } = this;
    const hasGpu = chance.is(400);
    return {
      cpuModel: 'simulated',
      cores: chance.pick([2, 4, 8]),
      clockMhz: 2000,
      memoryMib: chance.pick([4096, 16_384]),
      gpus: hasGpu ? [{ deviceId: 'gpu0', model: 'Orin', shareMillis: 1000, vramMib: 8192 }] : [],
      speedMillis: chance.pick([500, 1000, 1000, 2000]),
      platform: 'linux',
    };
  }

  start(): void {
    for (const { agent } of this.stations) agent.start();
    for (const [index, car] of this.cars.entries())
      this.agenda.after(this.chance.between(0, 5_000), () => car.arrive(this.stationOf(index)));
    for (const requester of this.requesters) {
      this.agenda.after(this.chance.between(0, 3_000), () => requester.start());
      this.#askOnAndOn(requester);
    }
    this.#misfortunes();
  }

  #askOnAndOn(requester: SimulatedRequester): void {
    const meanMs = 3_600_000 / this.options.tasksPerVehicleHour;
    this.agenda.after(this.chance.wait(meanMs), () => {
      if (!this.#isAsking) return;
      requester.ask(this.#request());
      this.#askOnAndOn(requester);
    });
  }

  #request(): Parameters<SimulatedRequester['ask']>[0] {
    const { chance } = this;
    this.#asks += 1;
    const program = chance.pick(this.options.programs);
    const isPart = chance.is(100);
    const quorum = program.compare !== undefined && chance.is(100) ? 2 : undefined;
    return {
      kind: 'request',
      requestId: `r${this.#asks}` as RequestId,
      selector:
        program.type === 'plan' && chance.is(300)
          ? { by: 'type', type: 'plan' }
          : { by: 'algorithm', algorithmId: program.id },
      args: chance.is(30) ? [FAILS] : ['run'],
      input: { where: 'inline', bytes: Uint8Array.of(chance.whole(0, 255), this.#asks & 255) },
      deadlineMs: chance.pick([60_000, 600_000, 600_000, 1_200_000]),
      ...(isPart || quorum !== undefined
        ? {
            wants: {
              ...(isPart ? { instances: chance.whole(2, 4), allAtOnce: chance.is(300) } : {}),
              ...(quorum === undefined ? {} : { quorum }),
            },
          }
        : {}),
    };
  }

  /** Lets engines with something to do go on until they wait for the clock or the disk: one after the other, each as far as it goes. */
  async settle(): Promise<void> {
    while (this.isDirty) {
      this.isDirty = false;
      await this.#promisesKept();
      for (const goOn of this.#soon.splice(0)) {
        goOn();
        await this.#promisesKept();
      }
    }
  }

  /** No promise has anything left to do; an event loop's turn for each would take longer than what is done in it. */
  #promisesKept(): Promise<void> {
    this.#turns += 1;
    // Whoever runs the world has timers and signals of its own.
    const isOwed = this.#turns % TURNS_BETWEEN_LOOPS === 0;
    return new Promise((resolve) => (isOwed ? setImmediate(resolve) : process.nextTick(resolve)));
  }

  /** Until then, or until something is wrong. */
  async runUntil(atMs: number, isOver: () => boolean = () => false): Promise<void> {
    while (this.violations.length === 0) {
      const nextMs = this.agenda.nextMs();
      if (nextMs === undefined || nextMs > atMs) {
        this.agenda.nowMs = atMs;
        return;
      }
      this.agenda.advance();
      if (this.isDirty) await this.settle();
      if (isOver()) return;
    }
  }

  // What goes wrong.

  #misfortunes(): void {
    const { faults, chance } = this;
    this.#every(faults.network.cutEveryMs, () => this.#cut());
    this.#every(faults.agentDiesEveryMs, () => this.#killAgent());
    this.#every(faults.disk.fullEveryMs, () => this.#fillDisk());
    this.#every(faults.leavesEveryMs, () => this.#leave());
    this.#every(faults.donorDiesEveryMs, () => chance.pick(this.cars).crash(chance.is(500)));
    this.#every(faults.driverActsEveryMs, () => chance.pick(this.cars).actUp());
    this.#every(faults.firmwareFailsEveryMs, () => this.#failFirmware());
    this.#every(faults.liesEveryMs, () => this.#lie());
    this.#every(faults.drainsEveryMs, () => this.#drain());
    this.#every(faults.requesterDiesEveryMs, () => this.#killRequester());
    this.#every(faults.cancelEveryMs, () => chance.pick(this.requesters).cancelOne());
    this.#every(faults.cancelEveryMs, () => chance.pick(this.requesters).reuseOne());
    this.#every(faults.clockJumpsEveryMs, () => this.#jump());
    this.#every(HOUSEKEEPING_EVERY_MS, () => chance.pick(this.stations).agent.housekeeping());
  }

  /** As long as there are faults. */
  #every(meanMs: number, act: () => void): void {
    if (!Number.isFinite(meanMs)) return;
    this.agenda.after(this.chance.wait(meanMs), () => {
      if (this.faults === NO_FAULTS) return;
      act();
      this.#every(meanMs, act);
    });
  }

  #cut(): void {
    const { chance } = this;
    const whom = chance.is(500) ? chance.pick(this.cars) : chance.pick(this.requesters);
    whom.cut(chance.pick(['up', 'down', 'both']));
  }

  #killAgent(): void {
    const { chance, agenda } = this;
    const { agent } = chance.pick(this.stations);
    const afterEffects = chance.is(this.faults.diesBetweenEffectsPermille) ? chance.whole(0, 6) : undefined;
    agent.die(() => agenda.after(chance.between(...DOWN_MS), () => agent.start()), afterEffects);
  }

  #fillDisk(): void {
    const store = this.chance.pick(this.stores);
    store.isFull = true;
    this.agenda.after(this.chance.between(500, 10_000), () => (store.isFull = false));
  }

  #leave(): void {
    const car = this.chance.pick(this.cars);
    car.leave(!this.chance.is(this.faults.unnoticedPermille));
    this.agenda.after(this.chance.between(1_000, 120_000), () => car.arrive(this.chance.pick(this.stations)));
  }

  #failFirmware(): void {
    const { chance, agenda } = this;
    const station = chance.pick(this.stations);
    const connector = chance.pick(station.connectors);
    const lastsMs = chance.between(1_000, 90_000);
    if (chance.is(100)) station.misname(connector, chance.pick(this.cars).vehicleId);
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
    const { chance, watchers } = this;
    const instances = [...chance.pick(watchers).disk.instances.values()];
    if (instances.length === 0) return;
    const { instanceId, lease } = chance.pick(instances);
    const car = chance.pick(this.cars);
    if (lease === undefined) return;
    const isOther = car.vehicleId !== lease.vehicleId && chance.is(500);
    const fencingToken = (lease.fencingToken - (isOther ? 0 : 1)) as FencingToken;
    car.lie(claimOf({ instanceId, fencingToken }));
  }

  /** For a while; everything is resumed together. */
  #drain(): void {
    const { chance, agenda } = this;
    const index = chance.whole(0, this.stations.length - 1);
    const { vehicleId } = chance.pick(this.cars);
    const isWhole = chance.is(300);
    this.#questions += 1;
    this.watchers[index]?.drainAsked(this.#questions, isWhole ? 'all' : vehicleId);
    const command = { verb: 'drain', ...(isWhole ? {} : { vehicleId }) } as const;
    this.stationOf(index).agent.operate(command, this.#questions);
    agenda.after(chance.between(5_000, 60_000), () => this.#resume(index));
    this.#cap(index);
  }

  /** Where it is switched on. */
  #cap(index: number): void {
    const { chance } = this;
    const { agent, connectors } = this.stationOf(index);
    const { connectorId } = chance.pick(connectors);
    const powerMw = chance.whole(5, 8) * 1_000_000;
    agent.operate({ verb: 'setCap', connectorId, powerMw, forMs: chance.whole(1_000, 300_000) });
  }

  #resume(index: number): void {
    this.watchers[index]?.resumeAsked();
    const { agent } = this.stationOf(index);
    agent.operate({ verb: 'resume' });
    for (const { vehicleId } of this.cars) agent.operate({ verb: 'resume', vehicleId });
  }

  #supply(station: Station, connector: Connector, supply: Supply): void {
    station.supply(connector, supply);
    for (const car of this.cars) car.supplyChanged(connector);
  }

  #killRequester(): void {
    const { chance, agenda } = this;
    const requester = chance.pick(this.requesters);
    if (!requester.isConnected) return;
    requester.die(chance.is(500));
    agenda.after(chance.between(100, 30_000), () => requester.start());
  }

  #jump(): void {
    const { chance } = this;
    const ms = chance.pick([-86_400_000, -60_000, -5_000, 5_000, 60_000, 86_400_000]);
    if (chance.is(500)) chance.pick(this.stations).agent.wall.jump(ms);
    else chance.pick(this.cars).clock.jump(ms);
  }

  /** Everybody is back, everything works, nobody asks for more: from now on every promise must be kept. */
  calm(): void {
    this.faults = NO_FAULTS;
    this.network.faults = NO_FAULTS.network;
    this.#isAsking = false;
    for (const store of this.stores) {
      store.faults = NO_FAULTS.disk;
      store.isFull = false;
    }
    for (const index of this.stations.keys()) this.#resume(index);
    for (const [index, car] of this.cars.entries()) car.calm(this.stationOf(index));
    for (const station of this.stations) {
      station.calm();
      for (const connector of station.connectors) {
        connector.isSilent = false;
        station.restoreLink(connector);
        this.#supply(station, connector, 'charging');
      }
    }
  }

  stop(): void {
    for (const station of this.stations) station.stop();
  }
}

function claimOf(lease: LeaseId): UpBody {
  const used = { cpuMs: 1_000, wallMs: 1_000, memoryPeakMib: 1, gpuMs: 0 };
  const output = { where: 'inline', bytes: Uint8Array.of(66, 65, 68) } as const;
  return { kind: 'result', lease, used, outcome: { ok: true, output } };
}
