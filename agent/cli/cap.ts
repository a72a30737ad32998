/** `plugpool cap`: at most this much power for a connector, for a while; and the end of it. */
import { setTimeout as after } from 'node:timers/promises';
import { Option, type Command } from 'commander';
import type { ControlClient } from '../adapters/control-socket/control-client.ts';
import type { CapView } from '../core/power/cap-view.ts';
import { CliError } from './context.ts';
import { durationMs, positive } from './options.ts';
import { answerFrom, showUsageOnError, withCommon, type CliProgram, type CommonFlags } from './verb.ts';
import { capAnswerInWords, kilowattsInWords, timeInWords } from './words.ts';

interface CapFlags extends CommonFlags {
  readonly connector: string;
  readonly kw?: number;
  readonly for?: number;
  readonly clear?: true;
}

interface Capped {
  readonly connectorId: string;
  readonly cap: CapView | null;
}

const KW_MAX = 10_000;
const LOOK_EVERY_MS = 200;
/** So long the station is waited for; it goes on being asked after that. */
const LOOK_FOR_MS = 5_000;

export function addCap(program: Command, cli: CliProgram): void {
  const command = withCommon(program.command('cap'))
    .description('let a connector draw at most so much for a while, or take that back')
    .requiredOption('--connector <name>', 'a number, evse/connector, or station/evse/connector')
    .addOption(new Option('--kw <power>', 'at most this many kW').argParser(positive(KW_MAX)))
    .addOption(new Option('--for <duration>', 'for this long, 1h for example').argParser(durationMs))
    .addOption(new Option('--clear', 'no cap any more').conflicts(['kw', 'for']));
  showUsageOnError(command).action((flags: CapFlags) => {
    if (flags.clear !== true && (flags.kw === undefined || flags.for === undefined))
      command.error('error: a cap needs --kw and --for, or --clear', { code: 'commander.missingArgument' });
    return answerFrom(cli, flags, async (agent) => {
      const capped = await change(agent, flags);
      const isRefused = capped.cap !== null && !['set', 'asked'].includes(capped.cap.answer);
      return { document: capped, page: () => pageOf(capped), failed: isRefused };
    });
  });
}

async function change(
  agent: ControlClient,
  { connector, kw = 0, for: forMs, clear }: CapFlags,
): Promise<Capped> {
  if (clear === true) return (await agent.ask('clearCap', { connector })) as Capped;
  const asked = (await agent.ask('setCap', { connector, powerMw: Math.round(kw * 1e6), forMs })) as Capped;
  return untilAnswered(agent, asked);
}

/** It holds when the station says so, a moment later. */
async function untilAnswered(agent: ControlClient, asked: Capped): Promise<Capped> {
  for (let leftMs = LOOK_FOR_MS; leftMs > 0; leftMs -= LOOK_EVERY_MS) {
    const connectors = (await agent.ask('connectors')) as Capped[];
    const now = connectors.find(({ connectorId }) => connectorId === asked.connectorId);
    if (now === undefined)
      throw new CliError('connector_unknown', `${asked.connectorId} is gone`, 'is the agent still the same?');
    if (now.cap?.answer !== 'asked') return { connectorId: now.connectorId, cap: now.cap };
    await after(LOOK_EVERY_MS);
  }
  return asked;
}

function pageOf({ connectorId, cap }: Capped): string {
  if (cap === null) return `${connectorId} is not capped`;
  const { powerMw, untilWallMs, answer } = cap;
  return `${connectorId} is to draw ${kilowattsInWords(powerMw)} at most until ${timeInWords(untilWallMs)}: ${capAnswerInWords(answer)}`;
}
