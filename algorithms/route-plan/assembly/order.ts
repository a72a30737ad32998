/**
 * The order of the stops by simulated annealing: from the order of the input, reverse or move a part of it; take what
 * is shorter, and what is longer with a chance that falls with the temperature. Only whole numbers and the four basic
 * operations take part, so every machine draws and decides alike.
 */
import { distancesFrom } from './distances';
import { Problem } from './problem';

const ITERATIONS_PER_EFFORT = 100000;
/** Iterations at one temperature. */
const ROUND = 1000;
const COOLEST = 0.0005;
const QUANTILES = 4096;

/** What a minute of energy costs in the distances: a middling site. Only a guide; the search prices energy exactly. */
const GUIDE_SITE_W: i64 = 100000;

/** splitmix32 over a counter. */
class Random {
  constructor(private state: u32) {}

  next(): u32 {
    this.state += 0x9e3779b9;
    let z = this.state;
    z = (z ^ (z >> 16)) * 0x21f0aaad;
    z = (z ^ (z >> 15)) * 0x735a2d97;
    return z ^ (z >> 15);
  }

  below(bound: i32): i32 {
    return <i32>((<u64>this.next() * bound) >> 32);
  }
}

/** −ln of evenly spaced chances, so that "rise < temperature × quantile" is the Metropolis rule without exp. */
function acceptanceQuantiles(): StaticArray<f64> {
  const table = new StaticArray<f64>(QUANTILES);
  for (let i = 0; i < QUANTILES; i++) table[i] = -Math.log((<f64>i + 0.5) / <f64>QUANTILES);
  return table;
}

class Tour {
  /** Place 0 is the start, then the stops in their present order, then the goal. */
  places: StaticArray<i32> = new StaticArray<i32>(0);
  size: i32 = 0;
  cost: StaticArray<i64> = new StaticArray<i64>(0);

  constructor(problem: Problem) {
    const cities = [problem.from].concat(problem.stops).concat([problem.to]);
    this.size = cities.length;
    this.places = new StaticArray<i32>(this.size);
    this.cost = new StaticArray<i64>(this.size * this.size);
    const priceMs = (problem.batteryWh * 3600000) / (GUIDE_SITE_W * problem.socSteps);
    for (let i = 0; i < this.size; i++) {
      this.places[i] = i;
      const from = distancesFrom(problem, cities[i], priceMs);
      for (let j = 0; j < this.size; j++) this.cost[i * this.size + j] = from[cities[j]];
    }
  }

  @inline
  between(a: i32, b: i32): i64 {
    return this.cost[a * this.size + b];
  }

  totalMs(): i64 {
    let total: i64 = 0;
    for (let i = 1; i < this.size; i++) total += this.between(this.places[i - 1], this.places[i]);
    return total;
  }

  /** What reversing places first…last would add. */
  reversalMs(first: i32, last: i32): i64 {
    const a = this.places[first - 1];
    const b = this.places[first];
    const c = this.places[last];
    const d = this.places[last + 1];
    return this.between(a, c) + this.between(b, d) - this.between(a, b) - this.between(c, d);
  }

  reverse(first: i32, last: i32): void {
    while (first < last) {
      const held = this.places[first];
      this.places[first++] = this.places[last];
      this.places[last--] = held;
    }
  }

  /** What taking the place at `from` out and putting it behind `to` would add. */
  moveMs(from: i32, to: i32): i64 {
    const x = this.places[from];
    const left = this.places[from - 1];
    const right = this.places[from + 1];
    const near = this.places[to];
    const far = this.places[to + 1];
    const out = this.between(left, right) - this.between(left, x) - this.between(x, right);
    return out + this.between(near, x) + this.between(x, far) - this.between(near, far);
  }

  move(from: i32, to: i32): void {
    const x = this.places[from];
    if (from < to) {
      for (let i = from; i < to; i++) this.places[i] = this.places[i + 1];
      this.places[to] = x;
    } else {
      for (let i = from; i > to + 1; i--) this.places[i] = this.places[i - 1];
      this.places[to + 1] = x;
    }
  }
}

function annealTour(tour: Tour, random: Random, iterations: i32): StaticArray<i32> {
  const quantiles = acceptanceQuantiles();
  const stops = tour.size - 2;
  let totalMs = tour.totalMs();
  let bestMs = totalMs;
  const best = tour.places.slice<StaticArray<i32>>();
  const rounds = iterations / ROUND;
  const hottestMs = <f64>totalMs / <f64>(tour.size - 1);
  const cooling = Math.pow(COOLEST, 1 / <f64>rounds);
  let temperatureMs = hottestMs;
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < ROUND; i++) {
      const a = 1 + random.below(stops);
      const b = 1 + random.below(stops);
      const reversing = (random.next() & 1) == 1;
      if (a == b || (!reversing && b == a - 1)) continue;
      const first = min(a, b);
      const last = max(a, b);
      const rise = reversing ? tour.reversalMs(first, last) : tour.moveMs(a, b);
      const bearableMs = temperatureMs * quantiles[random.below(QUANTILES)];
      if (rise > 0 && <f64>rise >= bearableMs) continue;
      if (reversing) tour.reverse(first, last);
      else tour.move(a, b);
      totalMs += rise;
      if (totalMs >= bestMs) continue;
      bestMs = totalMs;
      for (let k = 0; k < tour.size; k++) best[k] = tour.places[k];
    }
    temperatureMs *= cooling;
  }
  return best;
}

/** The stops' cities in the order found. */
export function annealOrder(problem: Problem): i32[] {
  const stops = problem.stops;
  if (stops.length < 2) return stops;
  const best = annealTour(
    new Tour(problem),
    new Random(problem.seed),
    problem.effort * ITERATIONS_PER_EFFORT,
  );
  const order: i32[] = [];
  for (let i = 1; i < best.length - 1; i++) order.push(stops[best[i] - 1]);
  return order;
}
