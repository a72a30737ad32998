/** The instances that wait for a donor, grouped by what they ask for, so that equal requests share one verdict. */
import type { Selector } from '@plugpool/proto';
import type { Instance } from './state.ts';

/** Instances of one requester that ask for the same, oldest first. */
export interface WaitingGroup {
  readonly key: string;
  readonly selector: Selector;
  readonly members: Set<Instance>;
}

export class WaitingLine {
  readonly #groups = new Map<string, WaitingGroup>();
  readonly #groupOf = new Map<Instance, WaitingGroup>();

  get size(): number {
    return this.#groupOf.size;
  }

  has(instance: Instance): boolean {
    return this.#groupOf.has(instance);
  }

  add(instance: Instance): void {
    const key = groupKey(instance);
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = { key, selector: instance.task.record.selector, members: new Set() };
      this.#groups.set(key, group);
    }
    group.members.add(instance);
    this.#groupOf.set(instance, group);
  }

  remove(instance: Instance): void {
    const group = this.#groupOf.get(instance);
    if (group === undefined) return;
    this.#groupOf.delete(instance);
    group.members.delete(instance);
    if (group.members.size === 0) this.#groups.delete(group.key);
  }

  groups(): IterableIterator<WaitingGroup> {
    return this.#groups.values();
  }

  instances(): IterableIterator<Instance> {
    return this.#groupOf.keys();
  }
}

/** The oldest member, which stands for its group. */
export function headOf(group: WaitingGroup): Instance {
  const first = group.members.values().next();
  if (first.done === true) throw new Error(`empty waiting group ${group.key}`);
  return first.value;
}

/** An instance that failed somewhere has wishes of its own (donors it avoids), so it stands alone. */
export function groupKey(instance: Instance): string {
  if (instance.avoided.size > 0) return `alone/${instance.instanceId}`;
  const { vehicleId, selector } = instance.task.record;
  // One that lost its donor is older than those that never ran: behind them it would wait for all of them.
  const whose = `${instance.attempts > 0 ? 'again/' : ''}${vehicleId}`;
  return selector.by === 'type'
    ? `${whose}/type/${selector.type}`
    : `${whose}/algorithm/${selector.algorithmId}@${selector.version ?? ''}`;
}
