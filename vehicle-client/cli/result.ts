/** `result`: fetches the output of a task that this vehicle asked for, in this run or an earlier one. */
import type { Command } from 'commander';
import { connect } from './asking.ts';
import { EXIT_DONE, sayError, type CliContext } from './context.ts';
import { withPile } from './options.ts';
import { store, type OutputFlags } from './run.ts';
import { checkOutputs } from './task-outputs.ts';

export function addResult(program: Command, context: CliContext, finish: (code: number) => void): void {
  withPile(program.command('result'))
    .description("store a task's output; waits for it where the task still runs")
    .argument('<task>', 'as "tasks" lists it')
    .option(
      '--output <file>',
      'where the output goes; "-" is standard output; of several parts FILE.0, FILE.1 …',
      '-',
    )
    .action(async (taskId: string, flags: OutputFlags) => finish(await result(context, taskId, flags)));
}

async function result(context: CliContext, taskId: string, flags: OutputFlags): Promise<number> {
  await checkOutputs(flags.output);
  const client = await connect(context, flags);
  const stopListening = context.onInterrupt(() => void client.close());
  try {
    await store(context, await client.result(taskId), flags);
    return EXIT_DONE;
  } catch (error) {
    return sayError(context, error, flags.json === true, { taskId });
  } finally {
    stopListening();
    await client.close();
  }
}
