/** `plugpool credits [list | export | verify]`: what each stay earned, as records that others can check. */
import type { Command } from 'commander';
import { moneyOf } from '../credits/credit-body.ts';
import { CPU, ENERGY, GPU, microsOf } from '../core/ledger/units.ts';
import type { Unit } from '../core/records.ts';
import { addCreditsExport } from './credits-export.ts';
import { addCreditsVerify } from './credits-verify.ts';
import { amountInWords } from './money-words.ts';
import { signedCredits, type SignedCredit } from './signed-credits.ts';
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
      for await (const page of signedCredits(agent, flags)) credits.push(...page.map(viewOf));
      const page = credits.length === 0 ? () => NONE : undefined;
      return { document: { credits }, page: page ?? ((paint) => table(COLUMNS, credits, paint)) };
    });
  });
}

const NONE = 'no stay has a record; credits: keep in the configuration makes them (docs/credits.md)';

export interface CreditView {
  readonly id: string;
  readonly connectorId: string;
  readonly vehicleId: string;
  readonly transactionId: string | null;
  readonly pluggedWallMs: number;
  readonly endedWallMs: number;
  readonly cpuMncs: number;
  readonly gpuMncs: number;
  readonly energyMwh: number;
  readonly money: readonly { readonly currency: string; readonly micros: number }[];
  readonly sending: {
    readonly state: string;
    readonly tries: number;
    readonly triedWallMs: number | null;
    readonly code: string | null;
    readonly detail: string | null;
  };
}

function viewOf({ credit, signed: { id } }: SignedCredit): CreditView {
  const { connectorId, vehicleId, transactionId, pluggedWallMs, ended, sending } = credit;
  const earned = (unit: Unit): number => credit.earned.find((each) => each.unit === unit)?.amount ?? 0;
  return {
    id,
    connectorId,
    vehicleId,
    transactionId: transactionId ?? null,
    pluggedWallMs,
    endedWallMs: ended.wallMs,
    cpuMncs: earned(CPU),
    gpuMncs: earned(GPU),
    energyMwh: earned(ENERGY),
    money: moneyOf(credit),
    sending: {
      state: sending.state,
      tries: sending.tries,
      triedWallMs: sending.triedWallMs ?? null,
      code: sending.code ?? null,
      detail: sending.detail ?? null,
    },
  };
}

const COLUMNS: readonly Column<CreditView>[] = [
  { heading: 'RECORD', cell: ({ id }) => id },
  { heading: 'CONNECTOR', cell: ({ connectorId }) => connectorId },
  { heading: 'VEHICLE', cell: ({ vehicleId }) => vehicleId },
  { heading: 'LEFT', cell: ({ endedWallMs }) => timeInWords(endedWallMs) },
  { heading: 'CPU', align: 'right', cell: ({ cpuMncs }) => amountInWords(cpuMncs, CPU) },
  {
    heading: 'GPU',
    align: 'right',
    cell: ({ gpuMncs }) => (gpuMncs === 0 ? '-' : amountInWords(gpuMncs, GPU)),
  },
  { heading: 'ENERGY', align: 'right', cell: ({ energyMwh }) => amountInWords(energyMwh, ENERGY) },
  { heading: 'MONEY', align: 'right', cell: moneyInWords },
  { heading: 'BACK OFFICE', cell: sendingInWords },
];

function moneyInWords({ money }: CreditView): string {
  if (money.length === 0) return '-';
  return money.map(({ currency, micros }) => amountInWords(micros, microsOf(currency))).join(', ');
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
