/**
 * One turn of a 64-beam lidar in a street, by casting every beam into a scene made from a seed: a sloping road with kerbs
 * and pavements, houses, parked and driving cars, poles, trees, people, and spray in the air. The points are in KITTI's
 * form; the truth about each (ground, thing, spray) comes beside them.
 */
import { SeededRandom } from '../random/seeded-random.ts';

export type Truth = 'ground' | 'thing' | 'spray';

export interface Scan {
  /** x, y, z, intensity as float32, little-endian, 16 bytes a point. */
  readonly bytes: Uint8Array;
  /** What each point hit. */
  readonly truth: readonly Truth[];
}

type Vector = readonly [x: number, y: number, z: number];

interface Hit {
  readonly distanceM: number;
  readonly truth: Truth;
  /** 0 to 1. */
  readonly reflectance: number;
}

/** A body in the scene that a beam can enter. */
interface Solid {
  readonly x: number;
  readonly y: number;
  /** Nothing of it is farther than this from (x, y), seen from above. */
  readonly reachM: number;
  readonly reflectance: number;
  /** How far along the beam it is entered. */
  enter(direction: Vector): number | undefined;
}

const BEAMS = 64;
const TURNS = 1800;
const HIGHEST_DEG = 2;
const LOWEST_DEG = -24.8;
const RANGE_M = 79;
const SENSOR_HEIGHT_M = 1.73;
const SLOPE_X = 0.008;
const SLOPE_Y = -0.004;
const KERB_Y_M = 5;
const KERB_HEIGHT_M = 0.14;
const HOUSES_Y_M = 10;
const SPRAY_CHANCE = 0.005;
const RANGE_NOISE_M = 0.012;
/** What the sensor resolves. */
const RANGE_STEP_M = 0.002;

/** Rounded to a part in 2²⁰, far above the last bits in which sine and cosine may differ between machines. */
function rounded(value: number): number {
  return Math.round(value * 2 ** 20) / 2 ** 20;
}

function directionOf(elevationDeg: number, azimuthDeg: number): Vector {
  const elevation = (elevationDeg * Math.PI) / 180;
  const azimuth = (azimuthDeg * Math.PI) / 180;
  return [
    rounded(Math.cos(elevation) * Math.cos(azimuth)),
    rounded(Math.cos(elevation) * Math.sin(azimuth)),
    rounded(Math.sin(elevation)),
  ];
}

function roadHeight(x: number, y: number): number {
  return -SENSOR_HEIGHT_M + SLOPE_X * x + SLOPE_Y * y;
}

function groundHeight(x: number, y: number): number {
  return roadHeight(x, y) + (Math.abs(y) >= KERB_Y_M ? KERB_HEIGHT_M : 0);
}

/** Half the length, width and height about its centre, turned about the vertical. */
function box(centre: Vector, half: Vector, turnDeg: number, reflectance: number): Solid {
  const angle = (turnDeg * Math.PI) / 180;
  const [cos, sin] = [rounded(Math.cos(angle)), rounded(Math.sin(angle))];
  const [x, y, z] = centre;
  const origin: Vector = [-(cos * x + sin * y), sin * x - cos * y, -z];
  const turned = ([dx, dy, dz]: Vector): Vector => [cos * dx + sin * dy, cos * dy - sin * dx, dz];
  const enter = (direction: Vector): number | undefined => enterSlabs(origin, turned(direction), half);
  return { x, y, reachM: half[0] + half[1], reflectance, enter };
}

/** The latest entry into the three slabs of a box, if it lies before the earliest exit. */
function enterSlabs(origin: Vector, ray: Vector, half: Vector): number | undefined {
  let enter = 0;
  let leave = Infinity;
  for (const axis of [0, 1, 2] as const) {
    const first = (-half[axis] - origin[axis]) / ray[axis];
    const second = (half[axis] - origin[axis]) / ray[axis];
    enter = Math.max(enter, Math.min(first, second));
    leave = Math.min(leave, Math.max(first, second));
  }
  return enter > 0 && enter < leave ? enter : undefined;
}

/** The nearer root of a·t² + 2·b·t + c. */
function nearerRoot(a: number, b: number, c: number): number | undefined {
  const inside = b * b - a * c;
  if (a === 0 || inside < 0) return undefined;
  const root = (-b - Math.sqrt(inside)) / a;
  return root > 0 ? root : undefined;
}

/** Upright, from the ground to a height. */
function cylinder(x: number, y: number, radius: number, top: number, reflectance: number): Solid {
  const bottom = groundHeight(x, y);
  const enter = ([dx, dy, dz]: Vector): number | undefined => {
    const distanceM = nearerRoot(dx * dx + dy * dy, -(dx * x + dy * y), x * x + y * y - radius * radius);
    if (distanceM === undefined) return undefined;
    const z = distanceM * dz;
    return z >= bottom && z <= top ? distanceM : undefined;
  };
  return { x, y, reachM: radius, reflectance, enter };
}

function ball([x, y, z]: Vector, radius: number, reflectance: number): Solid {
  const c = x * x + y * y + z * z - radius * radius;
  const enter = ([dx, dy, dz]: Vector): number | undefined =>
    nearerRoot(dx * dx + dy * dy + dz * dz, -(dx * x + dy * y + dz * z), c);
  return { x, y, reachM: radius, reflectance, enter };
}

/** A car is a body and a cabin upon it. */
function car(x: number, y: number, turnDeg: number, reflectance: number): Solid[] {
  const ground = groundHeight(x, y);
  return [
    box([x, y, ground + 0.62], [2.2, 0.9, 0.42], turnDeg, reflectance),
    box([x, y, ground + 1.25], [1.2, 0.8, 0.24], turnDeg, reflectance * 0.5),
  ];
}

function tree(random: SeededRandom, x: number, y: number): Solid[] {
  return [cylinder(x, y, 0.2, 1.4, 0.3), ball([x, y, 2.6], random.between(1, 1.6), 0.45)];
}

function houses(random: SeededRandom, side: 1 | -1): Solid[] {
  const solids: Solid[] = [];
  for (let x = -75; x < 70;) {
    const length = random.between(12, 24);
    const depth = random.between(4, 6);
    const y = side * (HOUSES_Y_M + depth + random.between(0, 1.5));
    solids.push(box([x + length / 2, y, 2.5], [length / 2, depth, 5], 0, random.between(0.25, 0.6)));
    x += length + (random.nextUnit() < 0.5 ? 0 : random.between(3, 8));
  }
  return solids;
}

/** What stands along one side of the street. */
function sideOfStreet(random: SeededRandom, side: 1 | -1): Solid[] {
  const solids = houses(random, side);
  for (let x = -66; x < 66; x += random.between(6, 13)) {
    if (Math.abs(x) > 5) solids.push(...car(x, side * 3.9, random.between(-3, 3), random.between(0.1, 0.9)));
  }
  for (let x = -60; x < 62; x += random.between(18, 26)) solids.push(cylinder(x, side * 5.6, 0.11, 5, 0.7));
  for (let x = -52; x < 55; x += random.between(11, 19)) solids.push(...tree(random, x, side * 8.2));
  for (let person = 0; person < 9; person++) {
    const [x, y] = [random.between(-40, 40), side * random.between(6.3, 7.4)];
    solids.push(cylinder(x, y, 0.27, groundHeight(x, y) + random.between(1.5, 1.9), 0.5));
  }
  return solids;
}

function makeScene(random: SeededRandom): Solid[] {
  const driving = [...car(17, -1.6, 2, 0.6), ...car(-21, 1.5, 181, 0.3), ...car(38, 1.4, 179, 0.8)];
  return [...sideOfStreet(random, 1), ...sideOfStreet(random, -1), ...driving];
}

/** The road, or the pavement beside it, or the kerb's face between them. */
function hitGround([dx, dy, dz]: Vector): Hit | undefined {
  const fall = dz - SLOPE_X * dx - SLOPE_Y * dy;
  const kerbM = dy === 0 ? Infinity : KERB_Y_M / Math.abs(dy);
  const roadM = fall < 0 ? -SENSOR_HEIGHT_M / fall : Infinity;
  if (roadM <= kerbM) return { distanceM: roadM, truth: 'ground', reflectance: 0.2 };
  if (kerbM === Infinity) return undefined;
  const heightAtKerb = kerbM * dz - roadHeight(kerbM * dx, kerbM * dy);
  if (heightAtKerb < KERB_HEIGHT_M) return { distanceM: kerbM, truth: 'ground', reflectance: 0.35 };
  if (fall >= 0) return undefined;
  return { distanceM: (KERB_HEIGHT_M - SENSOR_HEIGHT_M) / fall, truth: 'ground', reflectance: 0.3 };
}

/** What stands near the vertical plane of a turn, ahead: all that its beams can enter. */
function solidsAhead(scene: readonly Solid[], azimuthDeg: number): Solid[] {
  const [cos, sin] = directionOf(0, azimuthDeg);
  const slackM = 0.5;
  return scene.filter(({ x, y, reachM }) => {
    const asideM = Math.abs(cos * y - sin * x);
    const aheadM = cos * x + sin * y;
    return asideM <= reachM + slackM && aheadM >= -reachM - slackM;
  });
}

function castBeam(solids: readonly Solid[], direction: Vector): Hit | undefined {
  let nearest = hitGround(direction);
  for (const solid of solids) {
    const distanceM = solid.enter(direction);
    if (distanceM === undefined || distanceM >= (nearest?.distanceM ?? Infinity)) continue;
    nearest = { distanceM, truth: 'thing', reflectance: solid.reflectance };
  }
  return nearest;
}

/** What the sensor reports of a beam: the hit with its noise, or spray before it. */
function senseBeam(solids: readonly Solid[], random: SeededRandom, direction: Vector): Hit | undefined {
  const hit = castBeam(solids, direction);
  const spray = random.nextUnit() < SPRAY_CHANCE;
  const sprayM = random.between(3, 14);
  const noiseM = random.nextNormal() * RANGE_NOISE_M;
  if (spray && sprayM < (hit?.distanceM ?? Infinity)) {
    return { distanceM: sprayM, truth: 'spray', reflectance: 0.05 };
  }
  if (hit === undefined || hit.distanceM > RANGE_M) return undefined;
  const distanceM = Math.round((hit.distanceM + noiseM) / RANGE_STEP_M) * RANGE_STEP_M;
  return { ...hit, distanceM };
}

export function makeScan(seed: number): Scan {
  const random = new SeededRandom(seed);
  const scene = makeScene(random);
  const values: number[] = [];
  const truth: Truth[] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    const azimuthDeg = (360 * turn) / TURNS;
    const solids = solidsAhead(scene, azimuthDeg);
    for (let beam = 0; beam < BEAMS; beam++) {
      const elevationDeg = HIGHEST_DEG + ((LOWEST_DEG - HIGHEST_DEG) * beam) / (BEAMS - 1);
      const [dx, dy, dz] = directionOf(elevationDeg, azimuthDeg);
      const hit = senseBeam(solids, random, [dx, dy, dz]);
      if (hit === undefined) continue;
      const intensity = Math.round(hit.reflectance * random.between(0.8, 1.1) * 255) / 255;
      values.push(hit.distanceM * dx, hit.distanceM * dy, hit.distanceM * dz, intensity);
      truth.push(hit.truth);
    }
  }
  return { bytes: floatBytes(values), truth };
}

function floatBytes(values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of values.entries()) view.setFloat32(i * 4, value, true);
  return bytes;
}
