/** What a donor does, as whoever watches it reads it: one line an event, and what its log warns of as lines of the same kind. */
import { fstatSync } from 'node:fs';
import type { Writable } from 'node:stream';
import type { DonorEvent } from '../donor.ts';
import { LOG_LEVELS, type LogLevel } from '../log-level.ts';
import type { Log } from '../ports.ts';
import type { CliContext } from './context.ts';
import { describeCapacity, printable } from './words.ts';

/** What the command itself says, beside the donor. */
export type Said =
  | { readonly kind: 'started'; readonly vehicle: string; readonly agent: string; readonly dataDir: string }
  | { readonly kind: 'stopped' };

const LEVEL_WORDS = { debug: 'debug: ', info: '', warn: 'warning: ', error: 'error: ' } as const;

export class DonorView {
  readonly #out: Writable;

  constructor(out: Writable) {
    this.#out = out;
  }

  say(event: DonorEvent | Said): void {
    this.#line(describe(event));
  }

  /** A log whose lines stand in the view. What an event says as well is said once. */
  log(level: LogLevel): Log {
    const least = LOG_LEVELS.indexOf(level);
    const at =
      (mine: keyof typeof LEVEL_WORDS) =>
      (fields: object, message: string): void => {
        if (LOG_LEVELS.indexOf(mine) >= least && !('event' in fields))
          this.#line(`${LEVEL_WORDS[mine]}${message}${inWords(fields)}`);
      };
    return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  }

  #line(text: string): void {
    this.#out.write(`${new Date().toTimeString().slice(0, 8)}  ${printable(text).replaceAll('\n', ' ')}\n`);
  }
}

/** Standard output and standard error are one terminal, pipe or file: log lines would stand between those of the view. */
export function isOneOutput({ stdout, stderr }: Pick<CliContext, 'stdout' | 'stderr'>): boolean {
  const [out, err] = [stdout, stderr].map((stream) => ('fd' in stream ? stream.fd : undefined));
  if (typeof out !== 'number' || typeof err !== 'number') return false;
  try {
    const [a, b] = [fstatSync(out), fstatSync(err)];
    return a.dev === b.dev && a.ino === b.ino;
  } catch {
    return false;
  }
}

/** The reason and what to do about it; whatever else a line of a log has is for programs. */
function inWords(fields: object): string {
  const { detail, hint, err } = fields as { detail?: unknown; hint?: unknown; err?: unknown };
  const why = typeof detail === 'string' ? detail : err instanceof Error ? err.message : undefined;
  return `${why === undefined ? '' : `: ${why}`}${typeof hint === 'string' ? ` (${hint})` : ''}`;
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
