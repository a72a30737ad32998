/** `status`, `pause`, `resume`, `leaving`, `plug-code`: what the owner says to his running donor. */
import type { Command } from 'commander';
import type { BoundConnector } from '../connector-claims.ts';
import { PlugpoolError } from '../errors.ts';
import { EXIT_DONE, sayJson, type CliContext } from './context.ts';
import { answerOf } from './own-donor.ts';
import { withIdentity, type CommonFlags } from './options.ts';
import { describeStatus, type StatusJson } from './status.ts';

interface PlugCodeFlags extends CommonFlags {
  readonly connector?: string;
}

interface LeavingFlags extends CommonFlags {
  readonly at: string;
}

const WITHIN = /^\+(\d+)(m|min|h)$/;
const TIME_OF_DAY = /^([01]?\d|2[0-3]):([0-5]\d)$/;

export function addControl(program: Command, context: CliContext, finish: (code: number) => void): void {
  withIdentity(program.command('status'))
    .description('what the running donor lends, and what runs on it')
    .action(async (flags: CommonFlags) => finish(await ask(context, flags, { op: 'status' })));
  withIdentity(program.command('pause'))
    .description('lend nothing until "resume"; what runs is ended')
    .action(async (flags: CommonFlags) => finish(await ask(context, flags, { op: 'pause' })));
  withIdentity(program.command('resume'))
    .description('lend again; takes back "pause" and "leaving"')
    .action(async (flags: CommonFlags) => finish(await ask(context, flags, { op: 'resume' })));
  withIdentity(program.command('leaving'))
    .description('say when you will drive away, so that nothing is started that would not be done')
    .requiredOption('--at <time>', '"17:30", "+90m", "+2h", or a date and time in ISO 8601')
    .action(async (flags: LeavingFlags) => {
      const atWallMs = parseTime(flags.at, new Date());
      finish(await ask(context, flags, { op: 'leaving', atWallMs }));
    });
  withIdentity(program.command('plug-code'))
    .description('give the pile the code on its display, so that it knows where this vehicle is plugged in')
    .argument('<code>', 'six digits')
    .option('--connector <connector>', 'the connector (default: the code says which one it is)')
    .action(async (code: string, flags: PlugCodeFlags) => finish(await plugCode(context, flags, code)));
}

async function plugCode(context: CliContext, flags: PlugCodeFlags, code: string): Promise<number> {
  const about = flags.connector === undefined ? {} : { connector: flags.connector };
  const bound = (await answerOf(context, flags, { op: 'plugCode', code, ...about })) as BoundConnector;
  if (flags.json === true) sayJson(context, bound);
  else context.stdout.write(`plugged in at ${bound.connectorId}, known by ${bound.assurance}\n`);
  return EXIT_DONE;
}

async function ask(context: CliContext, flags: CommonFlags, question: object): Promise<number> {
  const status = (await answerOf(context, flags, question)) as StatusJson;
  if (flags.json === true) sayJson(context, status);
  else context.stdout.write(`${describeStatus(status)}\n`);
  return EXIT_DONE;
}

/** Wall time in milliseconds. A time of day is the next one to come. */
export function parseTime(text: string, now: Date): number {
  const within = WITHIN.exec(text);
  if (within !== null) return now.getTime() + Number(within[1]) * (within[2] === 'h' ? 3_600_000 : 60_000);
  const timeOfDay = TIME_OF_DAY.exec(text);
  if (timeOfDay !== null) return nextTimeOfDay(now, Number(timeOfDay[1]), Number(timeOfDay[2]));
  const atWallMs = /^\d{4}-\d{2}-\d{2}T/.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(atWallMs)) throw timeError(`"${text}" is no time`);
  if (atWallMs <= now.getTime()) throw timeError(`${text} is over already`);
  return atWallMs;
}

function nextTimeOfDay(now: Date, hours: number, minutes: number): number {
  const next = new Date(now);
  next.setHours(hours, minutes, 0, 0);
  if (next <= now) next.setDate(next.getDate() + 1);
  return next.getTime();
}

function timeError(message: string): PlugpoolError {
  const hint = 'give it as 17:30, +90m, +2h or 2026-12-24T17:30';
  return new PlugpoolError({ code: 'time_invalid', message, hint, retryable: false });
}
