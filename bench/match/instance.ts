/** Random small scenes for the matcher, each from its seed: who charges and lends what, and who asks for what. */
import { nextUint32, seededRandom, type Random } from '../../agent/core/random.ts';
import type { Demand, GpuCapacity, Trust } from '@plugpool/proto';

export interface SceneDonor {
  readonly id: string;
  readonly make: string;
  readonly fleet: string;
  readonly cpuMillicores: number;
  readonly memoryMib: number;
  readonly gpus: readonly GpuCapacity[];
  readonly speedMillis: number;
  /** It leaves then, as it says and as is true. */
  readonly staysMs: number;
  /** Programs that its owner allows; empty: all. */
  readonly allows: readonly string[];
  readonly hasImageOf: readonly string[];
  readonly ownerTakes: Condition<SceneRequest> | undefined;
  /** It reports what it lends in the step in which the requests arrive; else it was there before. */
  readonly comesWithRequests: boolean;
}

export interface SceneProgram {
  readonly id: string;
  readonly type: string;
  readonly imageBytes: number;
  /** The preferred one first. */
  readonly demands: readonly Demand[];
  readonly workCoreS: number;
}

export interface SceneRequest {
  readonly id: string;
  readonly vehicleId: string;
  readonly fleet: string;
  /** Any of them will do. */
  readonly programs: readonly SceneProgram[];
  readonly by: 'algorithm' | 'type';
  readonly parts: number;
  readonly allAtOnce: boolean;
  readonly latencyMs: number | undefined;
  readonly deadlineMs: number;
  readonly trust: Trust | undefined;
  readonly constraint: Condition<SceneDonor> | undefined;
}

/** The text that the pile compiles, and beside it what it means. */
export interface Condition<About> {
  readonly text: string;
  holds(about: About): boolean;
}

export interface Scene {
  readonly seed: number;
  readonly donors: readonly SceneDonor[];
  readonly programs: readonly SceneProgram[];
  readonly requests: readonly SceneRequest[];
}

export const SCENE_DONORS_MAX = 12;
export const SCENE_REQUESTS_MAX = 12;

const MAKES = ['aurora', 'borealis', 'corona'];
const FLEETS = ['', 'red', 'blue'];
const DAY_MS = 24 * 3600 * 1000;

/** Draws from one seed. */
class Draw {
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  /** 0 ≤ x < 1. */
  share(): number {
    return nextUint32(this.#random) / 2 ** 32;
  }

  chance(probability: number): boolean {
    return this.share() < probability;
  }

  whole(least: number, most: number): number {
    return least + Math.floor(this.share() * (most - least + 1));
  }

  /** Every doubling is as likely. */
  log(least: number, most: number): number {
    return least * (most / least) ** this.share();
  }

  one<Value>(of: readonly Value[]): Value {
    return of[this.whole(0, of.length - 1)] as Value;
  }

  some<Value>(of: readonly Value[], probability: number): Value[] {
    return of.filter(() => this.chance(probability));
  }
}

export function sceneOf(seed: number): Scene {
  const draw = new Draw(seed);
  const scale = draw.log(0.7, 2);
  const programs = Array.from({ length: draw.whole(1, 8) }, (_, n) => drawProgram(draw, n, scale));
  const donors = Array.from({ length: draw.whole(1, SCENE_DONORS_MAX) }, (_, n) =>
    drawDonor(draw, n, programs),
  );
  const requests = Array.from({ length: draw.whole(3, SCENE_REQUESTS_MAX) }, (_, n) =>
    drawRequest(draw, n, programs, donors),
  );
  return { seed, donors, programs, requests };
}

function drawProgram(draw: Draw, n: number, scale: number): SceneProgram {
  const needsGpu = draw.chance(0.4);
  const cpuMillicores = Math.round(draw.log(500, 8000) * scale);
  const onCpu = demandOf(cpuMillicores, Math.round(draw.log(1024, 24_576) * scale));
  const gpu = { shareMillis: 50 * draw.whole(2, 16), vramMib: 512 * draw.whole(1, 16) };
  const onGpu = { ...demandOf(Math.ceil(cpuMillicores / 4), onCpu.memoryMib), gpu };
  const gpuAlone = draw.chance(0.5) ? [onGpu] : [onGpu, onCpu];
  return {
    id: `program-${n}`,
    type: `type-${draw.whole(0, 3)}`,
    imageBytes: draw.whole(1, 60) * 1_000_000,
    demands: needsGpu ? gpuAlone : [onCpu],
    workCoreS: draw.log(20, 10_000),
  };
}

function demandOf(cpuMillicores: number, memoryMib: number): Demand {
  return { cpuMillicores, memoryMib, threads: Math.ceil(cpuMillicores / 1000) };
}

function drawDonor(draw: Draw, n: number, programs: readonly SceneProgram[]): SceneDonor {
  const ids = programs.map(({ id }) => id);
  return {
    id: `donor-${n}`,
    make: draw.one(MAKES),
    fleet: draw.one(FLEETS),
    cpuMillicores: 1000 * draw.whole(2, 12),
    memoryMib: 4096 * draw.whole(1, 8),
    gpus: Array.from({ length: draw.chance(0.4) ? draw.whole(1, 2) : 0 }, (_, device) => ({
      deviceId: `gpu${device}`,
      model: 'any',
      shareMillis: draw.one([500, 1000, 1000]),
      vramMib: 4096 * draw.whole(1, 4),
    })),
    speedMillis: draw.whole(600, 2000),
    staysMs: Math.round(draw.log(5 * 60_000, 8 * 3_600_000)),
    allows: draw.chance(0.25) ? draw.some(ids, 0.6) : [],
    hasImageOf: draw.some(ids, 0.7),
    ownerTakes: draw.chance(0.1)
      ? { text: 'request.priority >= 1', holds: (r) => priorityOf(r) >= 1 }
      : undefined,
    comesWithRequests: draw.chance(0.3),
  };
}

function drawRequest(
  draw: Draw,
  n: number,
  programs: readonly SceneProgram[],
  donors: readonly SceneDonor[],
): SceneRequest {
  const program = draw.one(programs);
  const by = draw.chance(0.2) ? 'type' : 'algorithm';
  const ofType = programs.filter(({ type }) => type === program.type);
  const parts = draw.chance(0.25) ? draw.whole(2, 4) : 1;
  const lender = draw.chance(0.15) ? draw.one(donors) : undefined;
  return {
    id: `request-${n}`,
    vehicleId: lender?.id ?? `asker-${n}`,
    fleet: lender?.fleet ?? draw.one(FLEETS),
    programs: by === 'type' ? ofType : [program],
    by,
    parts,
    allAtOnce: parts > 1 && draw.chance(0.4),
    latencyMs: draw.chance(0.3) ? draw.one([500, 5_000, 50_000]) : undefined,
    deadlineMs: draw.chance(0.3) ? Math.round(draw.log(60_000, 4 * 3_600_000)) : DAY_MS,
    trust: drawTrust(draw),
    constraint: drawConstraint(draw),
  };
}

function drawTrust(draw: Draw): Trust | undefined {
  return draw.chance(0.1)
    ? { whom: 'makes', makes: draw.some(MAKES, 0.6).concat(draw.one(MAKES)) }
    : undefined;
}

function drawConstraint(draw: Draw): Condition<SceneDonor> | undefined {
  if (!draw.chance(0.15)) return undefined;
  const memoryMib = 4096 * draw.whole(1, 6);
  const make = draw.one(MAKES);
  return draw.one<Condition<SceneDonor>>([
    { text: `donor.memoryMib >= ${memoryMib}`, holds: (donor) => donor.memoryMib >= memoryMib },
    { text: `donor.make != "${make}"`, holds: (donor) => donor.make !== make },
    { text: 'donor.gpus > 0', holds: ({ gpus }) => gpus.length > 0 },
  ]);
}

/** By the rules as docs/protocol.md states them: latency need and parallel parts. */
export function priorityOf({ latencyMs = Infinity, parts }: SceneRequest): 0 | 1 | 2 | 3 {
  if (latencyMs <= 1_000) return 3;
  if (latencyMs <= 10_000 || parts >= 4) return 2;
  return latencyMs <= 60_000 || parts > 1 ? 1 : 0;
}
