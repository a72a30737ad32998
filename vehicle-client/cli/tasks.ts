/** `tasks`: what the pile knows of this vehicle's tasks. */
import type { Command } from 'commander';
import { connect } from './asking.ts';
import { EXIT_DONE, sayJson, table, type CliContext } from './context.ts';
import { withPile, type CommonFlags } from './options.ts';
import { describeReason } from './words.ts';

export function addTasks(program: Command, context: CliContext, finish: (code: number) => void): void {
  withPile(program.command('tasks'))
    .description("this vehicle's tasks that wait, run, or were not fetched yet")
    .action(async (flags: CommonFlags) => finish(await tasks(context, flags)));
}

async function tasks(context: CliContext, flags: CommonFlags): Promise<number> {
  const client = await connect(context, flags);
  try {
    const report = await client.tasks();
    if (flags.json === true) {
      sayJson(context, { ok: true, ...report });
      return EXIT_DONE;
    }
    const rows = report.tasks.map((task) => [
      task.taskId,
      task.algorithmId,
      task.state,
      String(task.attempts),
      `${Math.round(task.progressPermille / 10)} %`,
      describeReason(task.reason),
    ]);
    const text =
      rows.length === 0
        ? 'no tasks'
        : table(['TASK', 'ALGORITHM', 'STATE', 'ATTEMPTS', 'PROGRESS', 'REASON'], rows);
    context.stdout.write(
      `${text}\n${report.truncated ? 'there are more than the pile lists at once\n' : ''}`,
    );
    return EXIT_DONE;
  } finally {
    await client.close();
  }
}
