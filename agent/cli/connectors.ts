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
    cell: (connector) =>
      marked(connector, 'socPermille', connector.socPermille, (soc) => percentInWords(soc)),
  },
  {
    heading: 'POWER',
    align: 'right',
    cell: (connector) => marked(connector, 'powerMw', connector.powerMw, kilowattsInWords),
  },
  {
    heading: 'ENERGY',
    align: 'right',
    cell: (connector) =>
      marked(connector, 'energyMwh', connector.energyMwh, (mwh) => `${(mwh / 1e6).toFixed(2)} kWh`),
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

/** The last that was believed, with a question mark where a later reading was not. */
function marked(
  { doubted }: ConnectorView,
  field: string,
  value: number | null,
  words: (value: number) => string,
): Cell {
  const text = value === null ? '-' : words(value);
  const isDoubted = doubted.some((doubt) => doubt.field === field);
  return isDoubted ? { text: `${text}?`, colour: 'yellow' } : { text };
}

function firmwareOf({ link, verified, sources }: ConnectorView): Cell {
  if (link === 'lost') return { text: 'lost', colour: 'red' };
  if (verified) return { text: 'heard', colour: 'green' };
  const said = new Set(
    sources.filter((source) => source.link === 'up' && source.fresh).map(({ says }) => says),
  );
  const isAtOdds = said.has('plugged') && said.has('unplugged');
  return { text: isAtOdds ? 'at odds' : 'silent', colour: 'yellow' };
}
