/** Why a request is refused: every reason at once, with what to do about it. Pure. */
import type { Reason, Selector, TaskRequest, VehicleId } from '@plugpool/proto';
import { whyNever } from './never-feasible.ts';
import { whyUnwanted } from './wants.ts';
import { candidates } from '../algorithms/catalogue.ts';
import { mayTake } from '../clients/share.ts';
import { lengthInWords } from '../explain/figures.ts';
import { INLINE_BYTES_PER_VEHICLE_MAX, INLINE_BYTES_TOTAL_MAX } from '../limits.ts';
import { inlineBytesOf } from '../payloads/inline-bytes.ts';
import type { State } from '../state.ts';
import { whyTooMuchAsked } from '../waiting/asked.ts';

export function whyRefused(state: State, vehicleId: VehicleId, body: TaskRequest): Reason[] {
  const reasons: Reason[] = [];
  const algorithms = candidates(state, body.selector);
  if (algorithms.length === 0) reasons.push(unknownProgram(state, body.selector));
  else reasons.push(...whyNever(state, algorithms, body));
  const tooMuch = whyTooMuchAsked(state, vehicleId, body);
  reasons.push(...tooMuch);
  // A constraint that is one too many is not even compiled.
  if (body.wants !== undefined && tooMuch.length === 0)
    reasons.push(...whyUnwanted(state, vehicleId, body.wants, algorithms));
  const { deadlineMaxMs } = state.settings;
  if (body.deadlineMs !== undefined && body.deadlineMs > deadlineMaxMs)
    reasons.push({
      code: 'deadline_invalid',
      detail: `the deadline is in ${lengthInWords(body.deadlineMs)}, this pile keeps tasks for ${lengthInWords(deadlineMaxMs, Math.floor)}`,
      hint: 'ask with an earlier deadline',
    });
  reasons.push(...whyFull(state, vehicleId, body));
  return reasons;
}

function unknownProgram(state: State, selector: Selector): Reason {
  const hint = 'ask the operator which algorithms this pile has (plugpool algorithms list)';
  if (selector.by === 'type')
    return { code: 'type_unknown', detail: `no active algorithm is of type ${selector.type}`, hint };
  const wanted = `${selector.algorithmId}${selector.version === undefined ? '' : `@${selector.version}`}`;
  const retired = [...state.algorithms.values()].some(
    (a) => a.id === selector.algorithmId && a.state === 'retired',
  );
  const detail = `algorithm ${wanted} is ${retired ? 'retired' : 'not known'} here`;
  return { code: 'algorithm_unknown', detail, hint };
}

function whyFull(state: State, vehicleId: VehicleId, body: TaskRequest): Reason[] {
  const reasons: Reason[] = [];
  const hint = 'acknowledge deliveries, and ask again when some tasks have ended';
  if (state.stopping)
    reasons.push({ code: 'shutting_down', detail: 'the pile is stopping', hint: 'ask again in a minute' });
  const own = state.openTasksOf.get(vehicleId)?.size ?? 0;
  const tasks = { max: state.settings.openTasksMax, used: state.tasks.size, own };
  if (!mayTake(state, vehicleId, tasks))
    reasons.push({ code: 'too_many_tasks', detail: `the pile holds ${state.tasks.size} open tasks`, hint });
  if (own >= state.settings.openTasksPerVehicleMax)
    reasons.push({ code: 'too_many_tasks', detail: `${vehicleId} has ${own} open tasks`, hint });
  const bytes = inlineBytesOf(body);
  const ownBytes = state.inlineBytesOf.get(vehicleId) ?? 0;
  const memory = { max: INLINE_BYTES_TOTAL_MAX, used: state.inlineBytes, own: ownBytes };
  if (!mayTake(state, vehicleId, memory, bytes))
    reasons.push({
      code: 'too_many_tasks',
      detail: 'the inputs and arguments that wait fill the memory',
      hint,
    });
  else if (ownBytes + bytes > INLINE_BYTES_PER_VEHICLE_MAX)
    reasons.push({
      code: 'too_many_tasks',
      detail: `the inputs and arguments of ${vehicleId} that wait are too many bytes`,
      hint,
    });
  return reasons;
}

/** Whether waiting may mend it. */
export function isPassing(reason: Reason): boolean {
  return ['too_many_tasks', 'rate_limited', 'shutting_down', 'storage_unavailable'].includes(reason.code);
}
