/** The instances that wait for a donor: those that need the same stand together, each payer's in the order of their turns. */
import type { Need } from './need.ts';
import type { Instance } from '../state.ts';
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
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(instance: Instance): boolean {
    return instance.waitsIn !== undefined;
  }

  group(needKey: string): WaitingGroup | undefined {
    return this.#groups.get(needKey);
  }

  add(instance: Instance, need: Need): void {
    let group = this.#groups.get(need.key);
    if (group === undefined)
      this.#groups.set(need.key, (group = { need, queues: new Map(), inTurn: [], size: 0 }));
    group.size += 1;
    this.#size += 1;
    instance.waitsIn = group;
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
    const group = instance.waitsIn;
    if (group === undefined) return;
    instance.waitsIn = undefined;
    this.#size -= 1;
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

  *instances(): Generator<Instance> {
    for (const { inTurn } of this.#groups.values()) for (const queue of inTurn) yield* queue;
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
