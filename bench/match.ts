/** What one decision of the matcher costs, by how many donors and waiting requests there are; `--oracle`: how good it is. */

export async function run(args: readonly string[], json: boolean): Promise<void> {
  const others = args.filter((arg) => arg !== '--oracle');
  const isOracle = others.length < args.length;
  const bench = isOracle ? await import('./match/oracle.ts') : await import('./match/scale.ts');
  return bench.run(others, json);
}
