/** `plugpool task ID`: one task with its history: every try, on whom, how it ended, what was booked. */
import type { Command } from 'commander';
import type { TaskDetails } from '../control-views.ts';
import { printable, type Paint } from './context.ts';
import { taskId } from './options.ts';
import { amountInWords } from './money-words.ts';
import { facts, table, type Column } from './table.ts';
import { answerFrom, showUsageOnError, withCommon, type CliProgram, type CommonFlags } from './verb.ts';
import {
  bytesInWords,
  coreSecondsInWords,
  counted,
  durationInWords,
  outcomeInWords,
  percentInWords,
  priorityInWords,
  taskStateInWords,
  timeInWords,
} from './words.ts';

export function addTask(program: Command, cli: CliProgram): void {
  const command = withCommon(program.command('task'))
    .description('one task with its history')
    .argument('<id>', 'the task', taskId);
  showUsageOnError(command).action((id: string, flags: CommonFlags) =>
    answerFrom(cli, flags, async (agent) => {
      const task = (await agent.ask('task', { taskId: id })) as TaskDetails;
      return { document: task, page: (paint) => taskPage(task, paint) };
    }),
  );
}

function taskPage(task: TaskDetails, paint: Paint): string {
  const parts = [facts(factsOf(task), paint)];
  if (task.history.length > 0) parts.push(table(TRIES, task.history, paint));
  if (task.bookings.length > 0) parts.push(table(BOOKINGS, task.bookings.flatMap(entriesOf), paint));
  const stderr = task.failure?.stderrTail ?? '';
  if (stderr !== '')
    parts.push(`${paint('dim', 'what it last said on its standard error:')}\n${printable(stderr)}`);
  return parts.join('\n\n');
}

function factsOf(task: TaskDetails): [string, string][] {
  const version = task.algorithmVersion === null ? '' : ` ${task.algorithmVersion}`;
  const output = task.outputBytes === null ? '' : `, output ${bytesInWords(task.outputBytes)}`;
  const entries: [string, string][] = [
    ['task', `${task.taskId}, asked as ${task.requestId} by ${task.requester}`],
    ...(task.retryOf === null
      ? []
      : ([['again', `task ${task.retryOf}, which ended without a result`]] as [string, string][])),
    ['algorithm', `${task.algorithm}${version}${task.args.length > 0 ? ` ${task.args.join(' ')}` : ''}`],
    ['state', stateInWords(task)],
    ['asked', timeInWords(task.acceptedWallMs)],
    ['due by', timeInWords(task.deadlineWallMs)],
    [
      'priority',
      `${priorityInWords(task.priority)}${task.parts > 1 ? `, ${counted(task.parts, 'part')}` : ''}, paid by ${task.payer}`,
    ],
    ['data', `input ${bytesInWords(task.inputBytes)}${output}`],
  ];
  if (task.endedWallMs !== null)
    entries.push(['took', durationInWords(Math.max(0, task.endedWallMs - task.acceptedWallMs))]);
  if (task.state === 'queued') entries.push(['waits', `"plugpool explain ${task.taskId}" says why`]);
  if (task.failure !== null) entries.push(['why', whyInWords(task.failure)]);
  else if (task.reason !== null) entries.push(['last try', task.reason]);
  if (task.waitsFor !== null) entries.push(['waits for', task.waitsFor]);
  entries.push(...agreementOf(task));
  if (task.used !== null) {
    const { cpuMs, memoryPeakMib } = task.used;
    entries.push(['used', `${durationInWords(cpuMs)} of processor time, ${memoryPeakMib} MiB`]);
  }
  if (task.checkpoint !== null) {
    const { sizeBytes, doneMncs } = task.checkpoint;
    entries.push([
      'kept',
      `${bytesInWords(sizeBytes)} of state: ${coreSecondsInWords(doneMncs)} core-seconds need not be done again`,
    ]);
  }
  if (task.chargedMncs > 0) entries.push(['charged', `${coreSecondsInWords(task.chargedMncs)} core-seconds`]);
  return entries;
}

/** Only where more than one owner's word was asked for, or taken. */
function agreementOf({ quorum, agreeing }: TaskDetails): [string, string][] {
  if (quorum === null && agreeing < 2) return [];
  const gave = agreeing === 0 ? 'no result' : `${counted(agreeing, 'owner')} gave the same result`;
  return [['agreement', quorum === null ? gave : `${gave}, ${quorum} asked for`]];
}

/** Some codes say all. */
function whyInWords({ code, detail }: NonNullable<TaskDetails['failure']>): string {
  return detail === '' ? code : `${code}: ${detail}`;
}

function stateInWords(task: TaskDetails): string {
  const { text } = taskStateInWords(task.state);
  const where = task.donor === null ? '' : ` on ${task.donor}`;
  const progress = task.state === 'running' ? `, ${percentInWords(task.progressPermille)}` : '';
  const fetched = task.endedWallMs !== null && !task.delivered ? ', not fetched yet' : '';
  return `${text}${where}${progress}${fetched}, ${task.attempts} ${task.attempts === 1 ? 'try' : 'tries'}`;
}

type Try = TaskDetails['history'][number];

const TRIES: readonly Column<Try>[] = [
  { heading: 'TRY', align: 'right', cell: (one) => String(one.attempt) },
  { heading: 'VEHICLE', cell: (one) => one.vehicleId },
  { heading: 'PROGRAM', cell: (one) => `${one.algorithmId} ${one.algorithmVersion}` },
  { heading: 'BEGAN', cell: (one) => timeInWords(one.startedWallMs) },
  {
    heading: 'FOR',
    align: 'right',
    cell: (one) => durationInWords(Math.max(0, one.endedWallMs - one.startedWallMs)),
  },
  { heading: 'END', cell: (one) => outcomeInWords(one.outcome) },
  { heading: 'WHY', cell: (one) => one.reason },
];

interface Entry {
  readonly wallMs: number;
  readonly account: string;
  readonly unit: string;
  readonly amount: number;
}

function entriesOf({ wallMs, entries }: TaskDetails['bookings'][number]): Entry[] {
  return entries.map((entry) => ({ wallMs, ...entry }));
}

const BOOKINGS: readonly Column<Entry>[] = [
  { heading: 'BOOKED', cell: (entry) => timeInWords(entry.wallMs) },
  { heading: 'ACCOUNT', cell: (entry) => entry.account },
  { heading: 'AMOUNT', align: 'right', cell: ({ amount, unit }) => amountInWords(amount, unit) },
];
