/** `plugpool bind | bindings | unbind`: by which credentials vehicles are known at the connectors. */
import { Option, type Command } from 'commander';
import { CREDENTIAL_CHARS_MAX, CREDENTIAL_KINDS } from '../config/credential-kinds.ts';
import type { BindingView } from '../core/binding/bindings.ts';
import { CliError } from './context.ts';
import { vehicleId } from './options.ts';
import { table, type Column } from './table.ts';
import { answerFrom, showUsageOnError, withCommon, type CliProgram, type CommonFlags } from './verb.ts';
import { counted, timeInWords } from './words.ts';

interface BindFlags extends CommonFlags {
  readonly vehicle: string;
  readonly connector?: string;
  readonly kind?: string;
  readonly valueFromStdin?: true;
  readonly replace?: true;
}

interface Bound {
  readonly vehicleId: string;
  readonly connectorId: string | null;
  readonly kinds: readonly string[];
}

export function addBind(program: Command, cli: CliProgram): void {
  const command = withCommon(program.command('bind'))
    .description('say which vehicle a credential, or what is shown at a connector, belongs to')
    .requiredOption('--vehicle <id>', 'the vehicle id', vehicleId)
    .option('--connector <connector>', 'the vehicle that is plugged in there now, and all that it showed')
    .addOption(kindOption('only this kind of credential'))
    .option('--value-from-stdin', 'read the credential from standard input, one line; it is kept nowhere')
    .option('--replace', 'take it from the vehicle that it is bound to');
  showUsageOnError(command).action(async (flags: BindFlags) => {
    const args = await bindArgsOf(cli, flags);
    return answerFrom(cli, flags, async (agent) => {
      const bound = (await agent.ask('bind', args)) as Bound;
      return { document: bound, page: () => boundInWords(bound) };
    });
  });
}

async function bindArgsOf({ context }: CliProgram, flags: BindFlags): Promise<object> {
  const { vehicle, connector, kind, valueFromStdin } = flags;
  if ((connector === undefined) === (valueFromStdin === undefined))
    throw new CliError(
      'usage',
      'one of --connector and --value-from-stdin must be given',
      'see plugpool bind --help',
    );
  if (valueFromStdin === true && kind === undefined)
    throw new CliError(
      'usage',
      'a value needs its kind',
      `add --kind with one of ${CREDENTIAL_KINDS.join(', ')}`,
    );
  return {
    vehicleId: vehicle,
    replace: flags.replace === true,
    ...(kind === undefined ? {} : { kind }),
    ...(connector === undefined ? { value: await firstLine(context.stdin) } : { connector }),
  };
}

async function firstLine(stdin: AsyncIterable<Buffer | string> | undefined): Promise<string> {
  let text = '';
  for await (const part of stdin ?? []) {
    text += part.toString();
    if (text.includes('\n') || text.length > 4 * CREDENTIAL_CHARS_MAX) break;
  }
  const line = text.split('\n', 1)[0]?.trim() ?? '';
  if (line.length > 0 && line.length <= CREDENTIAL_CHARS_MAX) return line;
  throw new CliError(
    'usage',
    line === '' ? 'standard input is empty' : `a credential has at most ${CREDENTIAL_CHARS_MAX} characters`,
    'give it as one line: plugpool bind --vehicle V --kind idToken --value-from-stdin < FILE',
  );
}

function boundInWords({ vehicleId: id, connectorId, kinds }: Bound): string {
  const known = kinds.length === 0 ? undefined : `${id} is known by ${kinds.join(', ')} from now on`;
  if (connectorId === null) return known ?? `${id} is bound already`;
  return `${id} stands at ${connectorId}; ${known ?? 'nothing was shown there by which it could be known again'}`;
}

export function addBindings(program: Command, cli: CliProgram): void {
  const command = withCommon(program.command('bindings')).description(
    'by which credentials vehicles are known; never the credentials',
  );
  showUsageOnError(command).action((flags: CommonFlags) =>
    answerFrom(cli, flags, async (agent) => {
      const bindings = (await agent.ask('bindings')) as BindingView[];
      const none = 'no credential is bound; "plugpool bind --vehicle V --connector N" begins with one';
      const page = bindings.length === 0 ? () => none : undefined;
      return { document: { bindings }, page: page ?? ((paint) => table(COLUMNS, bindings, paint)) };
    }),
  );
}

const COLUMNS: readonly Column<BindingView>[] = [
  { heading: 'VEHICLE', cell: ({ vehicleId: id }) => id },
  { heading: 'KNOWN BY', cell: ({ kind }) => kind },
  { heading: 'ASSURANCE', cell: ({ assurance }) => assurance },
  { heading: 'MARK', cell: ({ mark }) => mark },
  { heading: 'SINCE', cell: ({ boundWallMs }) => timeInWords(boundWallMs) },
];

interface UnbindFlags extends CommonFlags {
  readonly kind?: string;
}

export function addUnbind(program: Command, cli: CliProgram): void {
  const command = withCommon(program.command('unbind'))
    .description('forget by which credentials a vehicle is known')
    .argument('<vehicle>', 'the vehicle id', vehicleId)
    .addOption(kindOption('only this kind of credential'));
  showUsageOnError(command).action((id: string, { kind, ...flags }: UnbindFlags) =>
    answerFrom(cli, flags, async (agent) => {
      const asked = kind === undefined ? { vehicleId: id } : { vehicleId: id, kind };
      const answer = (await agent.ask('unbind', asked)) as { readonly removed: readonly string[] };
      const page = (): string =>
        answer.removed.length === 0
          ? `nothing was bound to ${id}`
          : `${counted(answer.removed.length, 'credential')} of ${id} forgotten: ${answer.removed.join(', ')}`;
      return { document: answer, page };
    }),
  );
}

function kindOption(description: string): Option {
  return new Option('--kind <kind>', description).choices(CREDENTIAL_KINDS);
}
