/** The instances that wait for a donor: those that need the same stand together, each payer's in the order of their turns. */
import type { Need } from './need.ts';
import type { Instance } from './state.ts';
import { TurnQueue } from './turn-queue.ts';

/** Those who need the same: what forbids one of them on a donor, by its program and demand, forbids all. */
export interface WaitingGroup {
  readonly need: Need;
  /** By who pays. */
  readonly queues: Map<string, TurnQueue>;
  size: number;
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

  groupOf(instance: Instance): WaitingGroup | undefined {
    return this.#groupOf.get(instance);
  }

  group(needKey: string): WaitingGroup | undefined {
    return this.#groups.get(needKey);
  }

  add(instance: Instance, need: Need): void {
    let group = this.#groups.get(need.key);
    if (group === undefined) this.#groups.set(need.key, (group = { need, queues: new Map(), size: 0 }));
    const { payer } = instance.task;
    let queue = group.queues.get(payer);
    if (queue === undefined) group.queues.set(payer, (queue = new TurnQueue()));
    queue.add(instance);
    group.size += 1;
    this.#groupOf.set(instance, group);
  }

  remove(instance: Instance): void {
    const group = this.#groupOf.get(instance);
    if (group === undefined) return;
    this.#groupOf.delete(instance);
    const { payer } = instance.task;
    const queue = group.queues.get(payer);
    queue?.remove(instance);
    if (queue?.size === 0) group.queues.delete(payer);
    group.size -= 1;
    if (group.size === 0) this.#groups.delete(group.need.key);
  }

  groups(): IterableIterator<WaitingGroup> {
    return this.#groups.values();
  }

  instances(): IterableIterator<Instance> {
    return this.#groupOf.keys();
  }
}
