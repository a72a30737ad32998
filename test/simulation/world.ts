/** A simulated world: one station or several with their agents, the cars that come and go, and those that ask. */
import type { HardwareProfile, RequestId, VehicleId } from '@plugpool/proto';
import type { Settings } from '../../agent/core/settings.ts';
import { Agenda } from './agenda.ts';
import { SimulatedCar } from './simulated-car.ts';
import { Chance } from './chance.ts';
import type { Faults } from './faults.ts';
import { FlakyStore, type KeepingDisk } from './flaky-store.ts';
import type { HistoryEntry } from './history.ts';
import { LawWatcher } from './law-watcher.ts';
import { Misfortunes } from './misfortunes.ts';
import { Network } from './network.ts';
import { FAILS, type Program } from './programs.ts';
import { SimulatedAgent } from './simulated-agent.ts';
import { SimulatedRequester } from './simulated-requester.ts';
import type { Metering } from './simulated-meter.ts';
import { Station, type Meters } from './station.ts';

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
  readonly #misfortunes = new Misfortunes(this);

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
    this.#misfortunes.start();
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

  /** Nobody asks for more, and nothing goes wrong: from now on every promise must be kept. */
  calm(): void {
    this.#isAsking = false;
    this.#misfortunes.end();
  }

  stop(): void {
    for (const station of this.stations) station.stop();
  }
}
