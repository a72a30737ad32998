/** `plugpool ledger`: who gave what to whom, and whether it adds up. */
import type { Command } from 'commander';
import type { LedgerView } from '../control-views.ts';
import type { Paint } from './context.ts';
import { table, type Column } from './table.ts';
import { answerFrom, showUsageOnError, withCommon, type CliProgram, type CommonFlags } from './verb.ts';
import { amountInWords } from './words.ts';

export function addLedger(program: Command, cli: CliProgram): void {
  const command = withCommon(program.command('ledger')).description(
    'balances, and whether debits equal credits',
  );
  showUsageOnError(command).action((flags: CommonFlags) =>
    answerFrom(cli, flags, async (agent) => {
      const ledger = (await agent.ask('ledger')) as LedgerView;
      return { document: ledger, page: (paint) => ledgerPage(ledger, paint), failed: !ledger.balanced };
    }),
  );
}

function ledgerPage(ledger: LedgerView, paint: Paint): string {
  const verdict = ledger.balanced
    ? paint('green', `balanced: debits equal credits in all ${ledger.bookings} bookings`)
    : paint('red', `NOT balanced: debits and credits of ${ledger.bookings} bookings differ`);
  return ledger.balances.length === 0 ? verdict : `${table(COLUMNS, ledger.balances, paint)}\n\n${verdict}`;
}

const COLUMNS: readonly Column<LedgerView['balances'][number]>[] = [
  { heading: 'ACCOUNT', cell: ({ account }) => account },
  { heading: 'GAVE', align: 'right', cell: ({ credited, unit }) => amountInWords(credited, unit) },
  { heading: 'TOOK', align: 'right', cell: ({ debited, unit }) => amountInWords(debited, unit) },
  { heading: 'BALANCE', align: 'right', cell: ({ balance, unit }) => amountInWords(balance, unit) },
];
