/** What came of the demo, for a person: the tasks, the ledger, and what to try next. */
import { styleText } from 'node:util';
import type { TaskRow } from './workload.ts';

export interface Summary {
  readonly ok: boolean;
  readonly tasks: readonly TaskRow[];
  readonly donors: readonly { readonly vehicleId: string; readonly cpuModel: string | null }[];
  readonly ledger: Ledger;
  /** Tasks that lost a donor and went on elsewhere. */
  readonly moved: number;
  /** Tasks whose result both vehicles returned: nobody had reason yet to believe one alone. */
  readonly confirmed: number;
}

export interface Ledger {
  readonly balanced: boolean;
  readonly bookings: number;
  readonly accounts: readonly { readonly account: string; readonly balanceMncs: number }[];
}

const NEXT = `
What to try next, each in a terminal of its own:
  npm run plugpool-agent -- --data-dir ./data                      the pile, with firmware that you play
  npm run plugpool -- firmware charge --connector 1 --vehicle my-car --data-dir ./data
  npm run plugpool-vehicle -- donate --agent mqtt://127.0.0.1:1883 --vehicle my-car
  npm run plugpool -- status --data-dir ./data
The README goes on from there.
`;

export function printSummary(summary: Summary, out: NodeJS.WriteStream): void {
  const green = (text: string): string => styleText('green', text, { stream: out });
  const red = (text: string): string => styleText('red', text, { stream: out });
  const rows = summary.tasks.map((task) => [
    task.id,
    task.algorithm,
    task.requester,
    task.donor,
    String(task.attempts),
    task.outputMatches ? 'as expected' : `WRONG: ${task.state} ${task.detail}`,
    `${(task.ms / 1000).toFixed(1)} s`,
  ]);
  const header = ['task', 'algorithm', 'requester', 'donor', 'attempts', 'output', 'time'];
  out.write(`\n${table([header, ...rows])}\n`);
  const accounts = summary.ledger.accounts.map(({ account, balanceMncs }) => [
    account,
    `${balanceMncs >= 0 ? '+' : ''}${(balanceMncs / 1000).toFixed(3)}`,
  ]);
  out.write(`\n${table([['ledger account', 'normalised core-seconds'], ...accounts])}\n`);
  const { balanced, bookings } = summary.ledger;
  out.write(`${bookings} bookings, ${balanced ? green('debits equal credits') : red('OUT OF BALANCE')}\n`);
  out.write(
    `${summary.moved} of ${summary.tasks.length} tasks lost their donor and finished all the same; ` +
      `${summary.confirmed} were run on both vehicles, which returned the same\n`,
  );
  out.write(
    summary.ok ? `${green('All outputs are the expected ones.')}\n` : `${red('Something is wrong.')}\n`,
  );
  out.write(NEXT);
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
