/** What one whole GPU of a named model computes, so that a demand that names it can be set against the reference machine. */

interface Shaders {
  readonly count: number;
  readonly boostMhz: number;
}

/**
 * Shader units and boost clock of the reference design, as tables of specifications publish them; a card that its maker clocks
 * otherwise is some per cent off, which is less than a class needs to change. Peak single precision is taken as two operations
 * (one fused multiply-add) a shader unit a cycle.
 */
const MODELS: Readonly<Record<string, Shaders>> = {
  'gtx 960': { count: 1024, boostMhz: 1178 },
  'gtx 970': { count: 1664, boostMhz: 1178 },
  'gtx 980': { count: 2048, boostMhz: 1216 },
  'gtx 980 ti': { count: 2816, boostMhz: 1075 },
  'gtx 1060': { count: 1280, boostMhz: 1708 },
  'gtx 1070': { count: 1920, boostMhz: 1683 },
  'gtx 1080': { count: 2560, boostMhz: 1733 },
  'gtx 1080 ti': { count: 3584, boostMhz: 1582 },
  'rtx 2060': { count: 1920, boostMhz: 1680 },
  'rtx 2070': { count: 2304, boostMhz: 1620 },
  'rtx 2080': { count: 2944, boostMhz: 1710 },
  'rtx 2080 ti': { count: 4352, boostMhz: 1545 },
  'rtx 3060': { count: 3584, boostMhz: 1777 },
  'rtx 3070': { count: 5888, boostMhz: 1725 },
  'rtx 3080': { count: 8704, boostMhz: 1710 },
  'rtx 3090': { count: 10_496, boostMhz: 1695 },
  'rtx 4060': { count: 3072, boostMhz: 2460 },
  'rtx 4070': { count: 5888, boostMhz: 2475 },
  'rtx 4080': { count: 9728, boostMhz: 2505 },
  'rtx 4090': { count: 16_384, boostMhz: 2520 },
  t4: { count: 2560, boostMhz: 1590 },
  p100: { count: 3584, boostMhz: 1480 },
  'v100 pcie': { count: 5120, boostMhz: 1380 },
  a10: { count: 9216, boostMhz: 1695 },
  a100: { count: 6912, boostMhz: 1410 },
  'jetson agx xavier': { count: 512, boostMhz: 1377 },
  'jetson agx orin': { count: 2048, boostMhz: 1300 },
  'jetson orin nx': { count: 1024, boostMhz: 918 },
};

/** Words of a model's name that say who made it or how it is sold, and nothing of what it computes. */
const SAYS_NOTHING: ReadonlySet<string> = new Set(['nvidia', 'geforce', 'tesla', 'graphics', 'gpu', 'card']);

const GFLOPS: ReadonlyMap<string, number> = new Map(
  Object.entries(MODELS).map(([model, { count, boostMhz }]) => [
    plainName(model),
    Math.round((count * 2 * boostMhz) / 1000),
  ]),
);

/** Peak single-precision throughput in thousand million operations a second; undefined of a model that is not known. */
export function gflopsOf(model: string): number | undefined {
  return GFLOPS.get(plainName(model));
}

/** `NVIDIA GeForce GTX970` and `gtx 970` are one model; a `Ti` is another. */
function plainName(model: string): string {
  const words = model.toLowerCase().match(/[a-z]+|\d+/g) ?? [];
  return words.filter((word) => !SAYS_NOTHING.has(word)).join(' ');
}
