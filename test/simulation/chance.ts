/** Luck from one seed: whatever a simulation leaves to chance is drawn here, so that the same seed gives the same run. */
import { nextUint32, seededRandom, type Random } from '../../agent/core/random.ts';

export class Chance {
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  /** 0 ≤ x < 1. */
  next(): number {
    return nextUint32(this.#random) / 2 ** 32;
  }

  between(from: number, to: number): number {
    return from + this.next() * (to - from);
  }

  /** Both ends are possible. */
  whole(from: number, to: number): number {
    return from + (nextUint32(this.#random) % (to - from + 1));
  }

  is(permille: number): boolean {
    return permille > 0 && this.next() * 1000 < permille;
  }

  pick<One>(list: readonly One[]): One {
    const found = list[nextUint32(this.#random) % list.length];
    if (found === undefined) throw new Error('nothing to pick from');
    return found;
  }

  /** How long until something that happens every `meanMs` in the mean, whenever it happened last. */
  wait(meanMs: number): number {
    return -Math.log(1 - this.next()) * meanMs;
  }

  /** Luck of its own for one part of the world: what another part draws does not change it. */
  fork(): Chance {
    return new Chance(nextUint32(this.#random));
  }
}
