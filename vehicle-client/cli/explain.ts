/** `explain`: why a task of this vehicle waits, and what would make it run. */
import type { Command } from 'commander';
import type { StatusEntry, WaitExplanation } from '@plugpool/proto';
import { connect } from './asking.ts';
import { EXIT_DONE, sayError, sayJson, table, type CliContext } from './context.ts';
import { withPile, type CommonFlags } from './options.ts';
import { describeDuration, describeReason, printable } from './words.ts';

export function addExplain(program: Command, context: CliContext, finish: (code: number) => void): void {
  withPile(program.command('explain'))
    .description('why a task waits, when it may start, and what would make it run')
    .argument('<task>', 'as "tasks" lists it')
    .action(async (taskId: string, flags: CommonFlags) => finish(await explain(context, taskId, flags)));
}

async function explain(context: CliContext, taskId: string, flags: CommonFlags): Promise<number> {
  const client = await connect(context, flags);
  try {
    const entry = await client.explain(taskId);
    if (flags.json === true) sayJson(context, explainJson(entry));
    else context.stdout.write(`${printable(describeEntry(entry))}\n`);
    return EXIT_DONE;
  } catch (error) {
    return sayError(context, error, flags.json === true, { taskId });
  } finally {
    await client.close();
  }
}

/** The document of `explain --json`; docs/cli-json.md describes it. */
function explainJson({ taskId, algorithmId, state, reason, explanation }: StatusEntry): object {
  return {
    ok: true,
    taskId,
    algorithm: algorithmId,
    state,
    reason,
    explanation:
      explanation === undefined ? null : { ...explanation, startInMs: explanation.startInMs ?? null },
  };
}

export function describeEntry({ taskId, algorithmId, state, reason, explanation }: StatusEntry): string {
  const title = `${taskId}  ${algorithmId}  ${state}`;
  if (explanation !== undefined) return `${title}: ${describeWait(explanation)}`;
  return `${title}${reason === '' ? '' : ` (${describeReason(reason)})`}: it does not wait`;
}

function describeWait({ summary, place, startInMs, wouldRun, obstacles }: WaitExplanation): string {
  const lines = [
    summary,
    `place in the line: ${place}${place === 1 ? ', the next' : ''}`,
    `may start: ${startInMs === undefined ? 'not to be estimated' : `in about ${describeDuration(startInMs)}`}`,
  ];
  if (wouldRun.length > 0)
    lines.push('what would make it run:', ...wouldRun.map((sentence) => `  - ${sentence}`));
  if (obstacles.length === 0) return lines.join('\n');
  const rows = obstacles.map(({ test, donors }) => [test.replaceAll('_', ' '), String(donors)]);
  return `${lines.join('\n')}\n\n${table(['WHAT STANDS IN THE WAY', 'DONORS'], rows)}`;
}
