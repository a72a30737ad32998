/** Labels by their lower bound of the whole trip's time: a binary heap of bound × 2³² + index, ties to the older label. */

export class LabelQueue {
  size: i32 = 0;
  private keys: usize = 0;
  private capacity: i32 = 0;

  @inline
  private at(i: i32): u64 {
    return load<u64>(this.keys + ((<usize>i) << 3));
  }

  @inline
  private put(i: i32, key: u64): void {
    store<u64>(this.keys + ((<usize>i) << 3), key);
  }

  push(boundMs: u32, index: u32): void {
    if (this.size == this.capacity) this.grow();
    const key = ((<u64>boundMs) << 32) | index;
    let hole = this.size++;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (this.at(parent) <= key) break;
      this.put(hole, this.at(parent));
      hole = parent;
    }
    this.put(hole, key);
  }

  pop(): u32 {
    const index = <u32>this.at(0);
    const key = this.at(--this.size);
    let hole = 0;
    while (true) {
      let child = hole * 2 + 1;
      if (child >= this.size) break;
      if (child + 1 < this.size && this.at(child + 1) < this.at(child)) child++;
      if (this.at(child) >= key) break;
      this.put(hole, this.at(child));
      hole = child;
    }
    this.put(hole, key);
    return index;
  }

  private grow(): void {
    const capacity = this.capacity == 0 ? 65536 : this.capacity * 2;
    const larger = heap.alloc((<usize>capacity) << 3);
    memory.copy(larger, this.keys, (<usize>this.size) << 3);
    if (this.keys) heap.free(this.keys);
    this.keys = larger;
    this.capacity = capacity;
  }
}
