/**
 * The command `lidar-voxel-ground`: takes a lidar scan (KITTI's form: x, y, z, intensity as float32, metres, the sensor
 * at the origin) from standard input, and writes in the same form one point for each occupied voxel that is neither
 * ground nor something that the beams see through. Dense grids make every look-up one memory access.
 */
import { fail, readInput, writeOutput } from '../../stdio/assembly/stdio';
import { GroundMap } from './ground-map';
import { VoxelGrid } from './voxel-grid';

const POINT_BYTES = 16;
const POINTS_MAX = 2000000;
/** A voxel this close above the ground of its column, or below it, is ground. */
const GROUND_THICKNESS_M: f64 = 0.2;

function outputOf(grid: VoxelGrid, ground: GroundMap): ArrayBuffer {
  const output = new ArrayBuffer(grid.voxelCount * POINT_BYTES);
  let size = 0;
  for (let voxel = 1; voxel <= grid.voxelCount; voxel++) {
    const z = grid.meanZ(voxel);
    if (grid.seenThrough(voxel)) continue;
    if (z <= ground.heightAt(grid.meanX(voxel), grid.meanY(voxel)) + GROUND_THICKNESS_M) continue;
    const at = changetype<usize>(output) + size;
    store<f32>(at, <f32>grid.meanX(voxel));
    store<f32>(at, <f32>grid.meanY(voxel), 4);
    store<f32>(at, <f32>z, 8);
    store<f32>(at, <f32>grid.meanIntensity(voxel), 12);
    size += POINT_BYTES;
  }
  return output.slice(0, size);
}

const input = readInput(POINTS_MAX * POINT_BYTES);
if (input.byteLength % POINT_BYTES != 0) fail('the input is not a whole number of points of 16 bytes');
const pointCount = input.byteLength / POINT_BYTES;
const points = changetype<usize>(input);
const grid = new VoxelGrid(points, pointCount);
const ground = new GroundMap();
grid.addPoints();
ground.addPoints(points, pointCount);
ground.settle();
grid.walkBeams();
const output = outputOf(grid, ground);
writeOutput(changetype<usize>(output), output.byteLength);
