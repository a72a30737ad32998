/** The program `plugpool`: the operator's commands. */
import { EXIT_FAILED, processContext } from './context.ts';
import { runCli } from './program.ts';

export function main(argv: readonly string[]): Promise<number> {
  // Whoever read the output, `head` for example, may leave before all of it is written.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return;
    process.stderr.write(`plugpool: standard output cannot be written to: ${error.message}\n`);
    process.stderr.write(
      '  what to do: send it to where there is space; what the agent was asked to do may be done already\n',
    );
    process.exit(EXIT_FAILED);
  });
  return runCli(argv, processContext());
}
