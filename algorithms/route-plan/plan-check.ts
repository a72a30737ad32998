/**
 * Says whether a plan can be driven and is counted right: every leg is a road of the map, every time and charge follows
 * from the model, the reserve is never touched, all stops are visited, and the totals are the sums of the steps.
 */
import { CITIES, LINKS, ROADS } from './europe.ts';
import { chargeMs, driveMs, driveSoc, percentInSteps, roadM } from './reference.ts';
import { RIGHT, wrong } from '../recording/verdict.ts';
import type { CheckResult } from '../recording/verdict.ts';
import type { City } from './europe.ts';
import type { Trip } from './trip.ts';

interface Change {
  readonly fromStep: number;
  readonly toStep: number;
  readonly ms: number;
}

type PlanStep =
  | ({
      readonly do: 'drive';
      readonly from: string;
      readonly to: string;
      readonly speedKmh: number;
      readonly distanceM: number;
    } & Change)
  | ({ readonly do: 'link'; readonly from: string; readonly to: string } & Change)
  | ({ readonly do: 'charge'; readonly at: string } & Change);

export interface Plan {
  readonly planner: 'astar' | 'anneal';
  readonly optimal: boolean;
  readonly from: string;
  readonly to: string;
  readonly totalMs: number;
  readonly driveMs: number;
  readonly chargeMs: number;
  readonly linkMs: number;
  readonly distanceM: number;
  readonly socSteps: number;
  readonly steps: readonly PlanStep[];
}

/** The planners' output; undefined where it is not a plan at all. Its numbers are checked by `checkPlan`. */
export function readPlan(output: Uint8Array): Plan | undefined {
  try {
    const value = JSON.parse(
      new TextDecoder('utf-8', { fatal: true }).decode(output),
    ) as Partial<Plan> | null;
    return Array.isArray(value?.steps) ? (value as Plan) : undefined;
  } catch {
    return undefined;
  }
}

const cityByName = new Map(CITIES.map((city) => [city.name, city]));
const roadNames = new Set(ROADS.flatMap(([a, b]) => [`${a} ${b}`, `${b} ${a}`]));

function linkMs(from: string, to: string): number | undefined {
  const link = LINKS.find((l) => (l.from === from && l.to === to) || (l.from === to && l.to === from));
  return link && link.minutes * 60_000;
}

/** What is wrong with one step, taken from `place` with `soc` steps of charge. */
function faultOfStep(trip: Trip, step: PlanStep, place: string, soc: number): string | undefined {
  if (step.fromStep !== soc) return `leaves with ${step.fromStep} steps of charge, but has ${soc}`;
  const start = step.do === 'charge' ? step.at : step.from;
  if (start !== place) return `is at ${place}, not at ${start}`;
  switch (step.do) {
    case 'drive': {
      if (!roadNames.has(`${step.from} ${step.to}`)) return `no road leads from ${step.from} to ${step.to}`;
      if (!trip.speedsKmh.includes(step.speedKmh)) return `${step.speedKmh} km/h is not allowed`;
      const distanceM = roadM(cityByName.get(step.from) as City, cityByName.get(step.to) as City);
      if (step.distanceM !== distanceM) return `the road is ${distanceM} m long, not ${step.distanceM}`;
      if (step.ms !== driveMs(distanceM, step.speedKmh)) return `the drive does not take ${step.ms} ms`;
      const left = soc - driveSoc(trip, distanceM, step.speedKmh);
      if (step.toStep !== left) return `${left} steps of charge are left, not ${step.toStep}`;
      return left < percentInSteps(trip, trip.reservePercent) ? 'the reserve is touched' : undefined;
    }
    case 'link':
      if (step.toStep !== soc) return 'a ferry changes no charge';
      return step.ms === linkMs(step.from, step.to) ? undefined : 'no such ferry';
    case 'charge': {
      const kw = cityByName.get(step.at)?.chargeKw ?? 0;
      if (kw === 0 || step.toStep <= soc || step.toStep > trip.socSteps) return 'no such charge';
      const ms = chargeMs(trip, kw, soc, step.toStep);
      return step.ms === ms ? undefined : `the charge takes ${ms} ms, not ${step.ms}`;
    }
    default:
      return 'unknown kind of step';
  }
}

function sumOf(plan: Plan, kind: PlanStep['do']): number {
  return plan.steps.filter((step) => step.do === kind).reduce((sum, step) => sum + step.ms, 0);
}

function faultOfTotals(plan: Plan): string | undefined {
  if (plan.driveMs !== sumOf(plan, 'drive')) return 'driveMs is not the sum of the drives';
  if (plan.chargeMs !== sumOf(plan, 'charge')) return 'chargeMs is not the sum of the charges';
  if (plan.linkMs !== sumOf(plan, 'link')) return 'linkMs is not the sum of the ferries';
  if (plan.totalMs !== plan.driveMs + plan.chargeMs + plan.linkMs)
    return 'totalMs is not the sum of its parts';
  const distanceM = plan.steps.reduce((sum, step) => sum + (step.do === 'drive' ? step.distanceM : 0), 0);
  return plan.distanceM === distanceM ? undefined : 'distanceM is not the sum of the drives';
}

export function checkPlan(trip: Trip, plan: Plan): CheckResult {
  let place = trip.from;
  let soc = percentInSteps(trip, trip.startPercent);
  const visited = new Set([place]);
  for (const [i, step] of plan.steps.entries()) {
    const fault = faultOfStep(trip, step, place, soc);
    if (fault !== undefined) return wrong(`step ${i}: ${fault}`);
    soc = step.toStep;
    place = step.do === 'charge' ? place : step.to;
    visited.add(place);
  }
  if (place !== trip.to) return wrong(`the plan ends in ${place}, not in ${trip.to}`);
  if (soc < percentInSteps(trip, trip.arrivePercent)) return wrong('the plan arrives with too little charge');
  const missed = trip.stops.filter((stop) => !visited.has(stop));
  if (missed.length > 0) return wrong(`the plan leaves out ${missed.join(', ')}`);
  const fault = faultOfTotals(plan);
  return fault === undefined ? RIGHT : wrong(fault);
}
