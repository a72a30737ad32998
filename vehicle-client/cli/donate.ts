/** `donate`: lends until it is told to stop. */
import { Option, type Command } from 'commander';
import type { ControlAnswer } from '../adapters/control-socket.ts';
import type { Donor, DonorEvent } from '../donor.ts';
import { PlugpoolError } from '../errors.ts';
import { EXIT_DONE, EXIT_FAILED, sayJson, type CliContext } from './context.ts';
import { loggerTo, sourcesOf, withPile, type CommonFlags } from './options.ts';
import { statusJson } from './status.ts';
import { describeCapacity } from './words.ts';

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
  const say =
    flags.json === true
      ? (event: object) => sayJson(context, event)
      : (event: DonorEvent | Said) => sayPlain(context, event);
  const isWatched = context.stderr.isTTY === true && flags.json !== true;
  const log = await loggerTo(context, config.logLevel ?? (isWatched ? 'warn' : 'info'));
  const abort = new AbortController();
  const interrupts = new Interrupts(context, abort);
  try {
    const onEvent = (event: DonorEvent): void => say(event);
    const donor = await startDonor({ ...config, log, onEvent }, abort.signal);
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

type Said =
  | { readonly kind: 'started'; readonly vehicle: string; readonly agent: string; readonly dataDir: string }
  | { readonly kind: 'stopped' };

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

function sayPlain(context: CliContext, event: DonorEvent | Said): void {
  context.stdout.write(`${new Date().toTimeString().slice(0, 8)}  ${describe(event)}\n`);
}

function describe(event: DonorEvent | Said): string {
  switch (event.kind) {
    case 'started':
      return `${event.vehicle} is ready to lend to ${event.agent}; files in ${event.dataDir}`;
    case 'stopped':
      return 'stopped';
    case 'connected':
      return `connected to ${event.stationId}`;
    case 'disconnected':
      return `no connection: ${event.detail}; trying again`;
    case 'constraintRefused':
      return `the pile cannot take the constraint, and offers nothing here: ${event.detail} (${event.hint})`;
    case 'lending':
      return `lending ${describeCapacity(event.lendable)}`;
    case 'notLending':
      return `lending nothing: ${event.reason}`;
    case 'jobStarted':
      return `${event.job.taskId}  ${event.job.algorithmId} ${event.job.algorithmVersion} runs (attempt ${event.job.attempt})`;
    case 'jobDeclined':
      return `${event.job.taskId}  declined: ${event.reason}`;
    case 'jobSuspended':
      return `${event.job.taskId}  stopped where it is: ${event.cause}`;
    case 'jobResumed':
      return `${event.job.taskId}  goes on`;
    case 'checkpointKept':
      return `${event.job.taskId}  the pile has its state of ${event.sizeBytes} bytes, after ${event.used.cpuMs} ms of cpu`;
    case 'jobEnded':
      return `${event.job.taskId}  ${event.outcome}${event.used === undefined ? '' : `, ${event.used.cpuMs} ms of cpu`}`;
  }
}
