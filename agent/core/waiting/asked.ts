/**
 * What the requests that have not ended make matching look at: their parts, their different needs and constraints, in all and of
 * each vehicle. A freed donor looks at each need, so that who asks for five thousand different things makes all others wait.
 */
import type { Reason, TaskRequest, VehicleId } from '@plugpool/proto';
import { mayTake, type SharedTable } from '../clients/share.ts';
import {
  CONSTRAINTS_ASKED_MAX,
  CONSTRAINTS_PER_VEHICLE_MAX,
  NEEDS_MAX,
  NEEDS_PER_VEHICLE_MAX,
} from '../limits.ts';
import type { TaskRecord } from '../records.ts';
import type { State } from '../state.ts';
import { askedKey } from './need.ts';

type Asking = Pick<TaskRecord, 'vehicleId' | 'selector' | 'wants'>;

/** What is asked for several times is counted once. */
class Different {
  readonly #times = new Map<string, number>();

  get size(): number {
    return this.#times.size;
  }

  has(key: string): boolean {
    return this.#times.has(key);
  }

  count(key: string, by: 1 | -1): void {
    const times = (this.#times.get(key) ?? 0) + by;
    if (times === 0) this.#times.delete(key);
    else this.#times.set(key, times);
  }
}

class Sum {
  parts = 0;
  readonly needs = new Different();
  readonly constraints = new Different();

  count(key: string, { wants }: Asking, by: 1 | -1): void {
    this.parts += by * (wants?.instances ?? 1);
    // What asks for nothing of its own needs what the catalogue says, which is the operator's.
    if (wants !== undefined) this.needs.count(key, by);
    if (wants?.constraint !== undefined) this.constraints.count(wants.constraint, by);
  }
}

export class Asked {
  readonly all = new Sum();
  readonly #ofVehicle = new Map<VehicleId, Sum>();

  of(vehicleId: VehicleId): Sum {
    return this.#ofVehicle.get(vehicleId) ?? new Sum();
  }

  count(key: string, asking: Asking, by: 1 | -1): void {
    const own = this.of(asking.vehicleId);
    own.count(key, asking, by);
    this.all.count(key, asking, by);
    if (own.parts === 0) this.#ofVehicle.delete(asking.vehicleId);
    else this.#ofVehicle.set(asking.vehicleId, own);
  }
}

/** `by` 1 counts what a task asks for in, -1 out, when it ends. */
export function countAsking(state: State, record: Asking, by: 1 | -1): void {
  state.asked.count(askedKey(state, record), record, by);
}

/** What one more request would make too much of. */
export function whyTooMuchAsked(state: State, vehicleId: VehicleId, body: TaskRequest): Reason[] {
  const { asked, settings } = state;
  const own = asked.of(vehicleId);
  const { instances = 1, constraint } = body.wants ?? {};
  const key = askedKey(state, { ...body, vehicleId });
  const isNewNeed = body.wants !== undefined && !own.needs.has(key);
  const isNewConstraint = constraint !== undefined && !own.constraints.has(constraint);
  return [
    // Whoever has nothing open may ask for as many parts as a request can have.
    ...(own.parts > 0 && own.parts + instances > settings.openTasksPerVehicleMax
      ? [tooMany(`${vehicleId} has ${own.parts} parts in open tasks`)]
      : []),
    ...(!mayTake(state, vehicleId, tableOf(settings.openTasksMax, asked.all.parts, own.parts), instances)
      ? [tooMany(`the pile holds ${asked.all.parts} parts in open tasks`)]
      : []),
    ...(isNewNeed && own.needs.size >= NEEDS_PER_VEHICLE_MAX
      ? [tooMany(`${vehicleId} asks for ${own.needs.size} different needs`)]
      : []),
    ...(isNewNeed &&
    !asked.all.needs.has(key) &&
    !mayTake(state, vehicleId, tableOf(NEEDS_MAX, asked.all.needs.size, own.needs.size))
      ? [tooMany(`the pile holds requests of ${asked.all.needs.size} different needs`)]
      : []),
    ...(isNewConstraint && own.constraints.size >= CONSTRAINTS_PER_VEHICLE_MAX
      ? [tooMany(`${vehicleId} asks with ${own.constraints.size} different constraints`)]
      : []),
    ...(isNewConstraint &&
    !asked.all.constraints.has(constraint) &&
    !mayTake(
      state,
      vehicleId,
      tableOf(CONSTRAINTS_ASKED_MAX, asked.all.constraints.size, own.constraints.size),
    )
      ? [tooMany(`the pile holds requests with ${asked.all.constraints.size} different constraints`)]
      : []),
  ];
}

function tableOf(max: number, used: number, own: number): SharedTable {
  return { max, used, own };
}

function tooMany(detail: string): Reason {
  const hint =
    'ask with the same demand and the same constraint where you can, and again when some tasks have ended';
  return { code: 'too_many_tasks', detail, hint };
}
