/**
 * A tree over slots that holds, for each node, the largest value of each dimension below it: whoever looks for a slot with
 * enough of everything skips whole branches that have too little of anything.
 *
 * Slots are dense: removing one moves the last slot into its place.
 */

/** What one slot has; as many numbers as the tree has dimensions, each one that single precision holds exactly. */
export type SlotValues = readonly number[];

const NOTHING_THERE = -1;

export class MaxTree<Item> {
  readonly #dimensions: number;
  readonly #items: Item[] = [];
  /** Leaves stand behind their inner nodes: node n has the children 2n and 2n + 1. */
  #leaves = 1;
  #nodes: Float32Array;

  constructor(dimensions: number) {
    this.#dimensions = dimensions;
    this.#nodes = emptyNodes(1, dimensions);
  }

  get size(): number {
    return this.#items.length;
  }

  /** Returns the slot. */
  add(item: Item, values: SlotValues): number {
    const slot = this.#items.length;
    if (slot === this.#leaves) this.#grow();
    this.#items.push(item);
    this.set(slot, values);
    return slot;
  }

  set(slot: number, values: SlotValues): void {
    const at = (this.#leaves + slot) * this.#dimensions;
    let changed = false;
    for (let d = 0; d < this.#dimensions; d++) {
      const value = values[d] as number;
      if (this.#nodes[at + d] === value) continue;
      this.#nodes[at + d] = value;
      changed = true;
    }
    if (changed) this.#lift(slot);
  }

  /** Empties the slot; returns the item that was moved into it, if one was. */
  remove(slot: number): Item | undefined {
    const last = this.#items.length - 1;
    const moved = this.#items[last] as Item;
    this.#items.pop();
    if (slot !== last) {
      this.#items[slot] = moved;
      this.#copyLeaf(last, slot);
      this.#lift(slot);
    }
    this.#clearLeaf(last);
    this.#lift(last);
    return slot === last ? undefined : moved;
  }

  /** Calls `visit` for each slot that has at least `least` of everything, until it says false; whether it never did. */
  eachWithAtLeast(least: SlotValues, visit: (item: Item) => boolean): boolean {
    return this.#descend(1, least, visit);
  }

  #descend(node: number, least: SlotValues, visit: (item: Item) => boolean): boolean {
    const at = node * this.#dimensions;
    for (let d = 0; d < this.#dimensions; d++)
      if ((this.#nodes[at + d] as number) < (least[d] as number)) return true;
    if (node >= this.#leaves) {
      const slot = node - this.#leaves;
      return slot >= this.#items.length || visit(this.#items[slot] as Item);
    }
    return this.#descend(2 * node, least, visit) && this.#descend(2 * node + 1, least, visit);
  }

  #grow(): void {
    const before = this.#nodes;
    const leavesBefore = this.#leaves;
    this.#leaves *= 2;
    this.#nodes = emptyNodes(this.#leaves, this.#dimensions);
    const from = leavesBefore * this.#dimensions;
    this.#nodes.set(before.subarray(from, 2 * from), this.#leaves * this.#dimensions);
    for (let node = this.#leaves - 1; node >= 1; node--) this.#maximise(node);
  }

  #copyLeaf(from: number, to: number): void {
    const size = this.#dimensions;
    const at = (this.#leaves + from) * size;
    this.#nodes.copyWithin((this.#leaves + to) * size, at, at + size);
  }

  #clearLeaf(slot: number): void {
    const at = (this.#leaves + slot) * this.#dimensions;
    this.#nodes.fill(NOTHING_THERE, at, at + this.#dimensions);
  }

  #lift(slot: number): void {
    let node = (this.#leaves + slot) >> 1;
    while (node >= 1 && this.#maximise(node)) node >>= 1;
  }

  /** Whether the node changed. */
  #maximise(node: number): boolean {
    const at = node * this.#dimensions;
    const left = 2 * at;
    const right = left + this.#dimensions;
    let changed = false;
    for (let d = 0; d < this.#dimensions; d++) {
      const value = Math.max(this.#nodes[left + d] as number, this.#nodes[right + d] as number);
      if (this.#nodes[at + d] === value) continue;
      this.#nodes[at + d] = value;
      changed = true;
    }
    return changed;
  }
}

function emptyNodes(leaves: number, dimensions: number): Float32Array {
  return new Float32Array(2 * leaves * dimensions).fill(NOTHING_THERE);
}
