/** A dense grid of voxels around the sensor: which are occupied, by what mean point, and how many beams pass through. */

export const CELL_M: f64 = 0.125;
export const NEAR_M: f64 = -80;
export const LOW_M: f64 = -3.5;
export const CELLS_ACROSS = 1280;
export const CELLS_UP = 56;

/** Beams through a voxel for each point in it, from which on it is spray, dust or rain rather than a thing. */
const PASSES_PER_POINT = 8;

/** Sums over the points of one occupied voxel. */
@unmanaged
class Voxel {
  x: f64;
  y: f64;
  z: f64;
  intensity: f64;
  points: u32;
  passes: u32;
}

function cellOf(metres: f64, lowest: f64): i32 {
  return <i32>Math.floor((metres - lowest) / CELL_M);
}

function inside(ix: i32, iy: i32, iz: i32): bool {
  return <u32>ix < <u32>CELLS_ACROSS && <u32>iy < <u32>CELLS_ACROSS && <u32>iz < <u32>CELLS_UP;
}

/** One axis of the walk along a beam: the cell, its step, and at which share of the beam the next cell begins. */
class Axis {
  cell: i32 = 0;
  step: i32 = 0;
  next: f64 = 0;
  gap: f64 = 0;

  start(lowest: f64, target: f64): void {
    this.cell = cellOf(0, lowest);
    this.step = target > 0 ? 1 : target < 0 ? -1 : 0;
    this.gap = target == 0 ? Infinity : CELL_M / Math.abs(target);
    const edge = lowest + <f64>(this.cell + (target > 0 ? 1 : 0)) * CELL_M;
    this.next = target == 0 ? Infinity : edge / target;
  }

  advance(): void {
    this.cell += this.step;
    this.next += this.gap;
  }
}

export class VoxelGrid {
  voxelCount: i32 = 0;
  /** For each cell the number of its voxel from 1, or 0 where no point fell in. */
  private cells: usize = 0;
  private voxels: usize = 0;

  constructor(
    private points: usize,
    private pointCount: i32,
  ) {
    const bytes = <usize>CELLS_ACROSS * CELLS_ACROSS * CELLS_UP * 4;
    this.cells = heap.alloc(bytes);
    memory.fill(this.cells, 0, bytes);
    this.voxels = heap.alloc(<usize>(pointCount + 1) * offsetof<Voxel>());
  }

  @inline
  private cellAt(ix: i32, iy: i32, iz: i32): usize {
    return this.cells + <usize>(((iz * CELLS_ACROSS + iy) * CELLS_ACROSS + ix) << 2);
  }

  @inline
  private voxel(number: i32): Voxel {
    return changetype<Voxel>(this.voxels + <usize>number * offsetof<Voxel>());
  }

  addPoints(): void {
    for (let i = 0; i < this.pointCount; i++) {
      const point = this.points + ((<usize>i) << 4);
      const x = <f64>load<f32>(point);
      const y = <f64>load<f32>(point, 4);
      const z = <f64>load<f32>(point, 8);
      if (!(abs(x) < 80 && abs(y) < 80 && abs(z) < 3.5)) continue;
      const cell = this.cellAt(cellOf(x, NEAR_M), cellOf(y, NEAR_M), cellOf(z, LOW_M));
      let number = load<u32>(cell);
      if (number == 0) {
        number = ++this.voxelCount;
        store<u32>(cell, number);
        memory.fill(changetype<usize>(this.voxel(number)), 0, offsetof<Voxel>());
      }
      const voxel = this.voxel(number);
      voxel.x += x;
      voxel.y += y;
      voxel.z += z;
      voxel.intensity += <f64>load<f32>(point, 12);
      voxel.points++;
    }
  }

  /** Follows every beam from the sensor to the cell before its point, and counts it in the voxels that it crosses. */
  walkBeams(): void {
    const axisX = new Axis();
    const axisY = new Axis();
    const axisZ = new Axis();
    for (let i = 0; i < this.pointCount; i++) {
      const point = this.points + ((<usize>i) << 4);
      axisX.start(NEAR_M, <f64>load<f32>(point));
      axisY.start(NEAR_M, <f64>load<f32>(point, 4));
      axisZ.start(LOW_M, <f64>load<f32>(point, 8));
      this.walk(axisX, axisY, axisZ);
    }
  }

  /** From cell to cell by whichever side comes first; the point itself is at 1. */
  private walk(axisX: Axis, axisY: Axis, axisZ: Axis): void {
    while (inside(axisX.cell, axisY.cell, axisZ.cell)) {
      const near = axisX.next < axisY.next ? axisX : axisY;
      const nearest = near.next < axisZ.next ? near : axisZ;
      if (!(nearest.next < 1)) return;
      const number = load<u32>(this.cellAt(axisX.cell, axisY.cell, axisZ.cell));
      if (number != 0) this.voxel(number).passes++;
      nearest.advance();
    }
  }

  seenThrough(number: i32): bool {
    const voxel = this.voxel(number);
    return voxel.passes >= voxel.points * PASSES_PER_POINT;
  }

  meanX(number: i32): f64 {
    const voxel = this.voxel(number);
    return voxel.x / <f64>voxel.points;
  }

  meanY(number: i32): f64 {
    const voxel = this.voxel(number);
    return voxel.y / <f64>voxel.points;
  }

  meanZ(number: i32): f64 {
    const voxel = this.voxel(number);
    return voxel.z / <f64>voxel.points;
  }

  meanIntensity(number: i32): f64 {
    const voxel = this.voxel(number);
    return voxel.intensity / <f64>voxel.points;
  }
}
