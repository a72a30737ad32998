/** The program `plugpool-vehicle`: reads the command line, runs one command, gives the exit code (0 done, 1 failed, 2 wrong usage). */
import { Command, CommanderError } from 'commander';
import { PlugpoolError } from '../errors.ts';
import { CLIENT_VERSION } from '../version.ts';
import { addCancel } from './cancel.ts';
import { EXIT_DONE, EXIT_USAGE, processContext, sayError, sayJson, type CliContext } from './context.ts';
import { addControl } from './control.ts';
import { addDonate } from './donate.ts';
import { addEarnings } from './earnings.ts';
import { addExplain } from './explain.ts';
import { addResult } from './result.ts';
import { addRun } from './run.ts';
import { addTasks } from './tasks.ts';

/** What a command gives back to the command line. */
export type Finish = (code: number) => void;

export async function main(argv: readonly string[], context: CliContext = processContext()): Promise<number> {
  const end = argv.indexOf('--');
  const isJson = argv.slice(0, end < 0 ? argv.length : end).includes('--json');
  let exitCode = EXIT_DONE;
  const program = newProgram(context, (code) => (exitCode = code));
  if (argv.length === 0) {
    program.outputHelp({ error: true });
    return EXIT_USAGE;
  }
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return usageOutcome(context, error, isJson);
    return sayError(context, error, isJson);
  }
}

function newProgram(context: CliContext, finish: Finish): Command {
  const program = new Command('plugpool-vehicle')
    .description("Lends this vehicle's idle computing power while it charges, or asks for another's")
    .version(CLIENT_VERSION)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void context.stdout.write(text),
      writeErr: (text) => void context.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error:/, 'plugpool-vehicle:')),
    })
    .showHelpAfterError('  what to do: add --help to see what the command takes')
    .enablePositionalOptions();
  for (const add of [addDonate, addControl, addRun, addTasks, addExplain, addEarnings, addResult, addCancel])
    add(program, context, finish);
  return program;
}

/** Commander has written its message to standard error already. */
function usageOutcome(context: CliContext, error: CommanderError, isJson: boolean): number {
  if (error.exitCode === 0) return EXIT_DONE;
  if (isJson) {
    const { code, message, hint, retryable } = new PlugpoolError({
      code: 'usage',
      message: error.message.replace(/^error: /, ''),
      hint: 'add --help to see what the command takes',
      retryable: false,
    });
    sayJson(context, { ok: false, error: { code, message, hint, retryable, reasons: [] } });
  }
  return EXIT_USAGE;
}
