/**
 * Builds the example algorithms' images from their AssemblyScript sources. The images are committed, so that nobody has
 * to build before running; `--check` says whether they still are what the sources build to.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

const SHIM = 'node_modules/@assemblyscript/wasi-shim';
const COMPILER = 'node_modules/assemblyscript/bin/asc.js';

export interface ImageSource {
  readonly name: string;
  /** The AssemblyScript entry, from the repository's root. */
  readonly entry: string;
  /** The committed image, from the repository's root. */
  readonly image: string;
}

export const IMAGE_SOURCES: readonly ImageSource[] = [
  {
    name: 'route-plan-astar',
    entry: 'algorithms/route-plan/assembly/astar.ts',
    image: 'algorithms/route-plan/build/route-plan-astar.wasm',
  },
  {
    name: 'route-plan-anneal',
    entry: 'algorithms/route-plan/assembly/anneal.ts',
    image: 'algorithms/route-plan/build/route-plan-anneal.wasm',
  },
  {
    name: 'lidar-voxel-ground',
    entry: 'algorithms/lidar-ground/assembly/voxel-ground.ts',
    image: 'algorithms/lidar-ground/build/lidar-voxel-ground.wasm',
  },
  {
    name: 'range-odds',
    entry: 'algorithms/range-odds/assembly/range-odds.ts',
    image: 'algorithms/range-odds/build/range-odds.wasm',
  },
];

/** Absolute path of an image. */
export function imagePathOf(source: ImageSource): string {
  return join(root, source.image);
}

/**
 * The compiler's output; the same bytes on every machine. The compiler is a process of its own: its types, loaded here, would
 * change what the whole project's types say of `Array`.
 */
export async function compileImage(source: ImageSource): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), 'plugpool-image-'));
  const image = join(folder, 'image.wasm');
  const options = [
    source.entry,
    ...['--config', join(SHIM, 'asconfig.json')],
    ...['--outFile', relative(root, image)],
    ...['--runtime', 'minimal', '--optimizeLevel', '3', '--shrinkLevel', '0', '--noAssert'],
  ];
  try {
    // Every path is taken from the root, so that the image depends neither on the current directory nor on this one's name.
    await promisify(execFile)(process.execPath, [join(root, COMPILER), ...options], { cwd: root });
    return await readFile(image);
  } catch (error) {
    const complaints = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
    throw new Error(`${source.entry} does not compile:\n${complaints}`, { cause: error });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** True where the committed image is what the source builds to. */
export async function imageIsCurrent(source: ImageSource): Promise<boolean> {
  const committed = await readFile(imagePathOf(source)).catch(() => undefined);
  return committed !== undefined && committed.equals(await compileImage(source));
}

async function writeImages(): Promise<void> {
  for (const source of IMAGE_SOURCES) {
    const image = await compileImage(source);
    await mkdir(dirname(imagePathOf(source)), { recursive: true });
    await writeFile(imagePathOf(source), image);
    console.error(`${source.image}: ${image.byteLength} bytes`);
  }
}

async function checkImages(): Promise<void> {
  for (const source of IMAGE_SOURCES) {
    if (await imageIsCurrent(source)) continue;
    console.error(`${source.image} is not what ${source.entry} builds to: run npm run algorithms:build`);
    process.exitCode = 1;
  }
}

if (import.meta.main) {
  await (process.argv.includes('--check') ? checkImages() : writeImages());
}
