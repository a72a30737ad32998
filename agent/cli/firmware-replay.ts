/** `plugpool firmware replay FILE`: what a recording of firmware tells, event by event. Asks no agent. */
import { once } from 'node:events';
import { statSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { Option, type Command } from 'commander';
import type { RecordingFormat } from '@plugpool/firmware-bridge';
import type { ReplayedEvent } from '../replay-recording.ts';
import { CliError, EXIT_DONE, printable, type CliContext } from './context.ts';
import { fileRefusalOf } from './file-refusal.ts';
import { positive } from './options.ts';
import { showUsageOnError, type CliProgram } from './verb.ts';
import { percentInWords, sessionInWords } from './words.ts';

interface Flags {
  readonly format: RecordingFormat;
  readonly speed?: number;
  readonly station: string;
  readonly json?: true;
}

export const FORMATS = ['ocpp16', 'ocpp201', 'everest', 'gbt27930', 'sessions'] as const;
const SPEED_MAX = 1e6;
/** Longer pauses of a recording are waited for in parts: a timer has a bound. */
const WAIT_MS_MAX = 86_400_000;

export function addFirmwareReplay(group: Command, cli: CliProgram): void {
  const command = group
    .command('replay')
    .description('what a recording of firmware tells, event by event; needs no agent')
    .argument('<file>', 'a recording; docs/firmware.md has the forms')
    .addOption(new Option('--format <form>', 'its form').choices(FORMATS).makeOptionMandatory())
    .option(
      '--speed <n>',
      'seconds of the recording a second; without it, as fast as it goes',
      positive(SPEED_MAX),
    )
    .option('--station <id>', 'whose connectors these are, where the recording does not say it', 'station')
    .option('--json', 'one JSON document a line (docs/cli-json.md)');
  showUsageOnError(command).action(async (file: string, flags: Flags) => {
    await replay(cli.context, file, flags);
    cli.finish(EXIT_DONE);
  });
}

async function replay(context: CliContext, file: string, flags: Flags): Promise<void> {
  refuseUnreadable(file);
  // Only here: every other command starts faster without the adapters.
  const { replayRecording } = await import('../replay-recording.ts');
  const pace = new Pace(flags.speed);
  let isToldAny = false;
  try {
    for await (const event of replayRecording(file, flags)) {
      isToldAny = true;
      await pace.untilDue(Date.parse(event.at));
      const line = flags.json === true ? JSON.stringify(event) : inWords(event);
      if (!(await print(context.stdout, line))) return;
    }
  } catch (error) {
    throw fileRefusalOf(error);
  }
  if (!isToldAny) throw toldNothing(file, flags.format);
}

/** Messages of the other version are none of this one's, and an empty file has no line that could be named. */
function toldNothing(file: string, format: RecordingFormat): CliError {
  const message = `${file} tells nothing as ${format}`;
  if (format === 'ocpp16') return new CliError('tells_nothing', message, 'is it --format ocpp201?');
  if (format === 'ocpp201') return new CliError('tells_nothing', message, 'is it --format ocpp16?');
  return new CliError('tells_nothing', message, 'is it of another form, or did nothing happen in it?');
}

/** A directory, and what is not there. */
function refuseUnreadable(file: string): void {
  if (statSync(file, { throwIfNoEntry: false })?.isFile() === true) return;
  throw new CliError('file_unreadable', `${file} is no file that can be read`, 'name a recording');
}

/** Lets the time between events go by, at the chosen speed. */
class Pace {
  readonly #speed: number | undefined;
  #lastMs: number | undefined;

  constructor(speed: number | undefined) {
    this.#speed = speed;
  }

  async untilDue(atMs: number): Promise<void> {
    const sinceMs = atMs - (this.#lastMs ?? atMs);
    this.#lastMs = atMs;
    if (this.#speed === undefined) return;
    for (let leftMs = sinceMs / this.#speed; leftMs > 0; leftMs -= WAIT_MS_MAX)
      await wait(Math.min(leftMs, WAIT_MS_MAX));
  }
}

/** Whoever reads slowly is waited for; false: whoever read, left. */
async function print(stdout: Writable, line: string): Promise<boolean> {
  if (stdout.write(`${line}\n`)) return true;
  const isGone = await Promise.race([
    once(stdout, 'drain').then(isNot, isSo),
    once(stdout, 'close').then(isSo, isSo),
  ]);
  return !isGone && !stdout.destroyed;
}

const isSo = (): boolean => true;
const isNot = (): boolean => false;

const EVENT_CHARS = 'transactionStarted'.length;
const STATE_CHARS = 'paused by vehicle'.length;

function inWords(event: ReplayedEvent): string {
  const state = sessionInWords(event.state).text;
  const columns = [event.at, event.connector, event.event.padEnd(EVENT_CHARS), state.padEnd(STATE_CHARS)];
  return printable([...columns, factsInWords(event)].join('  ').trimEnd());
}

function factsInWords(event: ReplayedEvent): string {
  const { socPct, powerW, energyWh, doubted = [] } = event;
  const facts = [
    socPct === undefined ? undefined : percentInWords(socPct * 10),
    powerW === undefined ? undefined : `${Math.round(powerW)} W`,
    energyWh === undefined ? undefined : `${Math.round(energyWh)} Wh`,
    event.departureInMs === undefined
      ? undefined
      : `leaves in ${Math.round(event.departureInMs / 60_000)} min`,
    event.estimatedFullInMs === undefined
      ? undefined
      : `full in ${Math.round(event.estimatedFullInMs / 60_000)} min`,
    event.transactionId,
    event.by === undefined ? undefined : `by ${event.by}`,
    event.reason,
    event.vehicleId === undefined ? undefined : `${event.vehicleId} (${event.assurance})`,
    event.credential?.kind,
    event.signed === undefined ? undefined : `signed (${event.signed})`,
    ...doubted.map(({ field, value, why }) => `not believed: ${field} ${value} (${why})`),
  ];
  return facts.filter((fact) => fact !== undefined).join(', ');
}
