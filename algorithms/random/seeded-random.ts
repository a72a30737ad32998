/** A small seeded generator (splitmix32 over a counter), so that every machine makes the same inputs. */

export class SeededRandom {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  nextUint32(): number {
    this.state = (this.state + 0x9e3779b9) >>> 0;
    let z = this.state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  }

  /** From 0 up to, not including, 1. */
  nextUnit(): number {
    return this.nextUint32() / 2 ** 32;
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.nextUnit();
  }

  /** About normal, by the sum of twelve: no logarithm or cosine that could differ between machines. */
  nextNormal(): number {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += this.nextUnit();
    return sum;
  }
}
