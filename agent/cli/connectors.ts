/** `plugpool connectors`: what the firmware says of each connector. */
import type { Command } from 'commander';
import type { ConnectorView } from '../core/views.ts';
import { table, type Cell, type Column } from './table.ts';
import { answerFrom, showUsageOnError, withCommon, type CliProgram, type CommonFlags } from './verb.ts';
import {
  capAnswerInWords,
  durationInWords,
  kilowattsInWords,
  percentInWords,
  sessionInWords,
} from './words.ts';

export function addConnectors(program: Command, cli: CliProgram): void {
  const command = withCommon(program.command('connectors')).description(
    'what the firmware says of each connector',
  );
  showUsageOnError(command).action((flags: CommonFlags) =>
    answerFrom(cli, flags, async (agent) => {
      const connectors = (await agent.ask('connectors')) as ConnectorView[];
      const none = 'no connector was heard of yet; "plugpool firmware plug --connector 1" begins with one';
      const page = connectors.length === 0 ? () => none : undefined;
      return { document: { connectors }, page: page ?? ((paint) => table(COLUMNS, connectors, paint)) };
    }),
  );
}

const COLUMNS: readonly Column<ConnectorView>[] = [
  { heading: 'CONNECTOR', cell: (connector) => connector.connectorId },
  { heading: 'STATE', cell: stateOf },
  {
    heading: 'FOR',
    align: 'right',
    cell: (connector) => durationInWords(Math.max(0, Date.now() - connector.sinceWallMs)),
  },
  { heading: 'VEHICLE', cell: (connector) => connector.vehicleId ?? '-' },
  { heading: 'KNOWN BY', cell: knownBy },
  {
    heading: 'BATTERY',
    align: 'right',
    cell: ({ socPermille }) => (socPermille === null ? '-' : percentInWords(socPermille)),
  },
  {
    heading: 'POWER',
    align: 'right',
    cell: ({ powerMw }) => (powerMw === null ? '-' : kilowattsInWords(powerMw)),
  },
  {
    heading: 'ENERGY',
    align: 'right',
    cell: ({ energyMwh }) => (energyMwh === null ? '-' : `${(energyMwh / 1e6).toFixed(2)} kWh`),
  },
  { heading: 'CAP', cell: capOf },
  { heading: 'FIRMWARE', cell: firmwareOf },
];

function knownBy({ assurance, disputed }: ConnectorView): Cell {
  if (disputed) return { text: 'disputed', colour: 'red' };
  return { text: assurance ?? '-', colour: 'reset' };
}

function stateOf({ state, faultReason }: ConnectorView): Cell {
  const words = sessionInWords(state);
  return faultReason === null ? words : { ...words, text: `${words.text}: ${faultReason}` };
}

function capOf({ cap }: ConnectorView): Cell {
  if (cap === null) return { text: '-' };
  const words = kilowattsInWords(cap.powerMw);
  if (cap.answer === 'set') return { text: words, colour: cap.seen === 'ignored' ? 'yellow' : 'green' };
  return { text: `${words}: ${capAnswerInWords(cap.answer)}`, colour: 'yellow' };
}

function firmwareOf({ link, verified }: ConnectorView): Cell {
  if (link === 'lost') return { text: 'lost', colour: 'red' };
  return verified ? { text: 'heard', colour: 'green' } : { text: 'silent', colour: 'yellow' };
}
