/** `plugpool tasks`: the tasks, newest first. */
import type { Command } from 'commander';
import type { TaskView } from '../core/views.ts';
import { whole } from './options.ts';
import { table, type Column } from './table.ts';
import { answerFrom, showUsageOnError, withCommon, type CliProgram, type CommonFlags } from './verb.ts';
import { agoInWords, durationInWords, percentInWords, priorityInWords, taskStateInWords } from './words.ts';

const LIMIT_DEFAULT = 30;
const LIMIT_MAX = 1_000;

interface Flags extends CommonFlags {
  readonly limit: number;
}

export function addTasks(program: Command, cli: CliProgram): void {
  const command = withCommon(program.command('tasks'))
    .description('the tasks, newest first')
    .option('--limit <n>', 'how many at most', whole(1, LIMIT_MAX), LIMIT_DEFAULT);
  showUsageOnError(command).action((flags: Flags) =>
    answerFrom(cli, flags, async (agent) => {
      const tasks = (await agent.ask('tasks', { limit: flags.limit })) as TaskView[];
      const page = tasks.length === 0 ? () => 'no task was asked for yet' : undefined;
      return { document: { tasks }, page: page ?? ((paint) => table(COLUMNS, tasks, paint)) };
    }),
  );
}

const COLUMNS: readonly Column<TaskView>[] = [
  { heading: 'TASK', cell: (task) => task.taskId },
  { heading: 'ALGORITHM', cell: (task) => task.algorithm },
  { heading: 'STATE', cell: (task) => taskStateInWords(task.state) },
  { heading: 'ASKED BY', cell: (task) => task.requester },
  { heading: 'PRIORITY', cell: (task) => priorityInWords(task.priority) },
  { heading: 'PARTS', align: 'right', cell: (task) => String(task.parts) },
  { heading: 'RUNS ON', cell: (task) => task.donor ?? '-' },
  { heading: 'TRIES', align: 'right', cell: (task) => String(task.attempts) },
  { heading: 'PROGRESS', align: 'right', cell: (task) => percentInWords(task.progressPermille) },
  { heading: 'ASKED', align: 'right', cell: (task) => agoInWords(task.acceptedWallMs) },
  { heading: 'TOOK', align: 'right', cell: tookInWords },
  { heading: 'WHY', cell: whyInWords },
];

function whyInWords({ reason, waitsFor }: TaskView): string {
  return [reason, waitsFor].filter((each) => each !== null).join('; ');
}

function tookInWords({ acceptedWallMs, endedWallMs }: TaskView): string {
  return endedWallMs === null ? '-' : durationInWords(Math.max(0, endedWallMs - acceptedWallMs));
}
