/** What is wrong with what a request wants, beside program, input and deadline: every reason at once. Pure. */
import type { Reason, VehicleId, Wants } from '@plugpool/proto';
import { kindOf, makesOf } from '../donors/known-vehicles.ts';
import type { AlgorithmRecord } from '../records.ts';
import type { State } from '../state.ts';
import { zoneOf } from './zones.ts';

export function whyUnwanted(
  state: State,
  vehicleId: VehicleId,
  wants: Wants,
  algorithms: readonly AlgorithmRecord[],
): Reason[] {
  return [
    ...wrongZone(state, wants),
    ...wrongConstraint(state, wants),
    ...wrongFleet(state, vehicleId, wants),
    ...wrongMakes(state, wants),
    ...overBudget(wants, algorithms),
    ...notCompared(wants, algorithms),
    ...oneOwnerAlone(wants),
  ];
}

/** A request for another zone is that of another pile. */
function wrongZone({ settings }: State, { place }: Wants): Reason[] {
  const found = zoneOf(place, settings);
  return found.ok ? [] : [found.reason];
}

function wrongConstraint(state: State, { constraint }: Wants): Reason[] {
  if (constraint === undefined) return [];
  const compiled = state.constraints.compile(constraint, 'donor');
  return compiled.ok
    ? []
    : [
        {
          code: 'constraint_invalid',
          detail: `the constraint cannot be taken: ${compiled.why}`,
          hint: compiled.hint,
        },
      ];
}

/** Only the operator's word makes a vehicle one of a fleet. */
function wrongFleet(state: State, vehicleId: VehicleId, { payer, trust }: Wants): Reason[] {
  const { fleet } = kindOf(state.settings.vehicles, vehicleId);
  const reasons: Reason[] = [];
  if (payer !== undefined && payer !== vehicleId && (fleet === '' || payer !== fleet))
    reasons.push({
      code: 'payer_not_allowed',
      detail: `${vehicleId} may not let ${payer} pay${fleet === '' ? '' : `; it is of the fleet ${fleet}`}`,
      hint: 'pay yourself, or ask the operator to name your fleet in `vehicles` of the configuration',
    });
  if (trust?.whom === 'fleet' && fleet === '')
    reasons.push({
      code: 'fleet_unknown',
      detail: `the pile knows no fleet of ${vehicleId}, so that no donor would be in it`,
      hint: 'ask the operator to name your fleet in `vehicles` of the configuration, or trust makes by name',
    });
  return reasons;
}

const MAKES_NAMED_MAX = 8;

/** No donor would be of one: makes are compared letter by letter. */
function wrongMakes({ settings }: State, { trust }: Wants): Reason[] {
  if (trust?.whom !== 'makes') return [];
  const known = makesOf(settings.vehicles);
  if (trust.makes.some((make) => known.has(make))) return [];
  const named = [...known].slice(0, MAKES_NAMED_MAX).join(', ');
  return [
    {
      code: 'never_feasible',
      detail: `the pile knows no vehicle of the make ${trust.makes.join(' or ')}`,
      hint:
        named === ''
          ? 'ask the operator to name makes in `vehicles` of the configuration, or trust any donor'
          : `trust a make that is known here, written as it is: ${named}`,
    },
  ];
}

/** By what the cheapest program is expected to take for all parts. */
function overBudget(
  { budgetMncs, demand, instances = 1 }: Wants,
  algorithms: readonly AlgorithmRecord[],
): Reason[] {
  if (budgetMncs === undefined || algorithms.length === 0) return [];
  const leastMncs = Math.min(...algorithms.map(({ workCoreS }) => demand?.workMncs ?? workCoreS * 1000));
  const expectedMncs = Math.ceil(leastMncs * instances);
  if (expectedMncs <= budgetMncs) return [];
  return [
    {
      code: 'over_budget',
      detail: `it is expected to take ${expectedMncs / 1000} normalised core-seconds, the budget is ${budgetMncs / 1000}`,
      hint: 'raise the budget, or ask for fewer instances',
    },
  ];
}

/** Results can only be held against each other where the operator said how. */
function notCompared({ quorum = 1 }: Wants, algorithms: readonly AlgorithmRecord[]): Reason[] {
  const [first] = algorithms;
  if (quorum === 1 || first === undefined || algorithms.some(({ compare }) => compare !== undefined))
    return [];
  return [
    {
      code: 'not_supported',
      detail: `${quorum} results are to agree, and how outputs of ${first.id} compare is not known here`,
      hint: 'ask without a quorum, or ask the operator to add the algorithm with --compare',
    },
  ];
}

/** A fleet is one owner, and its vehicles vouch for each other in nothing: however many came, they could not agree. */
function oneOwnerAlone({ quorum = 1, trust }: Wants): Reason[] {
  if (quorum === 1 || trust?.whom !== 'fleet') return [];
  return [
    {
      code: 'never_feasible',
      detail: `vehicles of ${quorum} owners are to agree, and the fleet that is trusted with the data is one owner`,
      hint: 'ask without a quorum, or trust makes by name instead of the fleet',
    },
  ];
}
