/** The text detector's view of a picture: its input tensor, and the boxes that its map of probabilities shows. */
import type { Picture, TextBox } from './picture.ts';

/** Means and deviations of the pictures that the model was trained on, for blue, green and red as the model takes them. */
const MEAN = [0.485, 0.456, 0.406] as const;
const DEVIATION = [0.229, 0.224, 0.225] as const;
/** A pixel from here on is text. */
const TEXT_PROBABILITY = 0.3;
const BOX_PIXELS_MIN = 40;
/** The model is trained on areas shrunk by about this share of area over perimeter; boxes are grown by it again. */
const GROWTH = 1.5;

export interface PixelBox {
  readonly leftPx: number;
  readonly topPx: number;
  readonly rightPx: number;
  readonly bottomPx: number;
}

/** 1 × 3 × height × width, plane by plane: blue, green, red. */
export function inputOf(picture: Picture): Float32Array {
  const pixels = picture.widthPx * picture.heightPx;
  const input = new Float32Array(3 * pixels);
  for (const plane of [0, 1, 2] as const) {
    for (let i = 0; i < pixels; i++) {
      const value = (picture.rgb[i * 3 + 2 - plane] ?? 0) / 255;
      input[plane * pixels + i] = (value - MEAN[plane]) / DEVIATION[plane];
    }
  }
  return input;
}

/** The bounds of every connected area of text, grown to the size of the letters. */
export function boxesOf(probability: Float32Array, widthPx: number, heightPx: number): PixelBox[] {
  const seen = new Uint8Array(probability.length);
  const isText = (i: number): boolean => (probability[i] ?? 0) >= TEXT_PROBABILITY;
  const boxes: PixelBox[] = [];
  for (let start = 0; start < probability.length; start++) {
    if (seen[start] === 1 || !isText(start)) continue;
    const area = [start];
    seen[start] = 1;
    // The array grows while it is walked: breadth first.
    for (const i of area) {
      for (const next of neighboursOf(i, widthPx, heightPx)) {
        if (seen[next] === 1 || !isText(next)) continue;
        seen[next] = 1;
        area.push(next);
      }
    }
    if (area.length >= BOX_PIXELS_MIN) boxes.push(grown(boundsOf(area, widthPx)));
  }
  return boxes;
}

function neighboursOf(i: number, widthPx: number, heightPx: number): number[] {
  const x = i % widthPx;
  const y = Math.floor(i / widthPx);
  const neighbours: number[] = [];
  if (x > 0) neighbours.push(i - 1);
  if (x < widthPx - 1) neighbours.push(i + 1);
  if (y > 0) neighbours.push(i - widthPx);
  if (y < heightPx - 1) neighbours.push(i + widthPx);
  return neighbours;
}

function boundsOf(area: readonly number[], widthPx: number): PixelBox {
  let [leftPx, topPx, rightPx, bottomPx] = [Infinity, Infinity, 0, 0];
  for (const i of area) {
    const x = i % widthPx;
    const y = Math.floor(i / widthPx);
    leftPx = Math.min(leftPx, x);
    topPx = Math.min(topPx, y);
    rightPx = Math.max(rightPx, x + 1);
    bottomPx = Math.max(bottomPx, y + 1);
  }
  return { leftPx, topPx, rightPx, bottomPx };
}

function grown({ leftPx, topPx, rightPx, bottomPx }: PixelBox): PixelBox {
  const width = rightPx - leftPx;
  const height = bottomPx - topPx;
  const by = Math.round((width * height * GROWTH) / (2 * (width + height)));
  return { leftPx: leftPx - by, topPx: topPx - by, rightPx: rightPx + by, bottomPx: bottomPx + by };
}

function sharedPixels(a: PixelBox, b: PixelBox): number {
  const width = Math.min(a.rightPx, b.rightPx) - Math.max(a.leftPx, b.leftPx);
  const height = Math.min(a.bottomPx, b.bottomPx) - Math.max(a.topPx, b.topPx);
  return Math.max(0, width) * Math.max(0, height);
}

function pixelsOf(box: PixelBox): number {
  return (box.rightPx - box.leftPx) * (box.bottomPx - box.topPx);
}

/** Shared area over joint area: 1 where two boxes are the same. */
export function overlapOf(a: PixelBox, b: PixelBox): number {
  const shared = sharedPixels(a, b);
  return shared / (pixelsOf(a) + pixelsOf(b) - shared);
}

/** From here on a box and a text are taken for the same; 0.5 is what text detectors are usually judged by. */
const OVERLAP_MIN = 0.5;

/** Texts that no box matches, and boxes that match no text. */
export function compareBoxes(
  texts: readonly TextBox[],
  boxes: readonly PixelBox[],
): { readonly missed: string[]; readonly stray: PixelBox[] } {
  const matches = (a: PixelBox, b: PixelBox): boolean => overlapOf(a, b) >= OVERLAP_MIN;
  return {
    missed: texts.filter((text) => !boxes.some((box) => matches(text, box))).map((text) => text.text),
    stray: boxes.filter((box) => !texts.some((text) => matches(text, box))),
  };
}
