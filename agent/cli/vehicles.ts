/** `plugpool vehicles`: who lends what, who asks, and why somebody does not lend. */
import type { Command } from 'commander';
import type { VehicleView } from '../core/views.ts';
import { table, type Column } from './table.ts';
import { answerFrom, showUsageOnError, withCommon, type CliProgram, type CommonFlags } from './verb.ts';
import { coresInWords, durationInWords, ineligibleInWords, percentInWords, phaseInWords } from './words.ts';

export function addVehicles(program: Command, cli: CliProgram): void {
  const command = withCommon(program.command('vehicles')).description('the vehicles that lend or ask');
  showUsageOnError(command).action((flags: CommonFlags) =>
    answerFrom(cli, flags, async (agent) => {
      const vehicles = (await agent.ask('vehicles')) as VehicleView[];
      const page = vehicles.length === 0 ? () => 'no vehicle is known' : undefined;
      return { document: { vehicles }, page: page ?? ((paint) => table(COLUMNS, vehicles, paint)) };
    }),
  );
}

const COLUMNS: readonly Column<VehicleView>[] = [
  { heading: 'VEHICLE', cell: (vehicle) => vehicle.vehicleId },
  { heading: 'STATE', cell: (vehicle) => phaseInWords(vehicle.phase) },
  { heading: 'CONNECTOR', cell: (vehicle) => vehicle.connectorId ?? '-' },
  { heading: 'CORES FREE', align: 'right', cell: (vehicle) => freeOf(vehicle, coresOf) },
  { heading: 'MIB FREE', align: 'right', cell: (vehicle) => freeOf(vehicle, (c) => String(c.memoryMib)) },
  { heading: 'GPU FREE', align: 'right', cell: gpuFree },
  {
    heading: 'SPEED',
    align: 'right',
    cell: ({ speedMillis }) => (speedMillis === null ? '-' : (speedMillis / 1000).toFixed(2)),
  },
  { heading: 'RUNS', align: 'right', cell: (vehicle) => String(vehicle.runs.length) },
  { heading: 'ASKED', align: 'right', cell: (vehicle) => String(vehicle.openTasks) },
  {
    heading: 'LEAVES IN',
    align: 'right',
    cell: ({ departureInMs }) =>
      departureInMs === null ? '-' : departureInMs <= 0 ? 'now' : durationInWords(departureInMs),
  },
  { heading: 'STAYS 10 MIN / 1 H', align: 'right', cell: staysInWords },
  { heading: 'BELIEVED', align: 'right', cell: believed },
  { heading: 'WHY NOT', cell: whyNot },
];

/** Of how many algorithms that it was tried with its results are. */
function believed({ trust: { believed: of, tried, outvoted } }: VehicleView): string {
  if (tried === 0) return outvoted > 0 ? 'no, it lied' : '-';
  return `${of} of ${tried}`;
}

/** How likely. */
function staysInWords({ stay }: VehicleView): string {
  if (stay === null) return '-';
  const { tenMinutesMillis, hourMillis, medianMs } = stay;
  return `${percentInWords(tenMinutesMillis)} / ${percentInWords(hourMillis)}, median ${durationInWords(medianMs)}`;
}

function coresOf({ cpuMillicores }: VehicleView['free']): string {
  return coresInWords(cpuMillicores);
}

function freeOf(
  { phase, free, lendable }: VehicleView,
  show: (capacity: VehicleView['free']) => string,
): string {
  return phase === 'asks' ? '-' : `${show(free)} of ${show(lendable)}`;
}

function gpuFree({ free, lendable }: VehicleView): string {
  if (lendable.gpus.length === 0) return '-';
  const sum = (gpus: VehicleView['free']['gpus']): number =>
    gpus.reduce((total, gpu) => total + gpu.shareMillis, 0);
  return `${percentInWords(sum(free.gpus))} of ${percentInWords(sum(lendable.gpus))}`;
}

function whyNot({ phase, ineligible, policy }: VehicleView): string {
  if (phase === 'asks' || ineligible === null) return '';
  const words = ineligibleInWords(ineligible);
  return ineligible === 'policy_not_lending' && policy !== null && policy !== ''
    ? `${words}: ${policy}`
    : words;
}
