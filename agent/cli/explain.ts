/** `plugpool explain ID`: why a task does not run: its place, what would make it run, and vehicle by vehicle what stands in the way. */
import type { Command } from 'commander';
import type { Explanation, WaitView } from '../core/explain/explain.ts';
import type { Paint } from './context.ts';
import { printable } from './context.ts';
import { taskId } from './options.ts';
import { facts, table, type Column } from './table.ts';
import { answerFrom, showUsageOnError, withCommon, type CliProgram, type CommonFlags } from './verb.ts';
import { durationInWords, phaseInWords, priorityInWords, taskStateInWords } from './words.ts';

export function addExplain(program: Command, cli: CliProgram): void {
  const command = withCommon(program.command('explain'))
    .description('why a task does not run, when it may start, and what would make it run')
    .argument('<id>', 'the task', taskId);
  showUsageOnError(command).action((id: string, flags: CommonFlags) =>
    answerFrom(cli, flags, async (agent) => {
      const explanation = (await agent.ask('explain', { taskId: id })) as Explanation;
      return { document: explanation, page: (paint) => explanationPage(explanation, paint) };
    }),
  );
}

function explanationPage(explanation: Explanation, paint: Paint): string {
  const { taskId: id, state, summary, wait, lastReason, parts, donors } = explanation;
  const words = taskStateInWords(state);
  const blocks = [`task ${id}, ${paint(words.colour ?? 'reset', words.text)}: ${printable(summary)}`];
  if (lastReason !== '') blocks[0] += `\nthe last try ended because: ${printable(lastReason)}`;
  if (wait !== null) blocks.push(facts(factsOf(explanation, wait), paint), remedies(wait, paint));
  if (parts.length > 0) blocks.push(table(PARTS, parts, paint));
  if (donors.length > 0) blocks.push(table(COLUMNS, donors, paint));
  if (wait !== null && donors.length < wait.donorsKnown)
    blocks.push(
      `the nearest ${donors.length} of ${wait.donorsKnown} vehicles, of ${wait.donorsLookedAt} looked at`,
    );
  return blocks.join('\n\n');
}

function factsOf({ waitedMs, waiting }: Explanation, wait: WaitView): [string, string][] {
  const { place, priority, priorityBecause, startInMs, keptDonors } = wait;
  return [
    ['waits', durationInWords(waitedMs)],
    ['place in the line', `${place} of ${waiting}${place === 1 ? ', the next' : ''}`],
    ['priority', `${priorityInWords(priority)}: ${priorityBecause}`],
    ['sub-pool', subPoolInWords(wait)],
    ['payer', payerInWords(wait)],
    ['may start', startInMs === null ? 'not to be estimated' : `in about ${durationInWords(startInMs)}`],
    ...(keptDonors.length === 0
      ? []
      : [['kept for it until then', keptDonors.join(', ')] as [string, string]]),
  ];
}

function subPoolInWords({ algorithmClass, subPool }: WaitView): string {
  switch (subPool) {
    case 'off':
      return `sub-pools are off; its class is ${algorithmClass}`;
    case 'full':
      return `${algorithmClass}, which has no room for it: it borrows, and goes behind those who do not`;
    case 'room':
      return `${algorithmClass}, which has room for it`;
  }
}

function payerInWords({ payer, payerBand }: WaitView): string {
  if (payerBand === 0) return `${payer}, who has had no more than a fair share`;
  return `${payer}, who has had up to ${2 ** payerBand} times a fair share`;
}

function remedies({ wouldRun }: WaitView, paint: Paint): string {
  const lines = wouldRun.map((sentence) => `  - ${printable(sentence).replaceAll('\n', ' ')}`);
  return [paint('dim', 'it would run with'), ...lines].join('\n');
}

const PARTS: readonly Column<Explanation['parts'][number]>[] = [
  { heading: 'PART', align: 'right', cell: ({ part }) => String(part) },
  { heading: 'STATE', cell: ({ state }) => state.replaceAll('_', ' ') },
  { heading: 'ON', cell: ({ donor }) => donor ?? '-' },
  { heading: 'WOULD FIT NOW ON', cell: ({ wouldFitOn }) => wouldFitOn ?? '-' },
];

const COLUMNS: readonly Column<Explanation['donors'][number]>[] = [
  { heading: 'VEHICLE', cell: (donor) => donor.vehicleId },
  { heading: 'STATE', cell: (donor) => phaseInWords(donor.phase) },
  { heading: 'WHY NOT THERE', cell: (donor) => donor.because.join('; ') || 'nothing: it could run there' },
];
