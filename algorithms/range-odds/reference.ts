/** `range-odds` once more, in the plainest way: what the image must give. For few trips: it takes its time. */
export interface RangeQuestion {
  readonly trips: number;
  readonly seed: number;
  readonly km: number;
  readonly batteryWh: number;
  readonly whPerKm: number;
  readonly spreadWh: number;
  /** Trips between two checkpoints. */
  readonly keepEvery?: number;
}

const BINS = 20;
const U64 = (1n << 64n) - 1n;

export function rangeInput(question: RangeQuestion): Uint8Array {
  const { trips, seed, km, batteryWh, whPerKm, spreadWh, keepEvery } = question;
  const lines = [
    'range-odds 1',
    `trips ${trips}`,
    `seed ${seed}`,
    `km ${km}`,
    `battery ${batteryWh}`,
    `consumption ${whPerKm} ${spreadWh}`,
    ...(keepEvery === undefined ? [] : [`keep ${keepEvery}`]),
  ];
  return Buffer.from(`${lines.join('\n')}\n`);
}

export function rangeOdds(question: RangeQuestion): string {
  const { trips, seed, km, batteryWh, whPerKm, spreadWh } = question;
  let random = (BigInt(seed) * 0x9e3779b97f4a7c15n) & U64;
  const bins = Array.from({ length: BINS }, () => 0);
  let arrived = 0;
  for (let trip = 0; trip < trips; trip++) {
    let leftWh = batteryWh;
    let wind = 0;
    for (let driven = 0; driven < km && leftWh > 0; driven++) {
      random = (random ^ (random << 13n)) & U64;
      random ^= random >> 7n;
      random = (random ^ (random << 17n)) & U64;
      wind = Math.trunc((wind * 7 + (Number(random >> 54n) - 512)) / 8);
      leftWh -= whPerKm + Math.trunc((spreadWh * wind) / 512);
    }
    if (leftWh <= 0) continue;
    arrived += 1;
    const bin = Math.min(BINS - 1, Math.trunc((leftWh * BINS) / batteryWh));
    bins[bin] = (bins[bin] ?? 0) + 1;
  }
  return `${JSON.stringify({ trips, arrived, leftTwentieths: bins })}\n`;
}
