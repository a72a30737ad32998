/** `plugpool credits [list | export | verify]`: what each stay earned, as records that others can check. */
import type { Command } from 'commander';
import type { CreditView } from '../credits/credit-view.ts';
import { addCreditsExport } from './credits-export.ts';
import { addCreditsVerify } from './credits-verify.ts';
import { amountInWords } from './money-words.ts';
import { signedCredits } from './signed-credits.ts';
import { table, type Cell, type Column } from './table.ts';
import { refuseNoTime, withTimeSpan, type TimeSpan } from './time-span.ts';
import {
  answerFrom,
  showUsageOnError,
  showVerbsOnError,
  withCommon,
  type CliProgram,
  type CommonFlags,
} from './verb.ts';
import { timeInWords } from './words.ts';

export function addCredits(program: Command, cli: CliProgram): void {
  const group = program
    .command('credits')
    .description('what each stay of a vehicle earned, as signed records');
  addList(group, cli);
  addCreditsExport(group, cli);
  addCreditsVerify(group, cli);
  showVerbsOnError(group);
}

function addList(group: Command, cli: CliProgram): void {
  const command = withTimeSpan(withCommon(group.command('list'))).description(
    'the records of stays that ended in a time, and whether they are with the back office',
  );
  showUsageOnError(command).action((flags: CommonFlags & TimeSpan) => {
    refuseNoTime(flags);
    return answerFrom(cli, flags, async (agent) => {
      const credits: CreditView[] = [];
      for await (const page of signedCredits(agent, flags)) credits.push(...page.map(({ view }) => view));
      const page = credits.length === 0 ? () => NONE : undefined;
      return { document: { credits }, page: page ?? ((paint) => table(COLUMNS, credits, paint)) };
    });
  });
}

const NONE =
  'no record of a stay that ended then; one is made when a vehicle that lent has left, where the configuration has ' +
  'credits: keep or send (docs/credits.md)';

const COLUMNS: readonly Column<CreditView>[] = [
  { heading: 'RECORD', cell: ({ id }) => id },
  { heading: 'CONNECTOR', cell: ({ connectorId }) => connectorId },
  { heading: 'VEHICLE', cell: ({ vehicleId }) => vehicleId },
  { heading: 'LEFT', cell: ({ endedWallMs }) => timeInWords(endedWallMs) },
  { heading: 'CPU', align: 'right', cell: ({ cpuMncs }) => amountInWords(cpuMncs, 'cpuMncs') },
  {
    heading: 'GPU',
    align: 'right',
    cell: ({ gpuMncs }) => (gpuMncs === 0 ? '-' : amountInWords(gpuMncs, 'gpuMncs')),
  },
  { heading: 'ENERGY', align: 'right', cell: ({ energyMwh }) => amountInWords(energyMwh, 'mWh') },
  { heading: 'MONEY', align: 'right', cell: moneyInWords },
  { heading: 'BACK OFFICE', cell: sendingInWords },
];

function moneyInWords({ money }: CreditView): string {
  if (money.length === 0) return '-';
  return money.map(({ currency, micros }) => amountInWords(micros, `${currency}e-6`)).join(', ');
}

function sendingInWords({ sending: { state, tries, code } }: CreditView): Cell {
  switch (state) {
    case 'accepted':
      return { text: 'has it', colour: 'green' };
    case 'waiting':
      return {
        text: tries === 0 ? 'is asked' : `is asked again (${tries} tries: ${code ?? ''})`,
        colour: 'yellow',
      };
    case 'refused':
      return { text: `does not take it: ${code ?? ''}`, colour: 'red' };
    case 'given_up':
      return { text: `given up: ${code ?? ''}`, colour: 'red' };
    default:
      return { text: 'not sent' };
  }
}
