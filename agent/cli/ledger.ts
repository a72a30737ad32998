/** `plugpool ledger`: who gave what to whom, and whether it adds up. */
import type { Command } from 'commander';
import type { LedgerSummary } from '../core/records.ts';
import type { Paint } from './context.ts';
import { table, type Column } from './table.ts';
import { answerFrom, showUsageOnError, withCommon, type CliProgram, type CommonFlags } from './verb.ts';
import { coreSecondsInWords } from './words.ts';

export function addLedger(program: Command, cli: CliProgram): void {
  const command = withCommon(program.command('ledger')).description(
    'balances, and whether debits equal credits',
  );
  showUsageOnError(command).action((flags: CommonFlags) =>
    answerFrom(cli, flags, async (agent) => {
      const ledger = (await agent.ask('ledger')) as LedgerSummary;
      return { document: ledger, page: (paint) => ledgerPage(ledger, paint), failed: !ledger.balanced };
    }),
  );
}

function ledgerPage(ledger: LedgerSummary, paint: Paint): string {
  const verdict = ledger.balanced
    ? paint('green', `balanced: debits equal credits in all ${ledger.bookings} bookings`)
    : paint('red', `NOT balanced: debits and credits of ${ledger.bookings} bookings differ`);
  return ledger.accounts.length === 0 ? verdict : `${table(COLUMNS, ledger.accounts, paint)}\n\n${verdict}`;
}

const COLUMNS: readonly Column<LedgerSummary['accounts'][number]>[] = [
  { heading: 'ACCOUNT', cell: ({ account }) => account },
  { heading: 'GAVE', align: 'right', cell: (account) => coreSecondsInWords(account.creditedMncs) },
  { heading: 'TOOK', align: 'right', cell: (account) => coreSecondsInWords(account.debitedMncs) },
  {
    heading: 'BALANCE (CORE-SECONDS)',
    align: 'right',
    cell: (account) => coreSecondsInWords(account.balanceMncs),
  },
];
