/** What every command shares: where it writes, how it says a result or an error, and how it ends. */
import type { Writable } from 'node:stream';
import { styleText } from 'node:util';
import { ControlSocketError } from '../adapters/control-socket/control-socket-error.ts';

export const EXIT_DONE = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;

export type Colour = 'dim' | 'gray' | 'red' | 'green' | 'yellow' | 'cyan' | 'reset';
export type Paint = (colour: Colour, text: string) => string;

export interface CliContext {
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Absent where nothing is given. */
  readonly stdin?: AsyncIterable<Buffer | string>;
  readonly env: NodeJS.ProcessEnv;
  /** Gives the text back as it is where nobody watches in colour. */
  readonly paint: Paint;
  /** Undefined where nothing can interrupt; the returned function stops listening. */
  readonly onInterrupt?: (callback: () => void) => () => void;
}

export function processContext(): CliContext {
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    stdin: process.stdin,
    env: process.env,
    // `styleText` asks the stream and NO_COLOR itself.
    onInterrupt: (callback) => {
      process.once('SIGINT', callback);
      return () => process.off('SIGINT', callback);
    },
    paint: (colour, text) => styleText(colour, text, { stream: process.stdout }),
  };
}

/** A failure of the command itself, as against an answer of the agent. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly code: string;
  readonly hint: string;

  constructor(code: string, message: string, hint: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
    this.hint = hint;
  }
}

/** Codes of errors that a correct command line would not have caused. */
const USAGE_CODES: ReadonlySet<string> = new Set(['usage', 'invalid_argument']);

/** Says what went wrong, on standard error, and with `--json` on standard output too; gives the exit code. */
export function sayError(context: CliContext, error: unknown, isJson: boolean): number {
  const { code, message, hint } = told(error);
  if (isJson) sayJson(context, { ok: false, error: { code, message, hint } });
  context.stderr.write(`plugpool: ${printable(message)}\n  what to do: ${printable(hint)}\n`);
  return USAGE_CODES.has(code) ? EXIT_USAGE : EXIT_FAILED;
}

export function sayJson(context: CliContext, document: object): void {
  context.stdout.write(`${JSON.stringify(document)}\n`);
}

function told(error: unknown): { readonly code: string; readonly message: string; readonly hint: string } {
  if (error instanceof ControlSocketError || error instanceof CliError) return error;
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return {
    code: 'internal',
    message,
    hint: 'this is a fault of the program: please report it with the lines above',
  };
}

/** Vehicles choose some of the texts: nothing in them may command the terminal. Line breaks stay. */
export function printable(text: string): string {
  return text.replace(
    /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    '\ufffd',
  );
}
