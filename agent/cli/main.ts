/** The program `plugpool`: the operator's commands. */
import { processContext } from './context.ts';
import { runCli } from './program.ts';

export function main(argv: readonly string[]): Promise<number> {
  // Whoever read the output, `head` for example, may leave before all of it is written.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  return runCli(argv, processContext());
}
