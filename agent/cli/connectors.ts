/** `plugpool connectors`: what the firmware says of each connector. */
import type { Command } from 'commander';
import type { ConnectorView } from '../core/views.ts';
import type { Paint } from './context.ts';
import { table, type Cell, type Column } from './table.ts';
import { addConnectorsCode } from './connectors-code.ts';
import {
  refuseUnknownVerb,
  sayFound,
  showUsageOnError,
  talkTo,
  withCommon,
  type CliProgram,
  type CommonFlags,
} from './verb.ts';
import { watch, type Watched } from './watch.ts';
import {
  capAnswerInWords,
  durationInWords,
  kilowattsInWords,
  percentInWords,
  sessionInWords,
} from './words.ts';

interface Flags extends CommonFlags {
  readonly watch?: true;
}

export function addConnectors(program: Command, cli: CliProgram): void {
  const command = withCommon(program.command('connectors'))
    .description('what the firmware says of each connector')
    .option('--watch', 'again and again until Ctrl-C; with --json one document for each change');
  showUsageOnError(command.allowExcessArguments()).action((flags: Flags) => {
    refuseUnknownVerb(command);
    return talkTo(cli, flags, async (agent) => {
      const watched: Watched<readonly ConnectorView[]> = {
        look: async () => (await agent.ask('connectors')) as ConnectorView[],
        document: (connectors) => ({ connectors }),
        page: (connectors) => pageOf(connectors, cli.context.paint),
        meaning: withoutAges,
      };
      if (flags.watch === true) return watch(cli.context, flags.json === true, watched);
      const connectors = await watched.look();
      return sayFound(cli.context, flags, {
        document: watched.document(connectors),
        page: () => watched.page(connectors),
      });
    });
  });
  addConnectorsCode(command, cli);
}

function pageOf(connectors: readonly ConnectorView[], paint: Paint): string {
  if (connectors.length > 0) return table(COLUMNS, connectors, paint);
  return 'no connector was heard of yet; "plugpool firmware plug --connector 1" begins with one';
}

function withoutAges(connectors: readonly ConnectorView[]): unknown {
  return connectors.map(({ sources, ...connector }) => ({
    ...connector,
    sources: sources.map(({ heardAgoMs: _age, sourceWallMs: _time, ...source }) => source),
  }));
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
  { heading: 'CODE', cell: ({ code }) => code ?? '-' },
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
  if (cap.answer === 'set')
    return { text: words + CAP_SEEN[cap.seen].text, colour: CAP_SEEN[cap.seen].colour };
  return { text: `${words}: ${capAnswerInWords(cap.answer)}`, colour: 'yellow' };
}

/** That the station took it says little: some take every cap and heed none. */
const CAP_SEEN = {
  works: { text: ' (works)', colour: 'green' },
  ignored: { text: ' (ignored)', colour: 'yellow' },
  unknown: { text: '', colour: 'reset' },
} as const;

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
  if (link === 'lost') {
    const reason = sources.find(({ lostReason }) => lostReason !== null)?.lostReason;
    return { text: reason === undefined ? 'lost' : `lost: ${reason}`, colour: 'red' };
  }
  if (verified) return { text: 'heard', colour: 'green' };
  const said = new Set(
    sources.filter((source) => source.link === 'up' && source.fresh).map(({ says }) => says),
  );
  const isAtOdds = said.has('plugged') && said.has('unplugged');
  return { text: isAtOdds ? 'at odds' : 'silent', colour: 'yellow' };
}
