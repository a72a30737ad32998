/** The lidar algorithm as an example: scans of three streets, and how what is left of them is checked. */
import { pointsOf, voxelKeyOf } from './reference.ts';
import { makeScan } from './scan.ts';
import { imagePathOf, IMAGE_SOURCES } from '../build.ts';
import { RIGHT, wrong } from '../recording/verdict.ts';
import { readRecorded, sha256Of } from '../recording/recorded.ts';
import { stat } from 'node:fs/promises';
import type { ExampleAlgorithm, ExampleInput } from '../example.ts';
import type { CheckResult } from '../recording/verdict.ts';
import type { Scan, Truth } from './scan.ts';

const ID = 'lidar-voxel-ground';
const SEEDS = [1, 2, 3];

/** How many voxels of a kind there are; a voxel that a thing's point lies in counts as a thing's, else as ground's. */
type VoxelCounts = Record<Truth, number>;

function truthByVoxel(scan: Scan): Map<number, Truth> {
  const kinds = new Map<number, Truth>();
  for (const [i, [x, y, z]] of pointsOf(scan.bytes).entries()) {
    const key = voxelKeyOf(x, y, z);
    const [before, now] = [kinds.get(key), scan.truth[i] ?? 'spray'];
    if (before === 'thing' || (before === 'ground' && now === 'spray')) continue;
    kinds.set(key, now);
  }
  return kinds;
}

function countKinds(kinds: Iterable<Truth>): VoxelCounts {
  const counts: VoxelCounts = { ground: 0, thing: 0, spray: 0 };
  for (const kind of kinds) counts[kind]++;
  return counts;
}

/** What of the ground, the things and the spray of a scan is left in an output, in shares of their voxels. */
export function sharesLeft(scan: Scan, output: Uint8Array): VoxelCounts | undefined {
  const kinds = truthByVoxel(scan);
  const left = pointsOf(output).map(([x, y, z]) => kinds.get(voxelKeyOf(x, y, z)));
  if (left.includes(undefined)) return undefined;
  const counts = countKinds(left as Truth[]);
  const all = countKinds(kinds.values());
  return {
    ground: counts.ground / all.ground,
    thing: counts.thing / all.thing,
    spray: counts.spray / all.spray,
  };
}

async function checkOutput(name: string, scan: Scan, output: Uint8Array): Promise<CheckResult> {
  if (output.byteLength % 16 !== 0) return wrong('the output is not a whole number of points');
  const shares = sharesLeft(scan, output);
  if (shares === undefined) return wrong('the output has points where the scan has none');
  if (shares.ground > 0.01 || shares.thing < 0.88 || shares.spray > 0.35) {
    return wrong(`left: ${JSON.stringify(shares)}, where ground goes, things stay and most spray goes`);
  }
  const expected = (await readRecorded())[name]?.outputSha256[ID];
  const got = sha256Of(output);
  return got === expected ? RIGHT : wrong(`sha256 ${got} where ${expected ?? 'nothing'} is recorded`);
}

function inputOf(seed: number): ExampleInput {
  const name = `street-${seed}`;
  let made: Scan | undefined;
  const scan = (): Scan => (made ??= makeScan(seed));
  return {
    name,
    bytes: () => Promise.resolve(scan().bytes),
    check: (output) => checkOutput(name, scan(), output),
    approxSeconds: 0.4,
  };
}

export async function lidarGroundExamples(): Promise<ExampleAlgorithm[]> {
  const source = IMAGE_SOURCES.find((s) => s.name === ID);
  if (source === undefined) throw new Error(`algorithms/build.ts knows no image ${ID}`);
  const imagePath = imagePathOf(source);
  return [
    {
      id: ID,
      version: '1.0.0',
      type: 'lidar-ground',
      runtime: 'wasm',
      imagePath,
      sizeBytes: (await stat(imagePath)).size,
      demands: [{ cpuMillicores: 700, memoryMib: 512, threads: 1 }],
      workCoreS: 0.5,
      compare: 'bytes',
      args: [],
      inputs: SEEDS.map(inputOf),
    },
  ];
}
