/** The two route planners as examples: their trips, and how their plans are checked. */
import { checkPlan, readPlan } from './plan-check.ts';
import { DELIVERY_VAN, MIDSIZE_CAR, tripText } from './trip.ts';
import { imagePathOf, IMAGE_SOURCES } from '../build.ts';
import { readRecorded, sha256Of } from '../recording/recorded.ts';
import { wrong } from '../recording/verdict.ts';
import { stat } from 'node:fs/promises';
import type { Demand } from '@plugpool/proto';
import type { ExampleAlgorithm, ExampleInput } from '../example.ts';
import type { CheckResult } from '../recording/verdict.ts';
import type { Trip } from './trip.ts';

const BASE: Trip = {
  from: 'Lisbon',
  to: 'Tallinn',
  stops: [],
  vehicle: MIDSIZE_CAR,
  socSteps: 3000,
  speedsKmh: [80, 90, 100, 110, 120, 130],
  startPercent: 90,
  reservePercent: 10,
  arrivePercent: 20,
  seed: 1,
  effort: 10,
};

const TWENTY_STOPS = (
  'Paris Prague Milan Budapest Warsaw Madrid Rome Copenhagen Amsterdam Vienna ' +
  'Zurich Lyon Munich Hamburg Krakow Belgrade Venice Nice Toulouse Brussels'
).split(' ');

const FORTY_STOPS = [
  ...TWENTY_STOPS,
  ...(
    'Oslo Stockholm Riga Gdansk Bucharest Sofia Naples Bari Barcelona Valencia ' +
    'Seville Porto Bordeaux Nantes Rennes London Leeds Leipzig Zagreb Genoa'
  ).split(' '),
];

/** Trips that both planners take, and that a request by type may therefore name. */
export const SHARED_TRIPS: Readonly<Record<string, Trip>> = {
  'lisbon-tallinn': BASE,
  'porto-oulu-van': { ...BASE, from: 'Porto', to: 'Oulu', vehicle: DELIVERY_VAN, socSteps: 6000 },
  'berlin-tour-of-5': {
    ...BASE,
    from: 'Berlin',
    to: 'Berlin',
    stops: ['Paris', 'Prague', 'Milan', 'Budapest', 'Warsaw'],
    vehicle: DELIVERY_VAN,
    socSteps: 900,
  },
};

/** Trips with too many stops to try every order. */
const ANNEAL_TRIPS: Readonly<Record<string, Trip>> = {
  'berlin-tour-of-20': {
    ...BASE,
    from: 'Berlin',
    to: 'Berlin',
    stops: TWENTY_STOPS,
    socSteps: 200,
    effort: 300,
  },
  'europe-tour-of-40': {
    ...BASE,
    from: 'Frankfurt',
    to: 'Frankfurt',
    stops: FORTY_STOPS,
    socSteps: 200,
    effort: 1400,
  },
};

/** Seconds of a core, measured: docs/algorithms.md. */
const APPROX_SECONDS: Readonly<Record<string, number>> = {
  'lisbon-tallinn': 1.5,
  'porto-oulu-van': 1.5,
  'berlin-tour-of-5': 1.2,
  'berlin-tour-of-20': 1.3,
  'europe-tour-of-40': 6.5,
};

async function checkOutput(name: string, trip: Trip, output: Uint8Array): Promise<CheckResult> {
  const plan = readPlan(output);
  if (plan === undefined) return wrong('the output is not a plan');
  const verdict = checkPlan(trip, plan);
  if (!verdict.ok) return verdict;
  const expected = (await readRecorded())[name]?.outputSha256[`route-plan-${plan.planner}`];
  if (expected === undefined) return wrong(`nothing is recorded of ${plan.planner} for ${name}`);
  const got = sha256Of(output);
  return got === expected ? verdict : wrong(`a right plan, but sha256 ${got} where ${expected} is recorded`);
}

function inputsOf(trips: Readonly<Record<string, Trip>>): ExampleInput[] {
  return Object.entries(trips).map(([name, trip]) => ({
    name,
    bytes: () => Promise.resolve(new TextEncoder().encode(tripText(trip))),
    check: (output) => checkOutput(name, trip, output),
    approxSeconds: APPROX_SECONDS[name] ?? 1,
  }));
}

async function planner(
  id: 'route-plan-astar' | 'route-plan-anneal',
  memoryMib: number,
  workCoreS: number,
  trips: Readonly<Record<string, Trip>>,
): Promise<ExampleAlgorithm> {
  const source = IMAGE_SOURCES.find((s) => s.name === id);
  if (source === undefined) throw new Error(`algorithms/build.ts knows no image ${id}`);
  const imagePath = imagePathOf(source);
  const demand: Demand = { cpuMillicores: 700, memoryMib, threads: 1 };
  return {
    id,
    version: '1.0.0',
    type: 'route-plan',
    runtime: 'wasm',
    imagePath,
    sizeBytes: (await stat(imagePath)).size,
    demands: [demand],
    workCoreS,
    compare: 'bytes',
    args: [],
    inputs: inputsOf(trips),
  };
}

export async function routePlanExamples(): Promise<ExampleAlgorithm[]> {
  return Promise.all([
    planner('route-plan-astar', 256, 1.5, SHARED_TRIPS),
    planner('route-plan-anneal', 256, 2, { ...SHARED_TRIPS, ...ANNEAL_TRIPS }),
  ]);
}
