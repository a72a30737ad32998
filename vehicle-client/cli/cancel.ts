/** `cancel`: takes a task back. */
import type { Command } from 'commander';
import { connect } from './asking.ts';
import { EXIT_DONE, EXIT_FAILED, sayError, sayJson, type CliContext } from './context.ts';
import { withPile, type CommonFlags } from './options.ts';

export function addCancel(program: Command, context: CliContext, finish: (code: number) => void): void {
  withPile(program.command('cancel'))
    .description('cancel a task of this vehicle')
    .argument('<task>', 'as "tasks" lists it')
    .action(async (taskId: string, flags: CommonFlags) => finish(await cancel(context, taskId, flags)));
}

async function cancel(context: CliContext, taskId: string, flags: CommonFlags): Promise<number> {
  const client = await connect(context, flags);
  try {
    const { state } = await client.cancel(taskId);
    const isCancelled = state === 'cancelled';
    if (flags.json === true) sayJson(context, { ok: isCancelled, taskId, state });
    const words = isCancelled
      ? `${taskId} is cancelled`
      : `${taskId} could not be cancelled: it is ${state} already`;
    if (flags.json !== true || !isCancelled) context.stderr.write(`${words}\n`);
    return isCancelled ? EXIT_DONE : EXIT_FAILED;
  } catch (error) {
    return sayError(context, error, flags.json === true, { taskId });
  } finally {
    await client.close();
  }
}
