/** Hands the signals that ask this process to end to the child that does its work, so that none is left behind. */
import type { ChildProcess } from 'node:child_process';

export function forwardSignals(child: ChildProcess): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      // Ctrl-C at a terminal reaches the whole process group by itself.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
}
