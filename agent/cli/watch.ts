/** Asks again and again until somebody interrupts, and says what is new. */
import { setTimeout as after } from 'node:timers/promises';
import { EXIT_DONE, sayJson, type CliContext } from './context.ts';

const LOOK_EVERY_MS = 500;
/** Clears the terminal and goes to its upper left corner. */
const CLEAR = '\u001b[2J\u001b[H';

export interface Watched<View> {
  readonly look: () => Promise<View>;
  readonly document: (view: View) => object;
  readonly page: (view: View) => string;
  /** What makes a view another one; ages do not. */
  readonly meaning: (view: View) => unknown;
}

/** Gives the exit code, once interrupted. */
export async function watch<View>(
  context: CliContext,
  isJson: boolean,
  { look, document, page, meaning }: Watched<View>,
): Promise<number> {
  const abort = new AbortController();
  const stopListening = context.onInterrupt?.(() => abort.abort());
  let last: string | undefined;
  try {
    for (;;) {
      const view = await look();
      const meant = JSON.stringify(meaning(view));
      if (isJson && meant !== last) sayJson(context, { ok: true, ...document(view) });
      else if (!isJson) show(context, page(view), meant !== last);
      last = meant;
      if (!abort.signal.aborted)
        await after(LOOK_EVERY_MS, undefined, { signal: abort.signal }).catch(() => undefined);
      if (abort.signal.aborted || context.stdout.destroyed) return EXIT_DONE;
    }
  } finally {
    stopListening?.();
  }
}

/** A terminal shows the ages pass; a file gets only what is new. */
function show({ stdout }: CliContext, page: string, isNew: boolean): void {
  const isTerminal = 'isTTY' in stdout && stdout.isTTY === true;
  if (isTerminal) stdout.write(`${CLEAR}${page}\n`);
  else if (isNew) stdout.write(`${page}\n`);
}
