/** What every command shares: where it writes, how it says a result or an error, and how it ends. */
import type { Readable, Writable } from 'node:stream';
import { PlugpoolError } from '../errors.ts';
import { printable } from './words.ts';

export const EXIT_DONE = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;

export interface CliContext {
  readonly stdin: Readable;
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly env: NodeJS.ProcessEnv;
  /** Calls back at each interrupt (Ctrl-C) until the returned function is called. */
  onInterrupt(callback: () => void): () => void;
  /** Ends the process now, whatever is still under way. */
  exitNow(code: number): never;
}

/** `npm run` hands a terminal's Ctrl-C on to its child, who so hears it twice: a second one counts only after this time. */
const INTERRUPT_AGAIN_AFTER_MS = 500;

export function processContext(): CliContext {
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    onInterrupt: listenForInterrupts,
    exitNow: (code) => process.exit(code),
  };
}

function listenForInterrupts(callback: () => void): () => void {
  let lastMonoMs = -Infinity;
  const onSignal = (): void => {
    const nowMonoMs = performance.now();
    if (nowMonoMs - lastMonoMs < INTERRUPT_AGAIN_AFTER_MS) return;
    lastMonoMs = nowMonoMs;
    callback();
  };
  for (const signal of INTERRUPTS) process.on(signal, onSignal);
  return () => {
    for (const signal of INTERRUPTS) process.removeListener(signal, onSignal);
  };
}

const INTERRUPTS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Codes of errors that a correct command line or configuration would not have caused. */
const USAGE_CODES: ReadonlySet<string> = new Set([
  'agent_url_invalid',
  'config_invalid',
  'data_dir_too_long',
  'deadline_invalid',
  'invalid_argument',
  'selector_invalid',
  'time_invalid',
  'usage',
  'vehicle_id_invalid',
  'wants_invalid',
]);

/** Says what went wrong, on standard error, and with `--json` on standard output too; gives the exit code. */
export function sayError(context: CliContext, error: unknown, isJson: boolean, about: object = {}): number {
  const told = asPlugpoolError(error);
  if (isJson) sayJson(context, { ok: false, ...about, error: errorJson(told) });
  context.stderr.write(`plugpool-vehicle: ${printable(told.message)}\n`);
  if (told.hint !== '') context.stderr.write(`  what to do: ${printable(told.hint)}\n`);
  return USAGE_CODES.has(told.code) ? EXIT_USAGE : EXIT_FAILED;
}

export function sayJson(context: CliContext, document: object): void {
  context.stdout.write(`${JSON.stringify(document)}\n`);
}

export function errorJson({ code, message, hint, retryable, reasons }: PlugpoolError): object {
  return { code, message, hint, retryable, reasons };
}

function asPlugpoolError(error: unknown): PlugpoolError {
  if (error instanceof PlugpoolError) return error;
  return new PlugpoolError({
    code: 'internal',
    message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    hint: 'this is a fault of the program: please report it with the lines above',
    retryable: false,
    cause: error,
  });
}

/** Columns under their headings, as wide as what stands in them. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  return [headings, ...rows]
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
