/** What a constraint costs: compiling it, one evaluation, and the dearest that a stranger can make of it. */
import { compileConstraint, isMatch } from '../agent/core/constraint/constraint.ts';
import { DonorFacts } from '../agent/core/constraint/constraint-facts.ts';
import { CONSTRAINT_TEXT_BYTES_MAX } from '../agent/core/limits.ts';
import { numbersFrom } from './options.ts';

const KNOWN = {
  make: 'volta',
  fleet: 'north',
  cores: 8n,
  cpuMillicores: 6_000n,
  memoryMib: 16_384n,
  speed: 1.25,
  // As long as a text of a vehicle may be.
  cpuModel: `${'a'.repeat(1_023)}b`,
  platform: 'linux-arm64',
  runtimes: ['wasm', 'onnx'],
  gpus: 1n,
  gpuModels: ['a'.repeat(1_024)],
  vramMib: 8_192n,
  state: 'charging',
  connector: 'station/1/1',
};
const DONOR = new DonorFacts({ ...KNOWN, socPermille: 620n });
const WITHOUT_SOC = new DonorFacts(KNOWN);

const TEXTS: readonly { name: string; text: string; facts: DonorFacts }[] = [
  { name: 'one comparison', text: 'donor.make == "volta"', facts: DONOR },
  {
    name: 'four comparisons',
    text: 'donor.cores >= 4 && donor.speed >= 0.8 && (donor.make == "ohm" || "onnx" in donor.runtimes)',
    facts: DONOR,
  },
  { name: 'what is missing, needed', text: 'donor.socPermille > 300', facts: WITHOUT_SOC },
  { name: 'what is missing, fails', text: 'donor.socPermille > 300 || false', facts: WITHOUT_SOC },
  { name: 'two long searches', text: searches(2), facts: DONOR },
  { name: 'eight searches', text: searches(8), facts: DONOR },
];

/** Needles that nearly match everywhere, in all as long as a text may be. */
function searches(count: number): string {
  const length = Math.floor((CONSTRAINT_TEXT_BYTES_MAX / count - 40) / 2);
  const half = 'a'.repeat(length);
  const needle = `${half}b${half}`;
  return Array.from({ length: count }, () => `donor.gpuModels[0].contains("${needle}")`).join(' || ');
}

export async function run(args: readonly string[], json: boolean): Promise<void> {
  const { rounds } = numbersFrom(args, { rounds: 200_000 });
  const figures = TEXTS.map(({ name, text, facts }) => {
    const result = compileConstraint(text, 'donor');
    if (!result.ok) throw new Error(`${text}: ${result.why}`);
    const compileNs = nsOf(rounds / 20, () => compileConstraint(text, 'donor'));
    const matchNs = nsOf(rounds, () => isMatch(result.constraint, facts));
    return { name, compileNs, matchNs };
  });
  if (json) process.stdout.write(`${JSON.stringify({ constraints: figures })}\n`);
  else console.table(figures);
}

function nsOf(rounds: number, work: () => unknown): number {
  for (let i = 0; i < rounds / 10; i++) work();
  const begun = performance.now();
  for (let i = 0; i < rounds; i++) work();
  return Math.round(((performance.now() - begun) * 1e6) / rounds);
}
