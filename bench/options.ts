/** Numbers from a bench's command line, with a default each. */
import { parseArgs } from 'node:util';

/** `--name N` for each key of `defaults`; exits with 2 and says what is wrong otherwise. */
export function numbersFrom<Name extends string>(
  args: readonly string[],
  defaults: Readonly<Record<Name, number>>,
): Record<Name, number> {
  const names = Object.keys(defaults) as Name[];
  const options = Object.fromEntries(names.map((name) => [name, { type: 'string' as const }]));
  try {
    const { values } = parseArgs({ args: [...args], options, strict: true });
    const chosen = { ...defaults } as Record<Name, number>;
    for (const name of names) {
      const text = values[name];
      if (text === undefined) continue;
      const number = Number(text);
      if (!(number > 0)) throw new Error(`--${name} must be a number above 0, not ${String(text)}`);
      chosen[name] = number;
    }
    return chosen;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(2);
  }
}

/** The value below which `share` of the sorted values lie. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}
