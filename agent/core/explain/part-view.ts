/** The parts of a task of several, each as it stands. */
import type { VehicleId } from '@plugpool/proto';
import type { Donor, Instance, State, Task } from '../state.ts';

export interface PartView {
  readonly part: number;
  /** 0: the part itself; further ones run the same elsewhere. */
  readonly replica: number;
  /** `unconfirmed`: its result waits for others that say the same; `dropped`: its part was decided without it. */
  readonly state: 'waiting' | 'running' | 'done' | 'between_tries' | 'unconfirmed' | 'dropped';
  /** Where it runs or ran to its end. */
  readonly donor: VehicleId | null;
  /** Of parts that start together: where this one would find a place now. */
  readonly wouldFitOn: VehicleId | null;
}

const NONE: ReadonlyMap<Instance, Donor> = new Map();

/** Empty of a task of one part, and of one that has ended. */
export function partsOf(
  state: State,
  { instances, end }: Task,
  fitting: ReadonlyMap<Instance, Donor> = NONE,
): PartView[] {
  if (end !== undefined || instances.length < 2) return [];
  return instances.map((instance) => ({
    part: instance.index,
    replica: instance.replica,
    state: stateOf(state, instance),
    donor: instance.lease?.vehicleId ?? instance.result?.donor ?? null,
    wouldFitOn: fitting.get(instance)?.vehicleId ?? null,
  }));
}

function stateOf(state: State, instance: Instance): PartView['state'] {
  const { result, settled } = instance;
  if (result !== undefined)
    return result.run !== undefined && result.agreeing === undefined ? 'unconfirmed' : 'done';
  if (settled) return 'dropped';
  if (instance.lease !== undefined) return 'running';
  return state.waiting.has(instance) ? 'waiting' : 'between_tries';
}
