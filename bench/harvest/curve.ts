/** Goodput against badput: ours over the admission bar, and every other policy as one point; pure. */
import type { Harvest } from './bench.ts';
import type { Tally } from './tally.ts';

export interface CurvePoint {
  readonly policy: string;
  /** Of ours alone: the least P(stays to the end) for a start. */
  readonly bar?: number;
  /** As shares of the clairvoyant's goodput. */
  readonly goodput: number;
  readonly badput: number;
  readonly net: number;
}

export function curvePoints({
  clairvoyant,
  runs,
  curve,
}: Pick<Harvest, 'clairvoyant' | 'runs' | 'curve'>): CurvePoint[] {
  const whole = clairvoyant.tally.goodput;
  return [
    ...curve.map(({ bar, run }) => ({ policy: 'plugpool', bar, ...sharesOf(run.tally, whole) })),
    ...runs.map(({ policy, tally }) => ({ policy, ...sharesOf(tally, whole) })),
  ];
}

function sharesOf({ goodput, held }: Tally, whole: number): Pick<CurvePoint, 'goodput' | 'badput' | 'net'> {
  const of = (amount: number): number => (whole === 0 ? 0 : amount / whole);
  return { goodput: of(goodput), badput: of(held - goodput), net: of(2 * goodput - held) };
}
