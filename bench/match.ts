/** What one decision of the matcher costs, by how many donors and waiting requests there are; or how good it is (`--oracle`). */
import { run as runScale } from './match/scale.ts';

export async function run(args: readonly string[], json: boolean): Promise<void> {
  if (!args.includes('--oracle')) return runScale(args, json);
  const { run: runOracle } = await import('./match/oracle.ts');
  return runOracle(
    args.filter((arg) => arg !== '--oracle'),
    json,
  );
}
