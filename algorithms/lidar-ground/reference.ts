/**
 * The same voxel down-sampling, ground removal and see-through filter as `assembly/`, written again with sparse maps: the
 * image must give these bytes. Only the four operations and rounding down take part, so equality is exact.
 */

const CELL_M = 0.125;
const NEAR_M = -80;
const LOW_M = -3.5;
const ACROSS = 1280;
const UP = 56;
const PASSES_PER_POINT = 8;
const COLUMN_M = 0.5;
const COLUMNS_ACROSS = 320;
const SENSOR_HEIGHT_M = 1.73;
const GROUND_THICKNESS_M = 0.2;

type Point = readonly [x: number, y: number, z: number, intensity: number];

interface Voxel {
  readonly sums: [number, number, number, number];
  points: number;
  passes: number;
}

export function pointsOf(bytes: Uint8Array): Point[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const float = (at: number): number => view.getFloat32(at, true);
  const points: Point[] = [];
  for (let at = 0; at < bytes.byteLength; at += 16) {
    points.push([float(at), float(at + 4), float(at + 8), float(at + 12)]);
  }
  return points;
}

function inRange([x, y, z]: Point): boolean {
  return Math.abs(x) < 80 && Math.abs(y) < 80 && Math.abs(z) < 3.5;
}

function cellKey(ix: number, iy: number, iz: number): number {
  return (iz * ACROSS + iy) * ACROSS + ix;
}

/** The number of the voxel that a point lies in. */
export function voxelKeyOf(x: number, y: number, z: number): number {
  const cell = (metres: number, lowest: number): number => Math.floor((metres - lowest) / CELL_M);
  return cellKey(cell(x, NEAR_M), cell(y, NEAR_M), cell(z, LOW_M));
}

function fillVoxels(points: readonly Point[]): Map<number, Voxel> {
  const voxels = new Map<number, Voxel>();
  for (const point of points.filter(inRange)) {
    const key = voxelKeyOf(point[0], point[1], point[2]);
    const voxel = voxels.get(key) ?? { sums: [0, 0, 0, 0], points: 0, passes: 0 };
    voxels.set(key, voxel);
    for (const axis of [0, 1, 2, 3] as const) voxel.sums[axis] += point[axis];
    voxel.points++;
  }
  return voxels;
}

interface Crossing {
  cell: number;
  readonly step: number;
  next: number;
  readonly gap: number;
}

function crossing(lowest: number, target: number): Crossing {
  const cell = Math.floor((0 - lowest) / CELL_M);
  if (target === 0) return { cell, step: 0, next: Infinity, gap: Infinity };
  const edge = lowest + (cell + (target > 0 ? 1 : 0)) * CELL_M;
  return { cell, step: Math.sign(target), next: edge / target, gap: CELL_M / Math.abs(target) };
}

function walkBeam(voxels: Map<number, Voxel>, [x, y, z]: Point): void {
  const axes = [crossing(NEAR_M, x), crossing(NEAR_M, y), crossing(LOW_M, z)] as const;
  const inGrid = (cell: number, count: number): boolean => cell >= 0 && cell < count;
  while (inGrid(axes[0].cell, ACROSS) && inGrid(axes[1].cell, ACROSS) && inGrid(axes[2].cell, UP)) {
    const near = axes[0].next < axes[1].next ? axes[0] : axes[1];
    const nearest = near.next < axes[2].next ? near : axes[2];
    if (!(nearest.next < 1)) return;
    const voxel = voxels.get(cellKey(axes[0].cell, axes[1].cell, axes[2].cell));
    if (voxel !== undefined) voxel.passes++;
    nearest.cell += nearest.step;
    nearest.next += nearest.gap;
  }
}

function columnOf(x: number, y: number): number {
  return Math.floor((y - NEAR_M) / COLUMN_M) * COLUMNS_ACROSS + Math.floor((x - NEAR_M) / COLUMN_M);
}

function neighboursOf(column: number): number[] {
  const x = column % COLUMNS_ACROSS;
  const beside = [column - 1, column + 1].filter((c) => Math.abs((c % COLUMNS_ACROSS) - x) === 1);
  const rows = [column - COLUMNS_ACROSS, column + COLUMNS_ACROSS];
  return [...beside, ...rows].filter((c) => c >= 0 && c < COLUMNS_ACROSS * COLUMNS_ACROSS);
}

function groundHeights(points: readonly Point[]): ReadonlyMap<number, number> {
  const lowest = new Map<number, number>();
  for (const [x, y, z] of points.filter(inRange)) {
    const column = columnOf(x, y);
    lowest.set(column, Math.min(z, lowest.get(column) ?? Infinity));
  }
  const heights = new Map<number, number>();
  const reach = (column: number, neighbourM: number): void => {
    if (heights.has(column)) return;
    const low = lowest.get(column) ?? Infinity;
    heights.set(column, low <= neighbourM + 0.2 && low >= neighbourM - 0.4 ? low : neighbourM);
  };
  for (let y = -3; y < 3; y += COLUMN_M) {
    for (let x = -3; x < 3; x += COLUMN_M) reach(columnOf(x, y), -SENSOR_HEIGHT_M);
  }
  // A map is walked in the order of insertion, with what is inserted on the way: breadth first.
  for (const [column, height] of heights) {
    for (const neighbour of neighboursOf(column)) reach(neighbour, height);
  }
  return heights;
}

function meansOf({ sums, points }: Voxel): Point {
  return [sums[0] / points, sums[1] / points, sums[2] / points, sums[3] / points];
}

export function removeGround(scan: Uint8Array): Uint8Array {
  const points = pointsOf(scan);
  const voxels = fillVoxels(points);
  const heights = groundHeights(points);
  for (const point of points) walkBeam(voxels, point);
  const kept: number[] = [];
  for (const voxel of voxels.values()) {
    if (voxel.passes >= voxel.points * PASSES_PER_POINT) continue;
    const means = meansOf(voxel);
    const ground = heights.get(columnOf(means[0], means[1])) ?? NaN;
    if (means[2] <= ground + GROUND_THICKNESS_M) continue;
    kept.push(...means);
  }
  return new Uint8Array(new Float32Array(kept).buffer);
}
