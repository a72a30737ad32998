/** The problem as the input text states it: map, vehicle, trip. What each line means is in docs/algorithms.md. */
import { fail } from '../../stdio/assembly/stdio';

const CITIES_MAX = 4096;
const EDGES_MAX = 65536;
export const STOPS_MAX = 64;
const SPEEDS_MAX = 32;
const SOC_STEPS_MAX = 20000;
const EARTH_RADIUS_M: f64 = 6371008.8;

/** One direction of a road (`fixedMs` 0) or of a ferry (takes `fixedMs` and no energy). */
export class Edge {
  /** For each speed of the input: drive time, and steps of charge. Empty for a ferry. */
  ms: StaticArray<u32> = [];
  soc: StaticArray<i32> = [];

  constructor(
    public to: i32,
    public distanceM: i64,
    public fixedMs: i64,
  ) {}
}

export class Problem {
  names: string[] = [];
  latDeg: f64[] = [];
  lonDeg: f64[] = [];
  chargeW: i64[] = [];
  edges: Edge[][] = [];
  indexByName: Map<string, i32> = new Map();

  batteryWh: i64 = 0;
  socSteps: i32 = 0;
  /** Wh a km = baseWhPerKm + aeroMicro / 1e6 × (km/h)². */
  baseWhPerKm: i64 = 0;
  aeroMicro: i64 = 0;
  chargeOverheadMs: i64 = 0;
  curvePercent: i64[] = [];
  curveW: i64[] = [];
  speedsKmh: i64[] = [];
  roadFactorPercent: i64 = 120;
  startSoc: i32 = 0;
  reserveSoc: i32 = 0;
  arriveSoc: i32 = 0;
  from: i32 = -1;
  to: i32 = -1;
  stops: i32[] = [];
  seed: u32 = 1;
  effort: i32 = 1;

  /** Drive time over a distance, rounded up. */
  driveMs(distanceM: i64, speedKmh: i64): i64 {
    return (distanceM * 3600 + speedKmh - 1) / speedKmh;
  }

  /** Energy of a distance in steps of the battery, rounded up: the plan never counts on energy that is not there. */
  driveSoc(distanceM: i64, speedKmh: i64): i32 {
    const microWhPerKm = this.baseWhPerKm * 1000000 + this.aeroMicro * speedKmh * speedKmh;
    const milliWh = (distanceM * microWhPerKm + 999999) / 1000000;
    const divisor = this.batteryWh * 1000;
    return <i32>((milliWh * this.socSteps + divisor - 1) / divisor);
  }

  /** Works out every road's times and charges once; the search asks for them millions of times. */
  tabulate(): void {
    for (let city = 0; city < this.edges.length; city++) {
      for (let i = 0; i < this.edges[city].length; i++) {
        const edge = this.edges[city][i];
        if (edge.fixedMs > 0) continue;
        edge.ms = new StaticArray<u32>(this.speedsKmh.length);
        edge.soc = new StaticArray<i32>(this.speedsKmh.length);
        for (let s = 0; s < this.speedsKmh.length; s++) {
          edge.ms[s] = <u32>this.driveMs(edge.distanceM, this.speedsKmh[s]);
          edge.soc[s] = this.driveSoc(edge.distanceM, this.speedsKmh[s]);
        }
      }
    }
  }

  /** What the battery takes at a step of charge, by the straight lines between the curve's points. */
  acceptedW(step: i32): i64 {
    const points = this.curvePercent.length;
    const at = <i64>step * 100;
    const steps = <i64>this.socSteps;
    for (let i = 1; i < points; i++) {
      const right = this.curvePercent[i] * steps;
      if (at > right && i < points - 1) continue;
      const left = this.curvePercent[i - 1] * steps;
      const width = right - left;
      return (this.curveW[i - 1] * (right - at) + this.curveW[i] * (at - left)) / width;
    }
    return this.curveW[0];
  }

  /** Time to charge from `step` to the next at a site of that power, rounded up. */
  chargeStepMs(siteW: i64, step: i32): i64 {
    const accepted = this.acceptedW(step);
    const watts = siteW < accepted ? siteW : accepted;
    const divisor = <i64>this.socSteps * watts;
    return (this.batteryWh * 3600000 + divisor - 1) / divisor;
  }
}

/** Splits a line at blanks; what follows `#` is a comment. */
function wordsOf(line: string): string[] {
  const hash = line.indexOf('#');
  const text = hash < 0 ? line : line.substring(0, hash);
  const words: string[] = [];
  let start = -1;
  for (let i = 0; i <= text.length; i++) {
    const blank = i == text.length || text.charCodeAt(i) <= 32;
    if (blank && start >= 0) {
      words.push(text.substring(start, i));
      start = -1;
    } else if (!blank && start < 0) {
      start = i;
    }
  }
  return words;
}

class Reader {
  lineNumber: i32 = 0;
  words: string[] = [];

  refuse(what: string): void {
    fail('line ' + this.lineNumber.toString() + ': ' + what);
  }

  need(count: i32): void {
    if (this.words.length != count + 1) {
      this.refuse(
        this.words[0] + ' takes ' + count.toString() + ' values, not ' + (this.words.length - 1).toString(),
      );
    }
  }

  /** A decimal number as micro-units, read digit by digit so that no rounding of a parser comes in. */
  micro(index: i32): i64 {
    const word = this.words[index];
    const negative = word.length > 0 && word.charCodeAt(0) == 45;
    let value: i64 = 0;
    let decimals = -1;
    let digits = 0;
    for (let i = negative ? 1 : 0; i < word.length; i++) {
      const code = word.charCodeAt(i);
      if (code == 46 && decimals < 0) {
        decimals = 0;
      } else if (code >= 48 && code <= 57 && digits < 12 && decimals < 6) {
        value = value * 10 + (code - 48);
        digits++;
        if (decimals >= 0) decimals++;
      } else {
        this.refuse('"' + word + '" is not a number of at most 12 digits, 6 of them decimals');
      }
    }
    if (digits == 0) this.refuse('"' + word + '" is not a number');
    for (let i = decimals < 0 ? 0 : decimals; i < 6; i++) value *= 10;
    return negative ? -value : value;
  }

  whole(index: i32, min: i64, max: i64): i64 {
    const micro = this.micro(index);
    const value = micro / 1000000;
    if (value * 1000000 != micro || value < min || value > max) {
      this.refuse(
        this.words[index] + ' is not a whole number from ' + min.toString() + ' to ' + max.toString(),
      );
    }
    return value;
  }

  city(problem: Problem, index: i32): i32 {
    const name = this.words[index];
    if (!problem.indexByName.has(name)) this.refuse('no city "' + name + '" stands above');
    return problem.indexByName.get(name);
  }
}

function radians(degrees: f64): f64 {
  return (degrees * Math.PI) / 180;
}

function greatCircleM(problem: Problem, a: i32, b: i32): f64 {
  const latA = radians(problem.latDeg[a]);
  const latB = radians(problem.latDeg[b]);
  const sinLat = Math.sin((latB - latA) / 2);
  const sinLon = Math.sin(radians(problem.lonDeg[b] - problem.lonDeg[a]) / 2);
  const h = sinLat * sinLat + Math.cos(latA) * Math.cos(latB) * sinLon * sinLon;
  return 2 * EARTH_RADIUS_M * Math.asin(Math.sqrt(h));
}

function addCity(problem: Problem, reader: Reader): void {
  reader.need(4);
  const name = reader.words[1];
  if (problem.indexByName.has(name)) reader.refuse('city "' + name + '" stands twice');
  if (name.indexOf('"') >= 0 || name.indexOf('\\') >= 0)
    reader.refuse('a name holds no quote and no backslash');
  if (problem.names.length == CITIES_MAX) reader.refuse('more than ' + CITIES_MAX.toString() + ' cities');
  problem.indexByName.set(name, problem.names.length);
  problem.names.push(name);
  problem.latDeg.push(<f64>reader.micro(2) / 1000000);
  problem.lonDeg.push(<f64>reader.micro(3) / 1000000);
  problem.chargeW.push(reader.whole(4, 0, 2000) * 1000);
  problem.edges.push([]);
}

let edgeCount = 0;

function addEdge(problem: Problem, reader: Reader, a: i32, b: i32, distanceM: i64, fixedMs: i64): void {
  if (a == b) reader.refuse('a road leads to another city');
  if (edgeCount == EDGES_MAX) reader.refuse('more than ' + EDGES_MAX.toString() + ' roads');
  edgeCount++;
  problem.edges[a].push(new Edge(b, distanceM, fixedMs));
  problem.edges[b].push(new Edge(a, distanceM, fixedMs));
}

function addRoad(problem: Problem, reader: Reader): void {
  reader.need(2);
  const a = reader.city(problem, 1);
  const b = reader.city(problem, 2);
  const straightM = greatCircleM(problem, a, b);
  const distanceM = <i64>Math.floor((straightM * <f64>problem.roadFactorPercent) / 100 + 0.5);
  if (distanceM < 1 || distanceM > 1000000) reader.refuse('a road is from 1 m to 1000 km long');
  addEdge(problem, reader, a, b, distanceM, 0);
}

function addCurvePoint(problem: Problem, reader: Reader): void {
  reader.need(2);
  const percent = reader.whole(1, 0, 100);
  const count = problem.curvePercent.length;
  if (count > 0 && problem.curvePercent[count - 1] >= percent)
    reader.refuse('the curve runs from 0 to 100 percent');
  problem.curvePercent.push(percent);
  problem.curveW.push(reader.whole(2, 1, 2000) * 1000);
}

function addSpeeds(problem: Problem, reader: Reader): void {
  if (reader.words.length - 1 > SPEEDS_MAX) reader.refuse('more than ' + SPEEDS_MAX.toString() + ' speeds');
  for (let i = 1; i < reader.words.length; i++) problem.speedsKmh.push(reader.whole(i, 10, 250));
}

function addStop(problem: Problem, reader: Reader): void {
  reader.need(1);
  if (problem.stops.length == STOPS_MAX) reader.refuse('more than ' + STOPS_MAX.toString() + ' stops');
  const city = reader.city(problem, 1);
  if (problem.stops.includes(city)) reader.refuse('stop "' + reader.words[1] + '" stands twice');
  problem.stops.push(city);
}

function percentOfSteps(problem: Problem, reader: Reader): i32 {
  reader.need(1);
  if (problem.socSteps == 0) reader.refuse('the battery line comes first');
  return <i32>((reader.whole(1, 0, 100) * problem.socSteps) / 100);
}

function readLine(problem: Problem, reader: Reader): void {
  const kind = reader.words[0];
  if (kind == 'city') addCity(problem, reader);
  else if (kind == 'road') addRoad(problem, reader);
  else if (kind == 'link') {
    reader.need(3);
    const minutes = reader.whole(3, 1, 10000);
    addEdge(problem, reader, reader.city(problem, 1), reader.city(problem, 2), 0, minutes * 60000);
  } else if (kind == 'battery') {
    reader.need(2);
    problem.batteryWh = reader.whole(1, 1000, 1000000);
    problem.socSteps = <i32>reader.whole(2, 10, SOC_STEPS_MAX);
  } else if (kind == 'consumption') {
    reader.need(2);
    problem.baseWhPerKm = reader.whole(1, 1, 1000);
    problem.aeroMicro = reader.whole(2, 0, 20000);
  } else if (kind == 'charge-overhead-s') {
    reader.need(1);
    problem.chargeOverheadMs = reader.whole(1, 0, 36000) * 1000;
  } else if (kind == 'curve') addCurvePoint(problem, reader);
  else if (kind == 'speeds') addSpeeds(problem, reader);
  else if (kind == 'road-factor-percent') {
    reader.need(1);
    problem.roadFactorPercent = reader.whole(1, 100, 300);
  } else if (kind == 'start-soc') problem.startSoc = percentOfSteps(problem, reader);
  else if (kind == 'reserve-soc') problem.reserveSoc = percentOfSteps(problem, reader);
  else if (kind == 'arrive-soc') problem.arriveSoc = percentOfSteps(problem, reader);
  else if (kind == 'from') {
    reader.need(1);
    problem.from = reader.city(problem, 1);
  } else if (kind == 'to') {
    reader.need(1);
    problem.to = reader.city(problem, 1);
  } else if (kind == 'stop') addStop(problem, reader);
  else if (kind == 'seed') {
    reader.need(1);
    problem.seed = <u32>reader.whole(1, 0, 4294967295);
  } else if (kind == 'effort') {
    reader.need(1);
    problem.effort = <i32>reader.whole(1, 1, 10000);
  } else reader.refuse('unknown word "' + kind + '"');
}

function checkComplete(problem: Problem): void {
  if (problem.batteryWh == 0) fail('the input has no battery line');
  if (problem.baseWhPerKm == 0) fail('the input has no consumption line');
  if (problem.speedsKmh.length == 0) fail('the input has no speeds line');
  const points = problem.curvePercent.length;
  if (points < 2 || problem.curvePercent[0] != 0 || problem.curvePercent[points - 1] != 100) {
    fail('the curve lines must run from 0 to 100 percent');
  }
  if (problem.from < 0 || problem.to < 0) fail('the input has no from or no to line');
  if (problem.startSoc < problem.reserveSoc) fail('start-soc is below reserve-soc');
}

export function parseProblem(input: ArrayBuffer): Problem {
  const problem = new Problem();
  const reader = new Reader();
  const lines = String.UTF8.decode(input).split('\n');
  for (let i = 0; i < lines.length; i++) {
    reader.lineNumber = i + 1;
    reader.words = wordsOf(lines[i]);
    if (i == 0) {
      if (reader.words.join(' ') != 'route-plan 1') reader.refuse('the first line must be "route-plan 1"');
    } else if (reader.words.length > 0) {
      readLine(problem, reader);
    }
  }
  checkComplete(problem);
  problem.tabulate();
  return problem;
}
