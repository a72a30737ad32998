/** Instances in the order of their turns; adding at the end and taking at the front cost little. */
import type { Instance } from '../state.ts';

export class TurnQueue {
  /** Whose instances they are. */
  readonly payer: string;
  #members: Instance[] = [];
  /** Those before it were taken. */
  #front = 0;

  constructor(payer: string) {
    this.payer = payer;
  }

  get size(): number {
    return this.#members.length - this.#front;
  }

  /** Of a queue that is not empty. */
  first(): Instance {
    const first = this.#members[this.#front];
    if (first === undefined) throw new Error('nobody stands in this queue');
    return first;
  }

  /** The first that `suits`, in the order of turns. */
  find(suits: (instance: Instance) => boolean): Instance | undefined {
    for (let at = this.#front; at < this.#members.length; at++) {
      const instance = this.#members[at] as Instance;
      if (suits(instance)) return instance;
    }
    return undefined;
  }

  add(instance: Instance): void {
    const last = this.#members.at(-1);
    if (last === undefined || this.size === 0 || isBefore(last, instance)) this.#members.push(instance);
    else this.#members.splice(this.#placeOf(instance), 0, instance);
  }

  remove(instance: Instance): void {
    const at = this.#placeOf(instance);
    if (this.#members[at] !== instance) return;
    if (at !== this.#front) {
      this.#members.splice(at, 1);
      return;
    }
    this.#front += 1;
    if (this.#front < 64 || this.#front * 2 < this.#members.length) return;
    this.#members = this.#members.slice(this.#front);
    this.#front = 0;
  }

  /** How many of it have their turn before `instance`, which need not stand in it. */
  countBefore(instance: Instance): number {
    return this.#placeOf(instance) - this.#front;
  }

  *[Symbol.iterator](): Generator<Instance> {
    for (let at = this.#front; at < this.#members.length; at++) yield this.#members[at] as Instance;
  }

  /** Where `instance` stands, or would stand. */
  #placeOf(instance: Instance): number {
    let low = this.#front;
    let high = this.#members.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isBefore(this.#members[middle] as Instance, instance)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The order in which turns come. */
export function compareTurns(a: Instance, b: Instance): number {
  return a.turnMonoMs - b.turnMonoMs || a.order - b.order;
}

export function isBefore(a: Instance, b: Instance): boolean {
  return compareTurns(a, b) < 0;
}
