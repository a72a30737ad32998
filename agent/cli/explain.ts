/** `plugpool explain ID`: why a task does not run, vehicle by vehicle. */
import type { Command } from 'commander';
import type { Explanation } from '../core/explain.ts';
import type { Paint } from './context.ts';
import { printable } from './context.ts';
import { taskId } from './options.ts';
import { table, type Column } from './table.ts';
import { answerFrom, showUsageOnError, withCommon, type CliProgram, type CommonFlags } from './verb.ts';
import { durationInWords, phaseInWords, taskStateInWords } from './words.ts';

export function addExplain(program: Command, cli: CliProgram): void {
  const command = withCommon(program.command('explain'))
    .description('why a task does not run, vehicle by vehicle')
    .argument('<id>', 'the task', taskId);
  showUsageOnError(command).action((id: string, flags: CommonFlags) =>
    answerFrom(cli, flags, async (agent) => {
      const explanation = (await agent.ask('explain', { taskId: id })) as Explanation;
      return { document: explanation, page: (paint) => explanationPage(explanation, paint) };
    }),
  );
}

function explanationPage(explanation: Explanation, paint: Paint): string {
  const { taskId: id, state, summary, waitedMs, waiting, lastReason, donors } = explanation;
  const words = taskStateInWords(state);
  const lines = [`task ${id}, ${paint(words.colour ?? 'reset', words.text)}: ${printable(summary)}`];
  if (state === 'queued') lines.push(`it has waited ${durationInWords(waitedMs)}; ${waiting} wait in all`);
  if (lastReason !== '') lines.push(`the last try ended because: ${printable(lastReason)}`);
  if (donors.length > 0) lines.push('', table(COLUMNS, donors, paint));
  return lines.join('\n');
}

const COLUMNS: readonly Column<Explanation['donors'][number]>[] = [
  { heading: 'VEHICLE', cell: (donor) => donor.vehicleId },
  { heading: 'STATE', cell: (donor) => phaseInWords(donor.phase) },
  { heading: 'WHY NOT THERE', cell: (donor) => donor.because.join('; ') || 'nothing: it could run there' },
];
