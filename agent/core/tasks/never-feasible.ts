/** What could never run here, on the largest and fastest donor there could be: it is refused at once, with what it is short of. Pure. */
import type { Demand, Reason, TaskRequest, Wants } from '@plugpool/proto';
import { algorithmKey } from '../algorithms/algorithm-key.ts';
import { fit, type ShortOf } from '../donors/capacity.ts';
import { lengthInWords, thousands } from '../explain/figures.ts';
import { shortestRunMs } from '../feasible/expected-run.ts';
import { BELIEVED_SPEED_MILLIS_MAX } from '../limits.ts';
import type { AlgorithmRecord } from '../records.ts';
import type { State } from '../state.ts';
import { overridden } from '../waiting/need.ts';

type Ways = readonly { readonly algorithm: AlgorithmRecord; readonly demand: Demand }[];

/** Nothing where some program with one of its demands could run, and be through before the deadline. */
export function whyNever(
  state: State,
  algorithms: readonly AlgorithmRecord[],
  { wants, deadlineMs = state.settings.deadlineDefaultMs }: TaskRequest,
): Reason[] {
  const ways = algorithms.flatMap((algorithm) =>
    overridden(algorithm.demands, wants?.demand).map((demand) => ({ algorithm, demand })),
  );
  const fitting = ways.filter(({ demand }) => shortagesOf(state, demand).length === 0);
  if (fitting.length === 0) return [tooLarge(ways.flatMap(({ demand }) => shortagesOf(state, demand)))];
  const leastMs = Math.min(...runsMs(state, fitting, wants));
  return leastMs <= deadlineMs ? [] : [tooLong(leastMs, deadlineMs)];
}

/** What the largest donor there could be lacks for it. */
export function shortagesOf({ settings }: State, demand: Demand): readonly ShortOf[] {
  const verdict = fit(settings.largestDonor, demand);
  return verdict.ok ? [] : verdict.shortOf;
}

export function shortagesInWords(shortages: readonly ShortOf[]): string {
  return shortages.map((one) => `${shortageInWords(one)}`).join('; ');
}

function shortageInWords({ what, need, have }: ShortOf): string {
  if (what === 'gpu_model') return `gpu needs the model ${need}, the largest vehicle has ${have}`;
  const [name, unit] = UNITS[what];
  return `${name} needs ${thousands(need)} ${unit}, the largest vehicle has ${thousands(have)}`;
}

const UNITS: Readonly<Record<Exclude<ShortOf['what'], 'gpu_model'>, readonly [string, string]>> = {
  cpu: ['cpu', 'millicores'],
  memory: ['memory', 'MiB'],
  gpu_share: ['gpu', 'thousandths'],
  vram: ['gpu memory', 'MiB'],
};

/** As short as each may be by what was learned of such runs. */
function runsMs(state: State, ways: Ways, wants: Wants | undefined): number[] {
  return ways.map(({ algorithm, demand }) => {
    const workMncs = wants?.demand?.workMncs ?? algorithm.workCoreS * 1000;
    const way = { key: algorithmKey(algorithm.id, algorithm.version), demand, workMncs };
    return shortestRunMs(state, way, BELIEVED_SPEED_MILLIS_MAX);
  });
}

function tooLarge(shortages: readonly ShortOf[]): Reason {
  return {
    code: 'never_feasible',
    detail: `no vehicle could ever run it: ${shortagesInWords(shortages)}`,
    hint: 'ask for less, or for an algorithm with a smaller demand',
  };
}

function tooLong(leastMs: number, deadlineMs: number): Reason {
  return {
    code: 'never_feasible',
    detail: `no vehicle could ever be through in time: it runs for at least ${lengthInWords(leastMs)}, the deadline is in ${lengthInWords(deadlineMs, Math.floor)}`,
    hint: 'ask with a later deadline, or for less work',
  };
}
