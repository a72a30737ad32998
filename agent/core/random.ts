/** A seeded generator (sfc32, Chris Doty-Humphrey's small fast counter): the same seed gives the same numbers everywhere. */

export interface Random {
  a: number;
  b: number;
  c: number;
  counter: number;
}

export function seededRandom(seed: number): Random {
  const random: Random = { a: seed | 0, b: (seed / 2 ** 32) | 0, c: 0x9e3779b9 | 0, counter: 1 };
  // The first outputs still show the seed.
  for (let i = 0; i < 12; i++) nextUint32(random);
  return random;
}

export function nextUint32(random: Random): number {
  const result = (((random.a + random.b) | 0) + random.counter) | 0;
  random.counter = (random.counter + 1) | 0;
  random.a = random.b ^ (random.b >>> 9);
  random.b = (random.c + (random.c << 3)) | 0;
  random.c = (((random.c << 21) | (random.c >>> 11)) + result) | 0;
  return result >>> 0;
}
