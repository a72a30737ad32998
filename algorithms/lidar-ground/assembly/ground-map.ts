/**
 * The height of the ground around the sensor, column by column of half a metre: grown outwards from under the sensor, a
 * column's lowest point is ground where it lies no higher above its neighbour's ground than a kerb and a slope allow;
 * where it lies higher (a roof, a wall) or where nothing was seen, the neighbour's height goes on.
 */

const COLUMN_M: f64 = 0.5;
const NEAR_M: f64 = -80;
const ACROSS = 320;
const COLUMNS = ACROSS * ACROSS;
/** Height of the sensor over the road (KITTI's car), where no point tells better. */
const SENSOR_HEIGHT_M: f64 = 1.73;
/** The car hides the road in this distance. */
const HIDDEN_M: f64 = 3;
const STEP_UP_M: f64 = 0.2;
/** A lowest point deeper than this below its neighbour is a reflection, not ground. */
const STEP_DOWN_M: f64 = 0.4;

function columnOf(x: f64, y: f64): i32 {
  return <i32>Math.floor((y - NEAR_M) / COLUMN_M) * ACROSS + <i32>Math.floor((x - NEAR_M) / COLUMN_M);
}

export class GroundMap {
  /** The lowest point of a column; +∞ where there is none. */
  private lowest: StaticArray<f64> = new StaticArray<f64>(COLUMNS);
  private height: StaticArray<f64> = new StaticArray<f64>(COLUMNS);
  private reached: StaticArray<bool> = new StaticArray<bool>(COLUMNS);
  private queue: StaticArray<i32> = new StaticArray<i32>(COLUMNS);
  private queued: i32 = 0;

  addPoints(points: usize, count: i32): void {
    this.lowest.fill(Infinity);
    for (let i = 0; i < count; i++) {
      const point = points + ((<usize>i) << 4);
      const x = <f64>load<f32>(point);
      const y = <f64>load<f32>(point, 4);
      const z = <f64>load<f32>(point, 8);
      if (!(abs(x) < 80 && abs(y) < 80 && abs(z) < 3.5)) continue;
      const column = columnOf(x, y);
      if (z < this.lowest[column]) this.lowest[column] = z;
    }
  }

  /** Breadth first from the columns around the sensor. */
  settle(): void {
    for (let y = -HIDDEN_M; y < HIDDEN_M; y += COLUMN_M) {
      for (let x = -HIDDEN_M; x < HIDDEN_M; x += COLUMN_M) this.reach(columnOf(x, y), -SENSOR_HEIGHT_M);
    }
    for (let head = 0; head < this.queued; head++) {
      const column = this.queue[head];
      const height = this.height[column];
      const x = column % ACROSS;
      const y = column / ACROSS;
      if (x > 0) this.reach(column - 1, height);
      if (x < ACROSS - 1) this.reach(column + 1, height);
      if (y > 0) this.reach(column - ACROSS, height);
      if (y < ACROSS - 1) this.reach(column + ACROSS, height);
    }
  }

  private reach(column: i32, neighbourM: f64): void {
    if (this.reached[column]) return;
    this.reached[column] = true;
    const lowest = this.lowest[column];
    const ground = lowest <= neighbourM + STEP_UP_M && lowest >= neighbourM - STEP_DOWN_M;
    this.height[column] = ground ? lowest : neighbourM;
    this.queue[this.queued++] = column;
  }

  heightAt(x: f64, y: f64): f64 {
    return this.height[columnOf(x, y)];
  }
}
