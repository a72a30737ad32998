/** The instances that wait for a donor: those that need the same stand together, each payer's in the order of their turns. */
import type { Need } from './need.ts';
import type { Instance } from './state.ts';
import { isBefore, TurnQueue } from './turn-queue.ts';

/** Those who need the same: what forbids one of them on a donor, by its program and demand, forbids all. */
export interface WaitingGroup {
  readonly need: Need;
  readonly queues: Map<string, TurnQueue>;
  /** The same queues in the order of their first turns. */
  readonly inTurn: TurnQueue[];
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
    if (group === undefined)
      this.#groups.set(need.key, (group = { need, queues: new Map(), inTurn: [], size: 0 }));
    group.size += 1;
    this.#groupOf.set(instance, group);
    const { payer } = instance.task;
    let queue = group.queues.get(payer);
    if (queue === undefined) {
      group.queues.set(payer, (queue = new TurnQueue(payer)));
      queue.add(instance);
      seat(group, queue);
    } else if (isBefore(instance, queue.first())) {
      unseat(group, queue);
      queue.add(instance);
      seat(group, queue);
    } else queue.add(instance);
  }

  remove(instance: Instance): void {
    const group = this.#groupOf.get(instance);
    if (group === undefined) return;
    this.#groupOf.delete(instance);
    group.size -= 1;
    if (group.size === 0) this.#groups.delete(group.need.key);
    const { payer } = instance.task;
    const queue = group.queues.get(payer);
    if (queue === undefined) throw new Error(`${instance.instanceId} stands in no queue`);
    if (queue.first() !== instance) return queue.remove(instance);
    unseat(group, queue);
    queue.remove(instance);
    if (queue.size > 0) seat(group, queue);
    else group.queues.delete(payer);
  }

  groups(): IterableIterator<WaitingGroup> {
    return this.#groups.values();
  }

  instances(): IterableIterator<Instance> {
    return this.#groupOf.keys();
  }
}

function seat({ inTurn }: WaitingGroup, queue: TurnQueue): void {
  inTurn.splice(seatOf(inTurn, queue.first()), 0, queue);
}

function unseat({ inTurn }: WaitingGroup, queue: TurnQueue): void {
  inTurn.splice(seatOf(inTurn, queue.first()), 1);
}

/** Where the queue that `first` leads stands, or would stand. */
function seatOf(inTurn: readonly TurnQueue[], first: Instance): number {
  let low = 0;
  let high = inTurn.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const other = inTurn[middle];
    if (other !== undefined && isBefore(other.first(), first)) low = middle + 1;
    else high = middle;
  }
  return low;
}
