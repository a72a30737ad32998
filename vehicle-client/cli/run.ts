/** `run`: asks for one task, watches it, stores its output. */
import { InvalidArgumentError, type Command } from 'commander';
import { DURATION_MS_MAX } from '@plugpool/proto';
import { PlugpoolError } from '../errors.ts';
import type { RequestOptions } from '../request-body.ts';
import type { RequestedTask, TaskResult } from '../requested-task.ts';
import { connect, readInput } from './asking.ts';
import { EXIT_DONE, EXIT_FAILED, sayError, sayJson, type CliContext } from './context.ts';
import { withPile, type CommonFlags } from './options.ts';
import { ProgressLine } from './progress-line.ts';
import { checkOutputs, outputJson, outputPath, writeOutputs } from './task-outputs.ts';
import { withWants, wantsOf, type WantFlags } from './want-flags.ts';
import { describeDuration } from './words.ts';

export interface OutputFlags extends CommonFlags {
  readonly output: string;
}

interface RunFlags extends OutputFlags, WantFlags {
  readonly input?: string;
  readonly deadlineS?: number;
  readonly type?: true;
}

export function addRun(program: Command, context: CliContext, finish: (code: number) => void): void {
  const command = withPile(program.command('run'))
    .description('run an algorithm on a vehicle that lends, and store its output')
    .argument('<algorithm>', 'id, id@version, or with --type a type such as "route-plan"')
    .argument('[args...]', 'arguments for the program, after "--"')
    .option('--type', 'the name is a type: the pile chooses the algorithm')
    .option(
      '--input <file>',
      'what the program reads from standard input; "-" is this one (default: nothing)',
    )
    .option(
      '--output <file>',
      'where its standard output goes; "-" is this one; of several instances FILE.0, FILE.1 …',
      '-',
    )
    .option(
      '--deadline-s <seconds>',
      "give up after so long (default: the pile's own, a day unless its operator says otherwise)",
      parseSeconds,
    );
  withWants(command).action(async (name: string, args: string[], flags: RunFlags) =>
    finish(await run(context, name, args, flags)),
  );
}

async function run(
  context: CliContext,
  name: string,
  args: readonly string[],
  flags: RunFlags,
): Promise<number> {
  const input = flags.input === undefined ? new Uint8Array() : await readInput(context, flags.input);
  const request: RequestOptions = {
    ...selectorOf(name, flags.type === true),
    args,
    input,
    ...(flags.deadlineS === undefined ? {} : { deadlineS: flags.deadlineS }),
    ...wantsOf(flags),
  };
  await checkPlace(flags);
  const startedMonoMs = performance.now();
  const client = await connect(context, flags);
  let isLeaving = false;
  let task: RequestedTask | undefined;
  const stopListening = context.onInterrupt(() => {
    if (isLeaving) context.exitNow(EXIT_FAILED);
    isLeaving = true;
    context.stderr.write(
      task === undefined
        ? '\nleaving before the pile has answered; interrupt again to leave at once\n'
        : `\ncancelling ${task.taskId}; interrupt again to leave at once (the task then goes on)\n`,
    );
    if (task === undefined) void client.close();
    else void task.cancel();
  });
  try {
    task = await client.request(request);
    const result = await watch(context, task, flags.json === true);
    await store(context, result, flags, performance.now() - startedMonoMs);
    return EXIT_DONE;
  } catch (error) {
    const about =
      task === undefined ? {} : { taskId: task.taskId, requestId: task.requestId, state: task.state };
    return sayError(context, error, flags.json === true, about);
  } finally {
    stopListening();
    await client.close();
  }
}

async function checkPlace({ output, instances = 1, json }: RunFlags): Promise<void> {
  if (output !== '-' || instances === 1 || json === true) return checkOutputs(output, instances);
  throw new PlugpoolError({
    code: 'usage',
    message: `${instances} instances give ${instances} outputs, and standard output takes one`,
    hint: 'add --output FILE, which gives FILE.0, FILE.1 and so on, or --json',
    retryable: false,
  });
}

async function watch(context: CliContext, task: RequestedTask, isJson: boolean): Promise<TaskResult> {
  const line = new ProgressLine(context.stderr, !isJson && context.stderr.isTTY === true);
  try {
    for await (const event of task) line.show(event);
  } finally {
    line.end();
  }
  return task.result;
}

/** Writes the output and only then acknowledges: until then the pile keeps it. */
export async function store(
  context: CliContext,
  result: TaskResult,
  flags: OutputFlags,
  ms?: number,
): Promise<void> {
  const isInDocument = flags.json === true && flags.output === '-';
  if (!isInDocument) await writeOutputs(context, flags.output, result);
  if (flags.json === true) sayJson(context, resultJson(result, flags.output, ms));
  result.acknowledge();
  if (flags.json === true || context.stderr.isTTY !== true) return;
  const took = ms === undefined ? '' : `in ${describeDuration(ms)}, `;
  const bytes = result.outputs.map((output) => output.length).join(' + ');
  const alike = result.agreeing > 1 ? `, ${result.agreeing} owners' vehicles agree` : '';
  context.stderr.write(`${result.taskId} done ${took}by ${result.donor}, ${bytes} bytes${alike}\n`);
}

function resultJson(result: TaskResult, output: string, ms: number | undefined): object {
  const { outputs, taskId, donor, attempts, algorithmId, algorithmVersion, used } = result;
  const told = outputs.map((bytes, index) =>
    outputJson(bytes, output === '-' ? undefined : outputPath(output, index, outputs.length)),
  );
  return {
    ok: true,
    taskId,
    state: 'completed',
    algorithm: algorithmId,
    version: algorithmVersion,
    donor,
    attempts,
    ...(ms === undefined ? {} : { ms: Math.round(ms) }),
    used: used ?? null,
    chargedMncs: result.chargedMncs,
    agreeing: result.agreeing,
    ...told[0],
    outputs: told.length > 1 ? told : null,
  };
}

function selectorOf(name: string, isType: boolean): Pick<RequestOptions, 'type' | 'algorithm' | 'version'> {
  const at = name.indexOf('@');
  if (isType) {
    if (at < 0) return { type: name };
    const hint = 'leave the version out, or name an algorithm without --type';
    throw new PlugpoolError({
      code: 'usage',
      message: `"${name}": a type has no version`,
      hint,
      retryable: false,
    });
  }
  return at < 0 ? { algorithm: name } : { algorithm: name.slice(0, at), version: name.slice(at + 1) };
}

/** A pile may allow less. */
const DEADLINE_S_MAX = DURATION_MS_MAX / 1000;

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() !== '' && seconds > 0 && seconds <= DEADLINE_S_MAX) return seconds;
  throw new InvalidArgumentError(`It must be a number of seconds above 0, at most ${DEADLINE_S_MAX}.`);
}
