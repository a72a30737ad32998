/** `plugpool cancel ID`: ends a task; its requester is told. */
import type { Command } from 'commander';
import { taskId } from './options.ts';
import { answerFrom, showUsageOnError, withCommon, type CliProgram, type CommonFlags } from './verb.ts';

export function addCancel(program: Command, cli: CliProgram): void {
  const command = withCommon(program.command('cancel'))
    .description('end a task; its requester is told')
    .argument('<id>', 'the task', taskId);
  showUsageOnError(command).action((id: string, flags: CommonFlags) =>
    answerFrom(cli, flags, async (agent) => {
      const document = (await agent.ask('cancel', { taskId: id })) as object;
      return { document, page: () => `task ${id} is cancelled` };
    }),
  );
}
