/** A line that says how far something is, on standard error, where a person watches. */
import type { Writable } from 'node:stream';
import type { CliContext } from './context.ts';

const EVERY_MS = 250;

export interface ProgressLine {
  /** Takes the line away; resolves when nobody is asked any more. */
  end(): Promise<void>;
}

/** `ask` gives the text, undefined where there is nothing to say yet; where it fails nothing is said. */
export function showProgress(
  context: Pick<CliContext, 'stderr'>,
  ask: () => Promise<string | undefined>,
): ProgressLine {
  const { stderr } = context;
  if (!isWatched(stderr)) return { end: () => Promise.resolve() };
  let isShown = false;
  let asking: Promise<void> | undefined;
  const look = async (): Promise<void> => {
    const text = await ask().catch(() => undefined);
    asking = undefined;
    if (text === undefined) return;
    isShown = true;
    stderr.write(`\r\u001b[K${text}`);
  };
  const timer = setInterval(() => {
    asking ??= look();
  }, EVERY_MS);
  return {
    end: async () => {
      clearInterval(timer);
      await asking;
      if (isShown) stderr.write('\r\u001b[K');
      isShown = false;
    },
  };
}

function isWatched(stream: Writable): boolean {
  return 'isTTY' in stream && stream.isTTY === true;
}
