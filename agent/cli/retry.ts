/** `plugpool retry ID`: has a task that ended without a result run again, as a new task of the same vehicle. */
import type { Command } from 'commander';
import { taskId } from './options.ts';
import { answerFrom, showUsageOnError, withCommon, type CliProgram, type CommonFlags } from './verb.ts';

interface Retried {
  readonly taskId: string;
  readonly retryOf: string;
  readonly requester: string;
}

export function addRetry(program: Command, cli: CliProgram): void {
  const command = withCommon(program.command('retry'))
    .description('run a task again that failed, expired or was given up, as a new one')
    .argument('<id>', 'the task', taskId);
  showUsageOnError(command).action((id: string, flags: CommonFlags) =>
    answerFrom(cli, flags, async (agent) => {
      const document = (await agent.ask('retry', { taskId: id })) as Retried;
      return { document, page: () => pageOf(document) };
    }),
  );
}

function pageOf({ taskId: id, retryOf, requester }: Retried): string {
  return (
    `task ${retryOf} is run again as ${id}\n` +
    `its result: plugpool task ${id} here, plugpool-vehicle result ${id} on ${requester}`
  );
}
