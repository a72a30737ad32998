/**
 * A map for entries that come and go by the ten thousands. V8 gives such a map a new table from time to time: of 100,000 entries that is
 * 7 MiB at once, and the old one stays until the next full collection. Many small ones never make memory jump.
 */

const SPLIT_AT = 4_096;
const PARTS = 64;

export class SplitMap<Key extends string, Value> {
  /** One, until it has too many entries; then `PARTS`. */
  #parts: readonly Map<Key, Value>[] = [new Map()];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: Key): Value | undefined {
    return this.#partOf(key).get(key);
  }

  set(key: Key, value: Value): void {
    const part = this.#partOf(key);
    const before = part.size;
    part.set(key, value);
    this.#size += part.size - before;
    if (this.#parts.length === 1 && part.size > SPLIT_AT) this.#split(part);
  }

  delete(key: Key): boolean {
    const isDeleted = this.#partOf(key).delete(key);
    if (isDeleted) this.#size -= 1;
    return isDeleted;
  }

  #partOf(key: Key): Map<Key, Value> {
    const part = this.#parts[this.#parts.length === 1 ? 0 : placeOf(key)];
    if (part === undefined) throw new Error(`no part for ${key}`);
    return part;
  }

  #split(whole: Map<Key, Value>): void {
    this.#parts = Array.from({ length: PARTS }, () => new Map<Key, Value>());
    for (const [key, value] of whole) this.#partOf(key).set(key, value);
  }
}

/** By its end, where ids of one sender differ. Who makes his all alike has one large part, as without parts. */
export function placeOf(key: string): number {
  return (31 * key.charCodeAt(key.length - 1) + key.charCodeAt(key.length - 2)) % PARTS || 0;
}
