/**
 * What a vehicle's front camera might see: sky, road and lane marks, with road signs whose text and place are given, soft
 * edges and sensor noise. Made from a seed with whole numbers, so that every machine draws the same picture.
 */
import { SeededRandom } from '../random/seeded-random.ts';
import { GLYPH_HEIGHT, GLYPH_WIDTH, inkAt } from './font.ts';

type Colour = readonly [red: number, green: number, blue: number];

export interface Sign {
  /** Lines of text, from the top. */
  readonly lines: readonly string[];
  readonly leftPx: number;
  readonly topPx: number;
  /** Size of one dot of the font. */
  readonly dotPx: number;
  readonly ink: Colour;
  readonly board: Colour;
}

/** Where a line of text is; right and bottom are the first pixel outside. */
export interface TextBox {
  readonly text: string;
  readonly leftPx: number;
  readonly topPx: number;
  readonly rightPx: number;
  readonly bottomPx: number;
}

export interface Picture {
  readonly widthPx: number;
  readonly heightPx: number;
  /** Red, green, blue, row by row. */
  readonly rgb: Uint8Array;
  readonly texts: readonly TextBox[];
}

const NOISE = 5;
/** Between the board's edge and the text, and between its lines, in dots. */
const MARGIN_DOTS = 4;
const LEADING_DOTS = 4;

class Canvas {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly rgb: Uint8Array;

  constructor(widthPx: number, heightPx: number) {
    this.widthPx = widthPx;
    this.heightPx = heightPx;
    this.rgb = new Uint8Array(widthPx * heightPx * 3);
  }

  fill(leftPx: number, topPx: number, widthPx: number, heightPx: number, colour: Colour): void {
    for (let y = Math.max(0, topPx); y < Math.min(this.heightPx, topPx + heightPx); y++) {
      for (let x = Math.max(0, leftPx); x < Math.min(this.widthPx, leftPx + widthPx); x++) {
        this.rgb.set(colour, (y * this.widthPx + x) * 3);
      }
    }
  }
}

function drawRoad(canvas: Canvas): void {
  const { widthPx, heightPx } = canvas;
  const horizonPx = Math.floor(heightPx * 0.55);
  const middlePx = widthPx >> 1;
  for (let y = 0; y < heightPx; y++) {
    const sky = Math.floor((y * 50) / heightPx);
    canvas.fill(0, y, widthPx, 1, y < horizonPx ? [130 + sky, 170 + sky, 215] : [84, 108, 62]);
    if (y < horizonPx) continue;
    const depth = y - horizonPx;
    const halfPx = 14 + Math.floor(depth * 1.6);
    canvas.fill(middlePx - halfPx, y, 2 * halfPx, 1, [92, 92, 96]);
    const dashed = Math.floor(1400 / (depth + 12)) % 8 < 4;
    const markPx = 1 + (depth >> 5);
    if (dashed) canvas.fill(middlePx - markPx, y, 2 * markPx, 1, [214, 214, 208]);
  }
}

function drawLine(canvas: Canvas, sign: Sign, text: string, leftPx: number, topPx: number): TextBox {
  for (const [index, character] of [...text].entries()) {
    for (let row = 0; row < GLYPH_HEIGHT; row++) {
      for (let column = 0; column < GLYPH_WIDTH; column++) {
        if (!inkAt(character, column, row)) continue;
        const x = leftPx + (index * (GLYPH_WIDTH + 1) + column) * sign.dotPx;
        canvas.fill(x, topPx + row * sign.dotPx, sign.dotPx, sign.dotPx, sign.ink);
      }
    }
  }
  const widthPx = (text.length * (GLYPH_WIDTH + 1) - 1) * sign.dotPx;
  const heightPx = GLYPH_HEIGHT * sign.dotPx;
  return { text, leftPx, topPx, rightPx: leftPx + widthPx, bottomPx: topPx + heightPx };
}

function drawSign(canvas: Canvas, sign: Sign): TextBox[] {
  const marginPx = MARGIN_DOTS * sign.dotPx;
  const linePx = (GLYPH_HEIGHT + LEADING_DOTS) * sign.dotPx;
  const longest = Math.max(...sign.lines.map((line) => line.length));
  const widthPx = (longest * (GLYPH_WIDTH + 1) - 1) * sign.dotPx + 2 * marginPx;
  const heightPx = sign.lines.length * linePx - LEADING_DOTS * sign.dotPx + 2 * marginPx;
  const postLeftPx = sign.leftPx + (widthPx >> 1) - 3;
  canvas.fill(postLeftPx, sign.topPx + heightPx, 6, Math.floor(canvas.heightPx * 0.25), [120, 122, 124]);
  canvas.fill(sign.leftPx - 2, sign.topPx - 2, widthPx + 4, heightPx + 4, [236, 236, 236]);
  canvas.fill(sign.leftPx, sign.topPx, widthPx, heightPx, sign.board);
  return sign.lines.map((text, line) =>
    drawLine(canvas, sign, text, sign.leftPx + marginPx, sign.topPx + marginPx + line * linePx),
  );
}

/** The mean of each pixel and its neighbours, as a lens softens them. */
function soften(canvas: Canvas): Uint8Array {
  const { widthPx, heightPx, rgb } = canvas;
  const soft = new Uint8Array(rgb.length);
  const at = (x: number, y: number, channel: number): number => {
    const column = Math.min(widthPx - 1, Math.max(0, x));
    const row = Math.min(heightPx - 1, Math.max(0, y));
    return rgb[(row * widthPx + column) * 3 + channel] ?? 0;
  };
  for (let y = 0; y < heightPx; y++) {
    for (let x = 0; x < widthPx; x++) {
      for (let c = 0; c < 3; c++) {
        const beside = at(x - 1, y, c) + at(x + 1, y, c) + at(x, y - 1, c) + at(x, y + 1, c);
        soft[(y * widthPx + x) * 3 + c] = (4 * at(x, y, c) + beside) >> 3;
      }
    }
  }
  return soft;
}

function addNoise(rgb: Uint8Array, random: SeededRandom): Uint8Array {
  return rgb.map((value) => {
    const noise = (random.nextUint32() % (2 * NOISE + 1)) - NOISE;
    return Math.min(255, Math.max(0, value + noise));
  });
}

export function drawPicture(
  widthPx: number,
  heightPx: number,
  signs: readonly Sign[],
  seed: number,
): Picture {
  const canvas = new Canvas(widthPx, heightPx);
  drawRoad(canvas);
  const texts = signs.flatMap((sign) => drawSign(canvas, sign));
  const rgb = addNoise(soften(canvas), new SeededRandom(seed));
  return { widthPx, heightPx, rgb, texts };
}
