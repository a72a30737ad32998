/** `plugpool pools`, `pools set`, `pools plan`: how capacity is divided among the classes of algorithms. */
import { Argument, type Command } from 'commander';
import type { PoolsView, SharesView, SubPoolView } from '../core/pools/view.ts';
import type { PoolCause } from '../core/pools/pools.ts';
import type { Vector } from '../core/pools/vector.ts';
import type { Paint } from './context.ts';
import { percentAsPermille } from './options.ts';
import { table, type Cell, type Column } from './table.ts';
import {
  answerFrom,
  refuseUnknownVerb,
  showUsageOnError,
  withCommon,
  type CliProgram,
  type CommonFlags,
} from './verb.ts';
import { agoInWords, coresInWords, counted, durationInWords, percentInWords } from './words.ts';

interface SetFlags extends CommonFlags {
  readonly cpu?: number;
  readonly memory?: number;
  readonly gpu?: number;
  readonly vram?: number;
}

/** Changes that the page for people shows; `--json` has all that are remembered. */
const SHOWN_CHANGES = 10;

export function addPools(program: Command, cli: CliProgram): void {
  const group = withCommon(program.command('pools')).description(
    'how capacity is divided among the classes of algorithms, and what of it is used',
  );
  showUsageOnError(group.allowExcessArguments()).action(async (flags: CommonFlags) => {
    refuseUnknownVerb(group);
    await answerFrom(cli, flags, async (agent) => {
      const view = (await agent.ask('pools')) as PoolsView;
      return { document: view, page: (paint) => pageOf(view, paint) };
    });
  });
  addSet(group, cli);
  addPlan(group, cli);
}

function addSet(group: Command, cli: CliProgram): void {
  const command = withCommon(group.command('set'))
    .description('give a sub-pool another size by hand; what is not named stays as it is')
    .addArgument(new Argument('<class>', 'whose sub-pool').choices(['cpu', 'gpu', 'memory']))
    .option('--cpu <percent>', 'of all cpu', percentOption)
    .option('--memory <percent>', 'of all memory', percentOption)
    .option('--gpu <percent>', 'of all GPUs', percentOption)
    .option('--vram <percent>', 'of all GPU memory (default: as --gpu)', percentOption);
  showUsageOnError(command).action(async (algorithmClass: string, flags: SetFlags) => {
    const shareMillis = sharesFrom(flags);
    if (Object.keys(shareMillis).length === 0)
      command.error('error: name at least one of --cpu, --memory, --gpu and --vram', { code: 'usage' });
    await answerFrom(cli, flags, async (agent) => {
      const subPool = (await agent.ask('setPool', { algorithmClass, shareMillis })) as SubPoolView;
      const page = (): string =>
        `the sub-pool ${subPool.subPool} has ${sharesInWords(subPool.shares)} now: ${sizeInWords(subPool)}`;
      return { document: { subPool }, page };
    });
  });
}

function addPlan(group: Command, cli: CliProgram): void {
  const command = withCommon(group.command('plan')).description(
    'divide capacity anew, by what was asked for lately; sizes by hand are given up',
  );
  showUsageOnError(command).action((flags: CommonFlags) =>
    answerFrom(cli, flags, async (agent) => {
      const subPools = (await agent.ask('planPools')) as SubPoolView[];
      const lines = subPools.map(({ subPool, shares }) => `${subPool}: ${sharesInWords(shares)}`);
      const page = (): string =>
        lines.length === 0 ? 'no algorithm is catalogued: all is reserve' : lines.join('\n');
      return { document: { subPools }, page };
    }),
  );
}

/** `40` or `40%`. */
function percentOption(text: string): number {
  return percentAsPermille(text.replace(/ ?%$/, ''));
}

function sharesFrom({ cpu, memory, gpu, vram = gpu }: SetFlags): Partial<Vector> {
  return {
    ...(cpu === undefined ? {} : { cpuMillicores: cpu }),
    ...(memory === undefined ? {} : { memoryMib: memory }),
    ...(gpu === undefined ? {} : { gpuMillis: gpu }),
    ...(vram === undefined ? {} : { vramMib: vram }),
  };
}

interface Row {
  readonly name: string;
  readonly size: Readonly<Vector>;
  readonly pool?: SubPoolView;
}

function pageOf(view: PoolsView, paint: Paint): string {
  if (!view.enabled) return `sub-pools are off; all vehicles together lend ${vectorInWords(view.whole)}`;
  const rows: Row[] = [
    ...view.subPools.map((pool) => ({ name: pool.subPool, size: pool.size, pool })),
    { name: 'reserve', size: view.reserve.size },
    { name: 'whole', size: view.whole },
  ];
  const pools = table(COLUMNS, rows, paint);
  if (view.changes.length === 0) return pools;
  const changes = view.changes.slice(0, SHOWN_CHANGES);
  return `${pools}\n\n${table(CHANGES, changes, paint)}`;
}

const COLUMNS: readonly Column<Row>[] = [
  { heading: 'SUB-POOL', cell: ({ name }) => name },
  { heading: 'SIZE', cell: ({ size }) => vectorInWords(size) },
  { heading: 'USE', align: 'right', cell: useInWords },
  { heading: 'BORROWED', cell: ({ pool }) => (pool === undefined ? '' : vectorInWords(pool.borrowed)) },
  { heading: 'LENT', cell: ({ pool }) => (pool === undefined ? '' : vectorInWords(pool.lent)) },
  { heading: 'STATE', cell: ({ pool }) => (pool === undefined ? '' : stateInWords(pool)) },
];

function useInWords({ pool }: Row): string {
  if (pool === undefined) return '';
  return pool.usePermille === null ? 'all' : percentInWords(pool.usePermille);
}

function stateInWords({ level, levelForMs, byHand, wantsMore, algorithms }: SubPoolView): Cell {
  const words = [
    ...(level === 'even' ? [] : [`use is ${level} for ${durationInWords(levelForMs)}`]),
    ...(wantsMore ? ['wants more than the reserve has'] : []),
    ...(byHand ? ['set by hand'] : []),
    counted(algorithms, 'algorithm'),
  ];
  return { text: words.join(', '), colour: wantsMore ? 'yellow' : undefined };
}

const CHANGES: readonly Column<PoolsView['changes'][number]>[] = [
  { heading: 'WHEN', cell: ({ wallMs }) => agoInWords(wallMs) },
  { heading: 'SUB-POOL', cell: ({ subPool }) => subPool },
  { heading: 'WHY', cell: ({ cause }) => causeInWords(cause) },
  { heading: 'OF THE WHOLE', cell: moveInWords },
];

const CAUSES: Readonly<Record<PoolCause, string>> = {
  planned: 'planned anew',
  classes_changed: 'the catalogue has other classes',
  by_hand: 'set by hand',
  low: 'hardly used: gave back',
  high: 'nearly used up: drew from the reserve',
  served_first: 'wanted more, and something came back',
  reserve_empty: 'nearly used up, and the reserve is empty',
};

function causeInWords(cause: PoolCause): string {
  return CAUSES[cause];
}

/** What is too little to be seen in these words has not moved. */
export function moveInWords({
  before,
  after,
}: Pick<PoolsView['changes'][number], 'before' | 'after'>): string {
  const moved = SHARES.flatMap(([name, of]) => {
    const [from, to] = [ppmInWords(of(before)), ppmInWords(of(after))];
    return from === to ? [] : [`${name} ${from} → ${to}`];
  });
  return moved.length === 0 ? 'as before' : moved.join(', ');
}

const SHARES: readonly (readonly [name: string, of: (shares: SharesView) => number])[] = [
  ['cpu', ({ cpuPpm }) => cpuPpm],
  ['memory', ({ memoryPpm }) => memoryPpm],
  ['gpu', ({ gpuPpm }) => gpuPpm],
  ['vram', ({ vramPpm }) => vramPpm],
];

function sharesInWords(shares: SharesView): string {
  return SHARES.map(([name, of]) => `${name} ${ppmInWords(of(shares))}`).join(', ');
}

function ppmInWords(ppm: number): string {
  return percentInWords(Math.round(ppm / 100) / 10);
}

/** A share can be set before anybody lends. */
function sizeInWords({ size }: SubPoolView): string {
  const words = vectorInWords(size);
  return words === '-' ? 'nothing yet, since nobody lends' : words;
}

function vectorInWords({ cpuMillicores, memoryMib, gpuMillis, vramMib }: Readonly<Vector>): string {
  const parts = [
    ...(cpuMillicores === 0 ? [] : [counted(coresInWords(cpuMillicores), 'core')]),
    ...(memoryMib === 0 ? [] : [`${memoryMib} MiB`]),
    ...(gpuMillis === 0 ? [] : [counted(coresInWords(gpuMillis), 'GPU')]),
    ...(vramMib === 0 ? [] : [`${vramMib} MiB of GPU`]),
  ];
  return parts.length === 0 ? '-' : parts.join(', ');
}
