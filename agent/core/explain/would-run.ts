/** What would make an instance that waits run: one sentence for each way in which donors fall short, the nearest first. */
import type { GpuCapacity } from '@plugpool/proto';
import { assertNever } from '../assert-never.ts';
import type { Obstacle } from '../feasible/feasible.ts';
import { runTimeAt } from '../feasible/expected-run.ts';
import { ownersShort } from '../replicas/owners-to-be-had.ts';
import { isReplicated } from '../replicas/replicas-of.ts';
import { gangOf } from '../waiting/gang-of.ts';
import { WOULD_RUN_SENTENCES_MAX } from '../limits.ts';
import type { Need, Way } from '../waiting/need.ts';
import type { Donor } from '../state.ts';
import { barInWords, counted, lengthInWords, thousands, watts } from './figures.ts';
import { distanceOf, remotenessOf } from './nearness.ts';
import type { DonorTried, Wait } from './obstacles.ts';
import { demandInWords } from './way-words.ts';

/** `operator`: donors by their ids, owners by their conditions. A requester is told neither. */
export type Audience = 'operator' | 'requester';

/** `tried`: the nearest first. Those that fall short by the same tests share a sentence, with the numbers of the nearest. */
export function wouldRun(wait: Wait, tried: readonly DonorTried[], audience: Audience): string[] {
  const groups = new Map<string, DonorTried[]>();
  for (const one of tried) {
    const { nearest } = one;
    if (nearest.length === 0 || nearest.some(({ test }) => OF_ANOTHER.has(test))) continue;
    const key = nearest.map((each) => `${each.test}${remotenessOf(each, one.donor)}`).join();
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  const nearestFirst = [...groups.values()].sort((a, b) => distanceOfFirst(a) - distanceOfFirst(b));
  const sentences = nearestFirst
    .slice(0, WOULD_RUN_SENTENCES_MAX - 1)
    .map((group) => sentenceOf(wait, group, audience));
  return [...sentences, anotherDonor(wait)];
}

/** Nothing makes these donors run it. */
const OF_ANOTHER: ReadonlySet<Obstacle['test']> = new Set<Obstacle['test']>([
  'own_request',
  'same_owner',
  'too_few_owners',
]);

function distanceOfFirst([first]: readonly DonorTried[]): number {
  return first === undefined ? Infinity : distanceOf(first.nearest, first.donor);
}

function sentenceOf(wait: Wait, [first, ...others]: readonly DonorTried[], audience: Audience): string {
  if (first === undefined) return '';
  const where = audience === 'operator' ? first.donor.vehicleId : 'a donor that is here';
  const remedies = first.nearest.map((obstacle) => remedyFor(obstacle, first.donor, audience));
  const like = others.length === 0 ? '' : `, or the like on ${counted(others.length, 'other')}`;
  return `${remedies.join(' and ')}, on ${where}${like}${forWhat(wait, first)}`;
}

/** What makes room for one part is not enough for all that start together. */
function forWhat({ instance }: Wait, { nearest }: DonorTried): string {
  const gang = gangOf(instance);
  if (gang === undefined || nearest.some(({ test }) => test === 'waits_for_all')) return '';
  return `, for one of its ${gang.instances.length} parts`;
}

function remedyFor(obstacle: Obstacle, donor: Donor, audience: Audience): string {
  switch (obstacle.test) {
    case 'not_connected':
      return 'its client connected';
    case 'not_plugged':
      return 'being plugged in, as the firmware says';
    case 'session_unverified':
      return 'the firmware of its connector being heard';
    case 'session_not_lending':
      return 'a charging session that lends';
    case 'identity_too_weak':
      return audience === 'operator'
        ? 'a surer sign that it is the vehicle that is plugged in (plugpool bind)'
        : 'a surer sign that it is the vehicle that is plugged in';
    case 'identity_disputed':
      return audience === 'operator'
        ? 'the operator naming the vehicle at its connector (plugpool bind), or its next stay'
        : 'its next stay';
    case 'policy_not_lending':
      return 'its owner lending';
    case 'capacity_stale':
      return 'a fresh report of what it lends';
    case 'overdrawn':
      return 'the end of the runs that are being taken back';
    case 'ready_by':
      return 'a battery that is charged in time though it computes';
    case 'settling':
      return 'some minutes in which it stays plugged in';
    case 'draining':
      return audience === 'operator'
        ? 'it being resumed (plugpool resume)'
        : 'its pile lending from it again';
    case 'agent_stopping':
      return 'the agent started again';
    case 'own_request':
      return 'another vehicle asking';
    case 'same_owner':
      return 'a vehicle of another owner';
    case 'too_few_owners':
      return `vehicles of ${counted(obstacle.need - obstacle.have, 'more owner')}`;
    case 'resting':
      return `${lengthInWords(obstacle.forMs)} of patience after the try that failed`;
    case 'donor_resting':
      return `${lengthInWords(obstacle.forMs)} of patience until its rest is over`;
    case 'not_trusted':
      return 'the requester trusting it with its data';
    case 'constraint_not_met':
      return `a constraint that it meets (now ${obstacle.constraint})`;
    case 'owner_constraint_not_met':
      return audience === 'operator'
        ? `its owner's constraint allowing it (now ${obstacle.constraint})`
        : "its owner's constraint allowing it";
    case 'algorithm_not_allowed':
      return `its owner allowing ${obstacle.algorithm}`;
    case 'runtime_missing':
      return `a ${obstacle.runtime} runtime`;
    case 'leaving_too_soon':
      return `a stay of ${lengthInWords(obstacle.needMs)} with P ≥ ${barInWords(obstacle.barMillis)}`;
    case 'too_little_progress':
      return `a stay in which ${lengthInWords(obstacle.needMs)} of the run are expected to get done`;
    case 'deadline_too_close':
      return `a later deadline: it needs ${lengthInWords(obstacle.needMs)}${roomInWords(obstacle)} and has ${lengthInWords(Math.max(0, obstacle.haveMs), Math.floor)}`;
    case 'kept_for_another':
      return 'the start of the request whose turn came first, or more room beside what is kept for it';
    case 'station_power':
      return `${watts(obstacle.needMw - obstacle.haveMw)} more below the limit of the station`;
    case 'station_power_unknown':
      return audience === 'operator'
        ? 'the power of every connector that charges being known (power.connectorMaxKw says what to assume)'
        : 'the power that the station draws being known';
    case 'waits_for_all':
      return obstacle.have < obstacle.need
        ? `room for ${obstacle.need - obstacle.have} more of its ${obstacle.need} parts at once`
        : 'the next time that parts are placed together';
    case 'cpu':
      return `${more(obstacle)} more millicores${ofLent(obstacle, donor.lendable.cpuMillicores)}`;
    case 'memory':
      return `${more(obstacle)} more MiB of memory${ofLent(obstacle, donor.lendable.memoryMib)}`;
    case 'gpu_share':
      return gpuRemedy(obstacle, donor, 'thousandths of GPU', (gpu) => gpu.shareMillis);
    case 'vram':
      return gpuRemedy(obstacle, donor, 'MiB of GPU memory', (gpu) => gpu.vramMib);
    case 'gpu_model':
      return `a GPU of the model ${obstacle.need}`;
    default:
      return assertNever(obstacle);
  }
}

function roomInWords({ needMs, haveMs }: { readonly needMs: number; readonly haveMs: number }): string {
  return needMs <= haveMs ? ', room to go on elsewhere if this one leaves,' : '';
}

function more({ need, have }: { readonly need: number | string; readonly have: number | string }): string {
  return thousands(Number(need) - Math.max(0, Number(have)));
}

/** Other runs end; what an owner does not lend, only he can. */
function ofLent({ need }: { readonly need: number | string }, lent: number): string {
  return Number(need) > lent ? ` lent than its ${thousands(lent)}` : '';
}

function gpuRemedy(
  shortage: { readonly need: number | string; readonly have: number | string },
  { lendable: { gpus } }: Donor,
  what: string,
  of: (gpu: GpuCapacity) => number,
): string {
  if (gpus.length === 0)
    return `a GPU that lends ${thousands(Number(shortage.need))} ${what.replace(/ of GPU.*/, '')}`;
  return `${more(shortage)} more ${what}${ofLent(shortage, Math.max(...gpus.map(of)))}`;
}

/** Always true, and all there is to say where nobody lends. */
function anotherDonor({ state, need, instance }: Wait): string {
  const [way] = need.ways;
  if (way === undefined) return 'an algorithm in the catalogue that does it';
  const parts = [
    `another donor with ${demandInWords(way.demand)}`,
    `the ${way.algorithm.runtime} runtime`,
    ...stayInWords(state.settings.stayBarMillis[need.priority], way, runTimeAt(state, way, 1000)),
    ...trustInWords(need),
    ...(need.constraint === undefined ? [] : [`which meets ${need.constraint}`]),
    ...ownerInWords(state, instance),
  ];
  return parts.join(', ');
}

function ownerInWords(state: Wait['state'], instance: Wait['instance']): string[] {
  if (ownersShort(state, instance) !== undefined) return ['of an owner of whom no vehicle is known here yet'];
  return isReplicated(instance) ? ['of an owner who has no replica of it yet'] : [];
}

function stayInWords(barMillis: number, { checkpoints }: Way, runMs: number): string[] {
  if (checkpoints) return [];
  return [`a stay of ${lengthInWords(runMs)} with P ≥ ${barInWords(barMillis)}`];
}

function trustInWords({ trust, fleet }: Need): string[] {
  if (trust === undefined) return [];
  return [trust.whom === 'fleet' ? `of the fleet ${fleet ?? ''}` : `of the make ${trust.makes.join(' or ')}`];
}
