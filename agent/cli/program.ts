/** The command line of `plugpool`: which verbs there are, and what each way of ending means. */
import { Command, CommanderError } from 'commander';
import { AGENT_VERSION } from '../version.ts';
import { addAlgorithms } from './algorithms.ts';
import { addBackup } from './backup.ts';
import { addCap } from './cap.ts';
import { addBind, addBindings, addUnbind } from './bind.ts';
import { addCancel } from './cancel.ts';
import { addConfig } from './config-check.ts';
import { addConnectors } from './connectors.ts';
import { EXIT_DONE, EXIT_USAGE, sayError, sayJson, type CliContext } from './context.ts';
import { addCredits } from './credits.ts';
import { addDrain, addResume } from './drain.ts';
import { addExplain } from './explain.ts';
import { addFirmware } from './firmware.ts';
import { addLedger } from './ledger.ts';
import { addPools } from './pools.ts';
import { addRestore } from './restore.ts';
import { addRetry } from './retry.ts';
import { addStatus } from './status.ts';
import { addTask } from './task.ts';
import { addTasks } from './tasks.ts';
import { addTokens } from './tokens.ts';
import { addTrust } from './trust.ts';
import { addVehicles } from './vehicles.ts';
import type { CliProgram } from './verb.ts';

const VERBS: readonly ((program: Command, cli: CliProgram) => void)[] = [
  addStatus,
  addVehicles,
  addConnectors,
  addBind,
  addBindings,
  addUnbind,
  addTasks,
  addTask,
  addCancel,
  addRetry,
  addExplain,
  addLedger,
  addCredits,
  addAlgorithms,
  addPools,
  addTrust,
  addDrain,
  addResume,
  addFirmware,
  addCap,
  addTokens,
  addBackup,
  addRestore,
  addConfig,
];

/** Gives the exit code: 0 done, 1 failed, 2 wrong usage. */
export async function runCli(argv: readonly string[], context: CliContext): Promise<number> {
  const isJson = argv.includes('--json');
  let exitCode = EXIT_DONE;
  const program = newProgram({ context, finish: (code) => (exitCode = code) });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return usageOutcome(context, error, isJson);
    return sayError(context, error, isJson);
  }
}

function newProgram(cli: CliProgram): Command {
  const { stdout, stderr } = cli.context;
  const program = new Command('plugpool')
    .description('Operates the agent of a charging pile, over the control socket in its data directory.')
    .version(AGENT_VERSION)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error:/, 'plugpool:')),
    })
    .showHelpAfterError('usage: plugpool <command> [options]; "plugpool --help" lists the commands\n')
    // `--version` belongs to the program before a command, and to the algorithm after one.
    .enablePositionalOptions();
  for (const add of VERBS) add(program, cli);
  return program;
}

/** Commander has written its message to standard error already. */
function usageOutcome(context: CliContext, error: CommanderError, isJson: boolean): number {
  if (error.exitCode === 0) return EXIT_DONE;
  const message = error.message.replace(/^error: /, '');
  if (isJson)
    sayJson(context, {
      ok: false,
      error: { code: 'usage', message, hint: 'add --help to see what it takes' },
    });
  return EXIT_USAGE;
}
