/**
 * How far a trip has come: a number that says which stops are done, and what the rest costs at least. `AnyOrder` leaves
 * the order of the stops open (the number is a set of stops); `FixedOrder` has decided it (the number counts them).
 */
import { distancesFrom, UNREACHED } from './distances';
import { Problem } from './problem';

export abstract class Itinerary {
  constructor(
    public problem: Problem,
    /** How many different values progress takes; the last is "all stops done". */
    public progressCount: i32,
  ) {}

  /** Progress after arriving at a city. */
  abstract advance(progress: i32, city: i32): i32;

  /** Least remaining cost for each progress × city, row by row. */
  abstract remaining(priceMs: i64): StaticArray<i64>;
}

export class AnyOrder extends Itinerary {
  constructor(problem: Problem) {
    super(problem, 1 << problem.stops.length);
  }

  advance(progress: i32, city: i32): i32 {
    const index = this.problem.stops.indexOf(city);
    return index < 0 ? progress : progress | (1 << index);
  }

  /** From the full set downwards: each set looks at the sets with one stop more. */
  remaining(priceMs: i64): StaticArray<i64> {
    const cities = this.problem.names.length;
    const stops = this.problem.stops;
    const fromStop: StaticArray<i64>[] = [];
    for (let s = 0; s < stops.length; s++) fromStop.push(distancesFrom(this.problem, stops[s], priceMs));
    const fromGoal = distancesFrom(this.problem, this.problem.to, priceMs);
    const table = new StaticArray<i64>(this.progressCount * cities);
    for (let progress = this.progressCount - 1; progress >= 0; progress--) {
      const full = progress == this.progressCount - 1;
      for (let city = 0; city < cities; city++) {
        let least = full ? fromGoal[city] : UNREACHED;
        for (let s = 0; s < stops.length; s++) {
          if (progress & (1 << s)) continue;
          const after = table[(progress | (1 << s)) * cities + stops[s]];
          least = min(least, min(UNREACHED, fromStop[s][city] + after));
        }
        table[progress * cities + city] = least;
      }
    }
    return table;
  }
}

export class FixedOrder extends Itinerary {
  constructor(
    problem: Problem,
    public order: i32[],
  ) {
    super(problem, order.length + 1);
  }

  advance(progress: i32, city: i32): i32 {
    return progress < this.order.length && this.order[progress] == city ? progress + 1 : progress;
  }

  remaining(priceMs: i64): StaticArray<i64> {
    const cities = this.problem.names.length;
    const table = new StaticArray<i64>(this.progressCount * cities);
    for (let progress = this.order.length; progress >= 0; progress--) {
      const last = progress == this.order.length;
      const target = last ? this.problem.to : this.order[progress];
      const after: i64 = last ? 0 : table[(progress + 1) * cities + target];
      const fromTarget = distancesFrom(this.problem, target, priceMs);
      for (let city = 0; city < cities; city++) {
        table[progress * cities + city] = min(UNREACHED, fromTarget[city] + after);
      }
    }
    return table;
  }
}
