/** Draws goodput against badput as an SVG that reads on light and dark pages: a line for ours, a point for each baseline. */
import type { CurvePoint } from './curve.ts';

const WIDTH = 720;
const HEIGHT = 420;
const LEFT = 56;
const RIGHT = 150;
const TOP = 20;
const BOTTOM = 48;
const STEP = 0.1;

interface Scale {
  readonly x: (badput: number) => number;
  readonly y: (goodput: number) => number;
  readonly badputMax: number;
}

export function curveSvg(points: readonly CurvePoint[]): string {
  const scale = scaleOf(points);
  const ours = points.filter(({ bar }) => bar !== undefined);
  const others = points.filter(({ bar }) => bar === undefined);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="11">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    ...grid(scale),
    polyline(ours, scale),
    ...ours.map((point) => dot(point, scale, '#06c', `${point.bar}`)),
    ...others.map((point) => dot(point, scale, '#c30', point.policy)),
    '</svg>',
    '',
  ].join('\n');
}

function scaleOf(points: readonly CurvePoint[]): Scale {
  const badputMax = Math.ceil(Math.max(STEP, ...points.map(({ badput }) => badput)) / STEP) * STEP;
  const goodputMax = Math.max(1, ...points.map(({ goodput }) => goodput));
  return {
    badputMax,
    x: (badput) => LEFT + (badput / badputMax) * (WIDTH - LEFT - RIGHT),
    y: (goodput) => HEIGHT - BOTTOM - (goodput / goodputMax) * (HEIGHT - TOP - BOTTOM),
  };
}

function grid({ x, y, badputMax }: Scale): string[] {
  const lines = [];
  for (let at = 0; at <= 1 + 1e-9; at += 0.2)
    lines.push(
      `<path d="M${x(0)} ${y(at).toFixed(1)}H${x(badputMax)}" stroke="#ddd"/>`,
      text(x(0) - 6, y(at) + 4, at.toFixed(1), 'end'),
    );
  for (let at = 0; at <= badputMax + 1e-9; at += STEP)
    lines.push(text(x(at), y(0) + 16, at.toFixed(1), 'middle'));
  lines.push(
    text(x(badputMax / 2), HEIGHT - 10, 'badput, as a share of the clairvoyant’s goodput', 'middle'),
    `<text transform="translate(14 ${y(0.5).toFixed(1)}) rotate(-90)" text-anchor="middle">goodput, likewise</text>`,
  );
  return lines;
}

function polyline(points: readonly CurvePoint[], { x, y }: Scale): string {
  const corners = points.map(({ badput, goodput }) => `${x(badput).toFixed(1)},${y(goodput).toFixed(1)}`);
  return `<polyline points="${corners.join(' ')}" fill="none" stroke="#06c"/>`;
}

function dot({ badput, goodput }: CurvePoint, { x, y }: Scale, colour: string, label: string): string {
  const [atX, atY] = [x(badput), y(goodput)];
  return `<circle cx="${atX.toFixed(1)}" cy="${atY.toFixed(1)}" r="3" fill="${colour}"/>${text(atX + 6, atY + 4, label, 'start')}`;
}

function text(x: number, y: number, content: string, anchor: string): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" fill="#333">${content}</text>`;
}
