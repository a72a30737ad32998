/** `plugpool algorithms [list] | show | retire | remove`: the catalogue of what may run here. */
import type { Command } from 'commander';
import type { AlgorithmView } from '../core/views.ts';
import { CliError, type Paint } from './context.ts';
import { addAlgorithmAdd } from './algorithm-add.ts';
import { addAlgorithmCheck } from './algorithm-check.ts';
import { algorithmName, algorithmVersion } from './options.ts';
import { facts, table, type Column } from './table.ts';
import {
  answerFrom,
  refuseUnknownVerb,
  showUsageOnError,
  withCommon,
  type CliProgram,
  type CommonFlags,
} from './verb.ts';
import { bytesInWords, counted, demandInWords, timeInWords } from './words.ts';

interface VersionFlags extends CommonFlags {
  readonly version?: string;
}

export function addAlgorithms(program: Command, cli: CliProgram): void {
  const group = withCommon(program.command('algorithms')).description(
    'the programs that vehicles may ask for',
  );
  showUsageOnError(group.allowExcessArguments()).action(async (flags: CommonFlags) => {
    refuseUnknownVerb(group);
    await list(cli, flags);
  });
  const all = withCommon(group.command('list')).description('all of them, as without a command');
  showUsageOnError(all).action((flags: CommonFlags) => list(cli, flags));
  addShow(group, cli);
  addAlgorithmAdd(group, cli);
  addAlgorithmCheck(group, cli);
  addEnding(group, cli, { verb: 'retire', ask: 'retireAlgorithm', did: 'retired' });
  addEnding(group, cli, { verb: 'remove', ask: 'removeAlgorithm', did: 'removed' });
}

async function list(cli: CliProgram, flags: CommonFlags): Promise<void> {
  await answerFrom(cli, flags, async (agent) => {
    const algorithms = (await agent.ask('algorithms')) as AlgorithmView[];
    const none = 'no algorithm is catalogued; "plugpool algorithms add --help" says how to add one';
    const page = algorithms.length === 0 ? () => none : undefined;
    return { document: { algorithms }, page: page ?? ((paint) => table(COLUMNS, algorithms, paint)) };
  });
}

const COLUMNS: readonly Column<AlgorithmView>[] = [
  { heading: 'ALGORITHM', cell: ({ id }) => id },
  { heading: 'VERSION', cell: ({ version }) => version },
  { heading: 'TYPE', cell: ({ type }) => type },
  { heading: 'CLASS', cell: ({ algorithmClass }) => algorithmClass },
  { heading: 'RUNS AS', cell: ({ runtime }) => runtime },
  { heading: 'NEEDS', cell: ({ demands }) => demands.map(demandInWords).join(' or ') },
  { heading: 'WORK', align: 'right', cell: ({ workCoreS }) => `${workCoreS} core-s` },
  { heading: 'SIZE', align: 'right', cell: ({ image }) => bytesInWords(image.sizeBytes) },
  {
    heading: 'STATE',
    cell: ({ state }) =>
      state === 'active' ? { text: 'in use', colour: 'green' } : { text: 'retired', colour: 'gray' },
  },
];

function addShow(group: Command, cli: CliProgram): void {
  const command = withCommon(group.command('show'))
    .description('every version of one')
    .argument('<id>', 'the algorithm', algorithmName);
  showUsageOnError(command).action((id: string, flags: CommonFlags) =>
    answerFrom(cli, flags, async (agent) => {
      const all = (await agent.ask('algorithms')) as AlgorithmView[];
      const algorithms = all.filter((algorithm) => algorithm.id === id);
      if (algorithms.length === 0)
        throw new CliError(
          'algorithm_unknown',
          `no algorithm ${id}`,
          '"plugpool algorithms list" shows them',
        );
      return {
        document: { algorithms },
        page: (paint) => algorithms.map((one) => onePage(one, paint)).join('\n\n'),
      };
    }),
  );
}

function onePage(algorithm: AlgorithmView, paint: Paint): string {
  const needs = algorithm.demands.map((demand, index): [string, string] => [
    index === 0 ? 'needs' : 'or',
    `${demandInWords(demand)}, ${counted(demand.threads, 'thread')}`,
  ]);
  return facts(
    [
      ['algorithm', `${algorithm.id} ${algorithm.version}`],
      ['type', algorithm.type],
      ['runs as', algorithm.runtime],
      ...needs,
      ['class', algorithm.algorithmClass],
      ['leans on', leaningInWords(algorithm)],
      ['work', `${algorithm.workCoreS} core-seconds`],
      ['checkpoints', algorithm.checkpoints === true ? 'keeps its state, to go on elsewhere' : 'none'],
      ['compared', comparisonInWords(algorithm)],
      ['image', `${bytesInWords(algorithm.image.sizeBytes)}, sha256 ${algorithm.image.digest}`],
      ['state', algorithm.state === 'active' ? 'in use' : 'retired: runs to its end, takes no new request'],
      ['added', timeInWords(algorithm.addedWallMs)],
    ],
    paint,
  );
}

function comparisonInWords({ compare }: AlgorithmView): string {
  if (compare === undefined) return 'no: its outputs may differ, and it is never run twice';
  if (compare.by === 'bytes') return 'byte by byte';
  return `as ${compare.format} numbers, within ${compare.tolerance}`;
}

/** Shares of the reference machine. */
function leaningInWords({ feature, learnedRuns }: AlgorithmView): string {
  const { cpuPpm, gpuPpm, memoryPpm } = feature;
  const shares = Object.entries({ cpu: cpuPpm, memory: memoryPpm, gpu: gpuPpm }).map(
    ([name, ppm]) => `${name} ${(ppm / 10_000).toFixed(1)} %`,
  );
  const learned = learnedRuns === 0 ? '' : `, with what ${counted(learnedRuns, 'run')} used`;
  return `${shares.join(', ')} of the reference machine${learned}`;
}

interface Ending {
  readonly verb: 'retire' | 'remove';
  readonly ask: string;
  readonly did: 'retired' | 'removed';
}

function addEnding(group: Command, cli: CliProgram, { verb, ask, did }: Ending): void {
  const command = withCommon(group.command(verb))
    .description(verb === 'retire' ? 'take no new requests for it' : 'forget it; it must not be running')
    .argument('<id>', 'the algorithm', algorithmName)
    .option('--version <v>', 'this version only', algorithmVersion);
  showUsageOnError(command).action((id: string, flags: VersionFlags) =>
    answerFrom(cli, flags, async (agent) => {
      const keys = (await agent.ask(ask, { id, version: flags.version })) as string[];
      return { document: { [did]: keys }, page: () => `${did}: ${keys.join(', ')}` };
    }),
  );
}
