/** The figures of the harvest bench as tables for a person. */
import type { Harvest, Measured } from './bench.ts';
import { curvePoints } from './curve.ts';
import type { HarvestOptions } from './options.ts';
import type { Window } from './scene.ts';
import { figuresOf, type Tally } from './tally.ts';

export function print(options: HarvestOptions, harvest: Harvest): void {
  const { window } = harvest;
  const clairvoyant = harvest.clairvoyant.tally;
  const runs = [harvest.clairvoyant, ...harvest.runs];
  const lines = [
    ...headOf(options, window),
    '',
    'policy                 of offered   of clair.    net   done  missed  badput  wait p50     p99   Jain   time',
    ...runs.map((run) => lineOf(run, clairvoyant)),
    '',
    'completed share by class',
    ...runs.map(({ policy, tally }) => `${policy.padEnd(23)}${classesOf(tally)}`),
    ...curveLines(harvest),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

function headOf({ scene }: HarvestOptions, window: Window): string[] {
  const { stays, tasks, tooLarge, load, scarcest, past } = window;
  const assumed = Object.entries(scene).map(
    ([name, value]) => `${name} ${typeof value === 'object' ? JSON.stringify(value) : value}`,
  );
  return [
    `${stays.length} stays in the window, ${past.length} before it are learned from; ${tasks.length} tasks, load ${load.toFixed(3)} of ${scarcest}`,
    `${tooLarge} tasks of the file are larger than any vehicle and left out`,
    `assumed: ${assumed.join(', ')}`,
  ];
}

function lineOf({ policy, tally, elapsedMs }: Measured, clairvoyant: Tally): string {
  const f = figuresOf(tally, clairvoyant);
  const shares = [
    f.ofOffered,
    f.ofClairvoyant,
    f.netOfClairvoyant,
    f.completedShare,
    f.deadlineMissShare,
    f.badputShare,
  ];
  const [offered, ofClairvoyant, net, done, missed, badput] = shares.map((share) => share.toFixed(3));
  return [
    policy.padEnd(23),
    offered?.padStart(10),
    ofClairvoyant?.padStart(12),
    net?.padStart(7),
    done?.padStart(7),
    missed?.padStart(8),
    badput?.padStart(8),
    seconds(f.waitP50Ms).padStart(10),
    seconds(f.waitP99Ms).padStart(8),
    f.jain.toFixed(3).padStart(7),
    seconds(elapsedMs).padStart(7),
  ].join('');
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}

function classesOf({ byClass }: Tally): string {
  return [...byClass]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { tasks, completed }]) => `${name} ${(completed / tasks).toFixed(3)} of ${tasks}`)
    .join('   ');
}

function curveLines(harvest: Harvest): string[] {
  if (harvest.curve.length === 0) return [];
  return [
    '',
    'as shares of the clairvoyant’s goodput: ours over the bar of P(stays to the end), and the baselines',
    'policy                   goodput  badput     net',
    ...curvePoints(harvest).map(
      ({ policy, bar, goodput, badput, net }) =>
        `${(bar === undefined ? policy : `plugpool, bar ${bar}`).padEnd(23)}${[goodput, badput, net].map((share) => share.toFixed(3).padStart(9)).join('')}`,
    ),
  ];
}
