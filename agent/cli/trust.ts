/** `plugpool trust [list] | reset VEHICLE`: whose results are believed without a second one, and why not. */
import type { Command } from 'commander';
import type { TrustView } from '../core/replicas/trust-book.ts';
import type { VehicleTrustView } from '../core/replicas/trust-view.ts';
import { vehicleId } from './options.ts';
import { table, type Cell, type Column } from './table.ts';
import {
  answerFrom,
  refuseUnknownVerb,
  showUsageOnError,
  withCommon,
  type CliProgram,
  type CommonFlags,
} from './verb.ts';
import { percentInWords } from './words.ts';

export function addTrust(program: Command, cli: CliProgram): void {
  const group = withCommon(program.command('trust')).description(
    'whose results are believed, and whose are not',
  );
  showUsageOnError(group.allowExcessArguments()).action(async (flags: CommonFlags) => {
    refuseUnknownVerb(group);
    await list(cli, flags);
  });
  const all = withCommon(group.command('list')).description(
    'all vehicles that were tried, as without a command',
  );
  showUsageOnError(all).action((flags: CommonFlags) => list(cli, flags));
  const reset = withCommon(group.command('reset'))
    .description('forget what is known of a vehicle, good and bad: its results are run twice again')
    .argument('<vehicle>', 'the vehicle id', vehicleId);
  showUsageOnError(reset).action((id: string, flags: CommonFlags) =>
    answerFrom(cli, flags, async (agent) => {
      const answer = (await agent.ask('resetTrust', { vehicleId: id })) as { readonly wasKnown: boolean };
      const page = () =>
        answer.wasKnown ? `what was known of ${id} is forgotten` : `nothing was known of ${id}`;
      return { document: { vehicleId: id, ...answer }, page };
    }),
  );
}

interface Row extends TrustView {
  readonly vehicleId: string;
  readonly outvoted: number;
}

async function list(cli: CliProgram, flags: CommonFlags): Promise<void> {
  await answerFrom(cli, flags, async (agent) => {
    const vehicles = (await agent.ask('trust')) as VehicleTrustView[];
    const page = vehicles.length === 0 ? () => 'no vehicle was tried yet' : undefined;
    return {
      document: { vehicles },
      page: page ?? ((paint) => table(COLUMNS, vehicles.flatMap(rowsOf), paint)),
    };
  });
}

const NOTHING: TrustView = { algorithm: '-', agreed: 0, needed: 0, state: 'untried', checkedMillis: 1000 };

/** One that was outvoted is believed in nothing. */
function rowsOf({ vehicleId: id, outvoted, algorithms }: VehicleTrustView): Row[] {
  const known = algorithms.length === 0 ? [NOTHING] : algorithms;
  return known.map((one) => ({ vehicleId: id, outvoted, ...one }));
}

const COLUMNS: readonly Column<Row>[] = [
  { heading: 'VEHICLE', cell: (row) => row.vehicleId },
  { heading: 'ALGORITHM', cell: ({ algorithm }) => algorithm },
  { heading: 'RESULTS', cell: believed },
  { heading: 'AGREED', align: 'right', cell: ({ agreed }) => String(agreed) },
  { heading: 'NEEDED', align: 'right', cell: ({ needed }) => (needed === 0 ? '-' : String(needed)) },
  { heading: 'RUN TWICE', align: 'right', cell: ({ checkedMillis }) => percentInWords(checkedMillis) },
  { heading: 'OUTVOTED', align: 'right', cell: ({ outvoted }) => String(outvoted) },
];

function believed({ state }: Row): Cell {
  switch (state) {
    case 'believed':
      return { text: 'believed', colour: 'green' };
    case 'suspended':
      return { text: 'disputed', colour: 'yellow' };
    case 'untried':
      return { text: 'run twice', colour: 'gray' };
  }
}
