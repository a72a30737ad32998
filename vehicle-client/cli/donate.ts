/** `donate`: lends until it is told to stop. */
import { Option, type Command } from 'commander';
import type { ControlAnswer } from '../adapters/control-socket.ts';
import type { Donor, DonorEvent } from '../donor.ts';
import { PlugpoolError } from '../errors.ts';
import type { LogLevel } from '../log-level.ts';
import type { Log } from '../ports.ts';
import { EXIT_DONE, EXIT_FAILED, sayJson, type CliContext } from './context.ts';
import { DonorView, isOneOutput, type Said } from './donor-view.ts';
import { loggerTo, sourcesOf, withPile, type CommonFlags } from './options.ts';
import { statusJson } from './status.ts';

interface DonateFlags extends CommonFlags {
  readonly sandbox?: string;
  readonly ownPid?: number[];
}

export function addDonate(program: Command, context: CliContext, finish: (code: number) => void): void {
  withPile(program.command('donate'))
    .description('lend idle computing power to the pile, as the policy allows, until interrupted')
    .addOption(new Option('--sandbox <kind>', 'bwrap (default), process (weaker), or bwrap-else-process'))
    .addOption(
      new Option('--own-pid <pid>', 'load of this process and all under it counts as idle (repeatable)')
        .argParser((text, previous: number[] = []) => [...previous, Number(text)])
        .hideHelp(),
    )
    .action(async (flags: DonateFlags) => finish(await donate(context, flags)));
}

async function donate(context: CliContext, flags: DonateFlags): Promise<number> {
  const [{ loadConfig }, { startDonor }, { ControlServer }, { dataPaths, defaultDataDir, parseVehicleId }] =
    await Promise.all([
      import('../config.ts'),
      import('../start-donor.ts'),
      import('../adapters/control-socket.ts'),
      import('../data-dir.ts'),
    ]);
  const more = { sandbox: flags.sandbox, 'probe.ownRootPids': flags.ownPid };
  const config = loadConfig(sourcesOf(context, flags, more));
  const view = new DonorView(context.stdout);
  const isJson = flags.json === true;
  const say = (event: DonorEvent | Said): void => (isJson ? sayJson(context, event) : view.say(event));
  const log = await logFor(context, config.logLevel, isJson ? undefined : view);
  const abort = new AbortController();
  const interrupts = new Interrupts(context, abort);
  try {
    const donor = await startDonor({ ...config, log, onEvent: say }, abort.signal);
    const dataDir = config.dataDir ?? defaultDataDir(parseVehicleId(config.vehicle));
    const control = new ControlServer(dataPaths(dataDir).controlSocket, (question) =>
      answer(donor, question),
    );
    try {
      await control.start();
      say({ kind: 'started', vehicle: config.vehicle, agent: config.agent, dataDir });
      await interrupts.first;
    } finally {
      await control.stop();
      await donor.stop();
    }
    say({ kind: 'stopped' });
    return EXIT_DONE;
  } catch (error) {
    if (abort.signal.aborted) return EXIT_FAILED;
    throw error;
  } finally {
    interrupts.stop();
  }
}

/** JSON on standard error; where that is where the view is shown, warnings are lines of the view instead. */
async function logFor(
  context: CliContext,
  level: LogLevel | undefined,
  view: DonorView | undefined,
): Promise<Log> {
  if (view !== undefined && isOneOutput(context)) return view.log(level ?? 'warn');
  const isWatched = view !== undefined && context.stderr.isTTY === true;
  return loggerTo(context, level ?? (isWatched ? 'warn' : 'info'));
}

/** The first asks for a clean stop, the second leaves at once. */
class Interrupts {
  readonly first: Promise<void>;
  readonly stop: () => void;

  constructor(context: CliContext, abort: AbortController) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.first = promise;
    this.stop = context.onInterrupt(() => {
      if (abort.signal.aborted) context.exitNow(EXIT_FAILED);
      abort.abort(new Error('interrupted'));
      resolve();
    });
  }
}

function answer(donor: Donor, question: unknown): ControlAnswer | Promise<ControlAnswer> {
  const { op, atWallMs, code, connector } = (
    typeof question === 'object' && question !== null ? question : {}
  ) as Record<string, unknown>;
  switch (op) {
    case 'status':
      break;
    case 'pause':
      donor.pause();
      break;
    case 'resume':
      donor.resume();
      break;
    case 'leaving':
      if (typeof atWallMs !== 'number' || !Number.isFinite(atWallMs))
        return unknownQuestion('leaving needs atWallMs');
      donor.leaving(atWallMs);
      break;
    case 'plugCode':
      if (typeof code !== 'string' || (connector !== undefined && typeof connector !== 'string'))
        return unknownQuestion('plugCode needs a code');
      return plugCode(donor, code, connector);
    default:
      return unknownQuestion(`there is no "${String(op)}"`);
  }
  return { ok: true, value: statusJson(donor.status()) };
}

async function plugCode(donor: Donor, code: string, connector: string | undefined): Promise<ControlAnswer> {
  try {
    return { ok: true, value: { ok: true, ...(await donor.plugCode(code, connector)) } };
  } catch (error) {
    if (!(error instanceof PlugpoolError)) throw error;
    return { ok: false, code: error.code, message: error.message, hint: error.hint };
  }
}

function unknownQuestion(message: string): ControlAnswer {
  return {
    ok: false,
    code: 'question_unknown',
    message,
    hint: 'ask status, pause, resume, leaving or plugCode',
  };
}
