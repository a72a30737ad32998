/** What the production `step` decides about a scene when everything arrives while one commit is under way. */
import { knownVehicles } from '../../agent/core/donors/known-vehicles.ts';
import type { Event } from '../../agent/core/events.ts';
import { DEFAULT_SETTINGS, type Settings } from '../../agent/core/settings.ts';
import type { AlgorithmId, RequestId, UpBody, VehicleId } from '@plugpool/proto';
import { digestOf, SimulatedPile } from '../../test/simulation/simulated-pile.ts';
import type { Placement } from './fits.ts';
import type { Scene, SceneDonor, SceneProgram, SceneRequest } from './instance.ts';

export interface Decided {
  readonly placements: readonly Placement[];
  /** Of the one step that decided. */
  readonly stepMs: number;
}

/** Who lends says when it leaves, and is believed; nobody has a guarantee, since the optimum knows of none. */
export function decide(scene: Scene, settings: Partial<Settings> = {}): Decided {
  const pile = new SimulatedPile({
    dwell: { ...DEFAULT_SETTINGS.dwell, mode: 'told' },
    subPools: false,
    vehicles: knownVehicles(kindsIn(scene)),
    ...settings,
  });
  for (const program of scene.programs) addProgram(pile, program);
  for (const { id } of scene.programs) learnToRely(pile, id);
  const events = [...scene.donors.flatMap((donor) => arrive(pile, donor)), ...ask(pile, scene.requests)];
  const beganMs = performance.now();
  pile.step(...events);
  const stepMs = performance.now() - beganMs;
  return { placements: placementsIn(pile, scene), stepMs };
}

function kindsIn({ donors, requests }: Scene): { id: string; make: string; fleet: string }[] {
  const askers = requests.filter(({ vehicleId }) => donors.every(({ id }) => id !== vehicleId));
  return [
    ...donors.map(({ id, make, fleet }) => ({ id, make, fleet })),
    ...askers.map(({ vehicleId, fleet }) => ({ id: vehicleId, make: '', fleet })),
  ];
}

function addProgram(pile: SimulatedPile, { id, type, imageBytes, demands, workCoreS }: SceneProgram): void {
  const image = { digest: digestOf(id), sizeBytes: imageBytes };
  pile.addAlgorithm(id, [...demands], { type, image, workCoreS });
}

const RUNS_BEFORE = 320;
const DONOR = { vehicleId: 'seen' as VehicleId, how: 'believed' } as const;

/** It ran often, and always for as long as was estimated: so nothing about the future is uncertain. */
function learnToRely({ state }: SimulatedPile, id: string): void {
  const algorithmKey = `${id}@1`;
  for (let run = 0; run < RUNS_BEFORE; run += 1)
    state.runTimes.learn({ ...DONOR, algorithmKey, runMs: 60_000, expectedMs: 60_000 });
  state.runTimes.settle(algorithmKey);
}

/** Plugged in and welcomed; its report is said at once, or left for the step that decides. */
function arrive(pile: SimulatedPile, donor: SceneDonor): Event[] {
  pile.plug(donor.id);
  const clientId = `${donor.id}.lend`;
  pile.connect(clientId);
  pile.say(clientId, helloOf(donor));
  const report = pile.message(clientId, reportOf(donor));
  if (donor.comesWithRequests) return [report];
  pile.step(report);
  return [];
}

function helloOf({ cpuMillicores, memoryMib, gpus, speedMillis }: SceneDonor): UpBody {
  return {
    kind: 'hello',
    clientVersion: '1',
    hardware: {
      cpuModel: 'any',
      cores: Math.ceil(cpuMillicores / 1000),
      clockMhz: 2000,
      memoryMib,
      gpus,
      speedMillis,
      platform: 'linux',
    },
    held: [],
    runtimes: ['wasm'],
  };
}

function reportOf({
  cpuMillicores,
  memoryMib,
  gpus,
  staysMs,
  allows,
  hasImageOf,
  ownerTakes,
}: SceneDonor): UpBody {
  return {
    kind: 'capacity',
    lendable: { cpuMillicores, memoryMib, gpus },
    lending: true,
    reason: '',
    cachedImages: hasImageOf.map(digestOf),
    allowedAlgorithms: allows,
    departureInMs: staysMs,
    chargingOnly: false,
    ...(ownerTakes === undefined ? {} : { constraint: ownerTakes.text }),
  };
}

function ask(pile: SimulatedPile, requests: readonly SceneRequest[]): Event[] {
  return requests.map((request, n) => {
    pile.ask(request.vehicleId, `ask-${n}`);
    return pile.message(`${request.vehicleId}.ask-${n}`, bodyOf(request));
  });
}

function bodyOf(request: SceneRequest): UpBody {
  const { id, programs, by, parts, allAtOnce, latencyMs, deadlineMs, trust, constraint } = request;
  const [program] = programs;
  if (program === undefined) throw new Error(`${id} asks for no program`);
  return {
    kind: 'request',
    requestId: id as RequestId,
    selector: by === 'type' ? { by, type: program.type } : { by, algorithmId: program.id as AlgorithmId },
    args: [],
    input: { where: 'inline', bytes: new Uint8Array() },
    deadlineMs,
    wants: {
      instances: parts,
      allAtOnce,
      ...(latencyMs === undefined ? {} : { latencyMs }),
      ...(trust === undefined ? {} : { trust }),
      ...(constraint === undefined ? {} : { constraint: constraint.text }),
    },
  };
}

function placementsIn({ state }: SimulatedPile, scene: Scene): Placement[] {
  const placements: Placement[] = [];
  for (const { vehicleId, leased } of state.donors.values())
    for (const { lease, task } of leased.values()) {
      const donor = scene.donors.find(({ id }) => id === vehicleId);
      const request = scene.requests.find(({ id }) => id === task.record.requestId);
      const program = scene.programs.find(({ id }) => id === lease?.algorithm.id);
      if (donor === undefined || request === undefined || program === undefined || lease === undefined)
        throw new Error(`${vehicleId} has a lease that nobody asked for`);
      placements.push({ request, donor, program, demand: lease.demand, gpuDeviceId: lease.gpuDeviceId });
    }
  return placements;
}
