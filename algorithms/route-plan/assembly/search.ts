/**
 * A* over (stops done, city, plugged in or not, charge): finds the plan of least time among all choices of road, speed
 * on each road, where to charge and how much. A label is one way to come to such a state. It is dropped where another
 * came to the same city, no later and with no less charge.
 *
 * The lower bound is the larger of two: the drive time of the rest at full speed; and the rest at the best trade of time
 * against energy, with energy priced at the fastest charging there is, less what the charge aboard is worth at that
 * price. Both never fall by more than a step costs, so the first arrival taken from the queue is the best.
 */
import { fail } from '../../stdio/assembly/stdio';
import { UNREACHED } from './distances';
import { Itinerary } from './itinerary';
import { LabelQueue } from './label-queue';
import { Problem } from './problem';

/** Labels are kept in chunks, so that more of them never means copying those there are. */
const CHUNK_BITS = 16;
const CHUNK_LABELS: u32 = 1 << CHUNK_BITS;
const CHUNKS_MAX = 128;
const STATES_MAX: i64 = 32000000;
const NEVER: u32 = 0xffffffff;
/** How a label came about, where it was not by driving at a speed (whose index it holds then). */
export const BY_START: u8 = 255;
export const BY_PLUGGING: u8 = 254;
export const BY_CHARGING: u8 = 253;
export const BY_LINK: u8 = 252;

@unmanaged
export class Label {
  timeMs: u32;
  parent: u32;
  /** (progress × cities + city) × 2 + plugged. */
  node: u32;
  soc: u16;
  how: u8;
}

export class Search {
  private problem: Problem;
  private cities: i32;
  private levels: i32;
  /** Least time known to reach a node with at least that charge: node × levels. */
  private leastMs: StaticArray<u32> = new StaticArray<u32>(0);
  private driveBoundMs: StaticArray<i64> = new StaticArray<i64>(0);
  private tradeBoundMs: StaticArray<i64> = new StaticArray<i64>(0);
  private priceMs: i64 = 0;
  /** Time of each charging step for each site power that occurs; the row of a city, or -1 without a site. */
  private chargeMs: StaticArray<u32>[] = [];
  private chargeRow: StaticArray<i32> = new StaticArray<i32>(0);
  private queue: LabelQueue = new LabelQueue();
  private labelCount: u32 = 0;
  private chunks: StaticArray<usize> = new StaticArray<usize>(CHUNKS_MAX);

  constructor(private itinerary: Itinerary) {
    const problem = itinerary.problem;
    this.problem = problem;
    this.cities = problem.names.length;
    this.levels = problem.socSteps + 1;
    const states = <i64>itinerary.progressCount * this.cities * 2 * this.levels;
    if (states > STATES_MAX)
      fail('too many stops, cities and battery steps together: ' + states.toString() + ' states');
    this.leastMs = new StaticArray<u32>(<i32>states);
    this.leastMs.fill(NEVER);
    this.chargeRow = new StaticArray<i32>(this.cities);
    this.priceCharging();
    this.driveBoundMs = itinerary.remaining(0);
    this.tradeBoundMs = itinerary.remaining(this.priceMs);
  }

  private priceCharging(): void {
    const problem = this.problem;
    const powers: i64[] = [];
    let least: i64 = UNREACHED;
    for (let city = 0; city < this.cities; city++) {
      const power = problem.chargeW[city];
      if (power == 0) {
        this.chargeRow[city] = -1;
        continue;
      }
      let row = powers.indexOf(power);
      if (row < 0) {
        row = powers.length;
        powers.push(power);
        const times = new StaticArray<u32>(this.levels);
        for (let step = 0; step < problem.socSteps; step++) {
          const ms = problem.chargeStepMs(power, step);
          times[step] = <u32>ms;
          least = min(least, ms);
        }
        this.chargeMs.push(times);
      }
      this.chargeRow[city] = row;
    }
    this.priceMs = least == UNREACHED ? 0 : least;
  }

  private boundMs(place: i32, soc: i32): i64 {
    const drive = this.driveBoundMs[place];
    const trade = this.tradeBoundMs[place] - this.priceMs * (soc - this.floorSoc());
    return drive > trade ? drive : trade;
  }

  /** The charge that is worth nothing on arrival. */
  private floorSoc(): i32 {
    return max(this.problem.arriveSoc, this.problem.reserveSoc);
  }

  @inline
  private label(index: u32): Label {
    return changetype<Label>(
      this.chunks[index >> CHUNK_BITS] + <usize>(index & (CHUNK_LABELS - 1)) * offsetof<Label>(),
    );
  }

  /** Takes the time into the table of least times; false where another label is as good in both. */
  private improves(node: u32, soc: i32, timeMs: u32): bool {
    const row = <i32>node * this.levels;
    if (this.leastMs[row + soc] <= timeMs) return false;
    for (let level = soc; level >= 0; level--) {
      if (this.leastMs[row + level] <= timeMs) break;
      this.leastMs[row + level] = timeMs;
    }
    return true;
  }

  private reach(parent: u32, node: u32, soc: i32, timeMs: i64, how: u8): void {
    const bound = this.boundMs(<i32>(node >> 1), soc);
    if (bound >= UNREACHED / 2 || !this.improves(node, soc, <u32>timeMs)) return;
    const index = this.addLabel();
    const label = this.label(index);
    label.timeMs = <u32>timeMs;
    label.parent = parent;
    label.node = node;
    label.soc = <u16>soc;
    label.how = how;
    this.queue.push(<u32>(timeMs + bound), index);
  }

  private addLabel(): u32 {
    const chunk = this.labelCount >> CHUNK_BITS;
    if ((this.labelCount & (CHUNK_LABELS - 1)) == 0) {
      if (chunk == CHUNKS_MAX) fail('the search holds more than ' + this.labelCount.toString() + ' labels');
      this.chunks[chunk] = heap.alloc(<usize>CHUNK_LABELS * offsetof<Label>());
    }
    return this.labelCount++;
  }

  private charge(index: u32, node: u32, soc: i32, timeMs: u32): void {
    const city = <i32>((node >> 1) % <u32>this.cities);
    const row = this.chargeRow[city];
    if (row < 0 || soc == this.problem.socSteps) return;
    if (node & 1) {
      this.reach(index, node, soc + 1, <i64>timeMs + this.chargeMs[row][soc], BY_CHARGING);
    } else {
      this.reach(index, node | 1, soc, <i64>timeMs + this.problem.chargeOverheadMs, BY_PLUGGING);
    }
  }

  private drive(index: u32, node: u32, soc: i32, timeMs: u32): void {
    const problem = this.problem;
    const city = <i32>((node >> 1) % <u32>this.cities);
    const progress = <i32>((node >> 1) / <u32>this.cities);
    const edges = problem.edges[city];
    for (let i = 0; i < edges.length; i++) {
      const edge = edges[i];
      const next = <u32>(this.itinerary.advance(progress, edge.to) * this.cities + edge.to) * 2;
      if (edge.fixedMs > 0) {
        this.reach(index, next, soc, <i64>timeMs + edge.fixedMs, BY_LINK);
        continue;
      }
      for (let s = 0; s < edge.ms.length; s++) {
        const left = soc - edge.soc[s];
        if (left < problem.reserveSoc) continue;
        this.reach(index, next, left, <i64>timeMs + edge.ms[s], <u8>s);
      }
    }
  }

  private arrived(node: u32, soc: i32): bool {
    const place = <i32>(node >> 1);
    const goal = (this.itinerary.progressCount - 1) * this.cities + this.problem.to;
    return place == goal && soc >= this.problem.arriveSoc;
  }

  /** Labels from the start to the goal; empty where no plan keeps the reserve. */
  run(): Label[] {
    const start = this.itinerary.advance(0, this.problem.from) * this.cities + this.problem.from;
    this.reach(0, <u32>start * 2, this.problem.startSoc, 0, BY_START);
    while (this.queue.size > 0) {
      const index = this.queue.pop();
      const label = this.label(index);
      const node = label.node;
      const soc = <i32>label.soc;
      const timeMs = label.timeMs;
      if (this.leastMs[<i32>node * this.levels + soc] < timeMs) continue;
      if (this.arrived(node, soc)) return this.pathTo(index);
      this.drive(index, node, soc, timeMs);
      this.charge(index, node, soc, timeMs);
    }
    return [];
  }

  private pathTo(goal: u32): Label[] {
    const path: Label[] = [];
    let label = this.label(goal);
    while (label.how != BY_START) {
      path.push(label);
      label = this.label(label.parent);
    }
    path.push(label);
    return path.reverse();
  }
}
