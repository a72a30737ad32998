/** `plugpool ledger [balance | verify | head | export | settle]`: who gave what to whom, and whether it adds up. */
import type { Command } from 'commander';
import type { LedgerView } from '../control-views.ts';
import { CliError, type Paint } from './context.ts';
import { addLedgerExport } from './ledger-export.ts';
import { addLedgerHead } from './ledger-head.ts';
import { addLedgerVerify } from './ledger-verify.ts';
import { table, type Column } from './table.ts';
import {
  answerFrom,
  refuseUnknownVerb,
  showUsageOnError,
  withCommon,
  type CliProgram,
  type CommonFlags,
} from './verb.ts';
import { amountInWords } from './money-words.ts';
import { counted } from './words.ts';

type Balance = LedgerView['balances'][number];

export function addLedger(program: Command, cli: CliProgram): void {
  const group = withCommon(program.command('ledger')).description(
    'balances, and whether debits equal credits',
  );
  showUsageOnError(group.allowExcessArguments()).action((flags: CommonFlags) => {
    refuseUnknownVerb(group);
    return showAll(cli, flags);
  });
  addBalance(group, cli);
  addLedgerVerify(group, cli);
  addLedgerHead(group, cli);
  addLedgerExport(group, cli);
  addSettle(group, cli);
}

function showAll(cli: CliProgram, flags: CommonFlags): Promise<void> {
  return answerFrom(cli, flags, async (agent) => {
    const ledger = (await agent.ask('ledger')) as LedgerView;
    return { document: ledger, page: (paint) => ledgerPage(ledger, paint), failed: !ledger.balanced };
  });
}

interface BalanceFlags extends CommonFlags {
  readonly account?: string;
}

function addBalance(group: Command, cli: CliProgram): void {
  const command = withCommon(group.command('balance'))
    .description('balances in every unit')
    .option('--account <name>', 'of this account alone, as vehicle:car-a, fleet:north or operator');
  showUsageOnError(command).action((flags: BalanceFlags) =>
    answerFrom(cli, flags, async (agent) => {
      const { balances } = (await agent.ask('ledger')) as LedgerView;
      const of = balances.filter(({ account }) => flags.account === undefined || account === flags.account);
      if (flags.account !== undefined && of.length === 0) throw unknownAccount(flags.account);
      const none = 'nothing was booked yet';
      return {
        document: { balances: of },
        page: (paint) => (of.length === 0 ? none : table(COLUMNS, of, paint)),
      };
    }),
  );
}

function unknownAccount(account: string): CliError {
  return new CliError(
    'account_unknown',
    `nothing was ever booked on ${account}`,
    '"plugpool ledger balance" lists the accounts',
  );
}

function addSettle(group: Command, cli: CliProgram): void {
  const command = withCommon(group.command('settle')).description(
    'make whole cents of what has accrued, now; it is done each night',
  );
  showUsageOnError(command).action((flags: CommonFlags) =>
    answerFrom(cli, flags, async (agent) => {
      const settled = (await agent.ask('settleLedger')) as { readonly accounts: number };
      const page = `settled ${counted(settled.accounts, 'account')}`;
      return { document: settled, page: () => page };
    }),
  );
}

function ledgerPage(ledger: LedgerView, paint: Paint): string {
  const verdict = ledger.balanced
    ? paint('green', `balanced: debits equal credits in all ${ledger.bookings} bookings`)
    : paint('red', `NOT balanced: debits and credits of ${ledger.bookings} bookings differ`);
  return ledger.balances.length === 0 ? verdict : `${table(COLUMNS, ledger.balances, paint)}\n\n${verdict}`;
}

const COLUMNS: readonly Column<Balance>[] = [
  { heading: 'ACCOUNT', cell: ({ account }) => account },
  { heading: 'GAVE', align: 'right', cell: ({ credited, unit }) => amountInWords(credited, unit) },
  { heading: 'TOOK', align: 'right', cell: ({ debited, unit }) => amountInWords(debited, unit) },
  { heading: 'BALANCE', align: 'right', cell: ({ balance, unit }) => amountInWords(balance, unit) },
];
