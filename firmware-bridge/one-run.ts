/** The run of a firmware adapter, from its start to its stop: there is one at a time. */
import { FirmwareError } from './firmware-error.ts';

interface AdapterRun {
  begin(): void | Promise<void>;
  end(): Promise<void>;
}

export class OneRun<Run extends AdapterRun> {
  /** The adapter's name, or that of its source. */
  readonly #who: string;
  #current: Run | undefined;

  constructor(who: string) {
    this.#who = who;
  }

  get current(): Run | undefined {
    return this.#current;
  }

  /** Rejects where one is under way, and as `begin` does; what could not begin is no run. */
  async start(signal: AbortSignal, make: () => Run): Promise<void> {
    signal.throwIfAborted();
    if (this.#current !== undefined) throw alreadyStarted(this.#who);
    const run = make();
    this.#current = run;
    try {
      await run.begin();
    } catch (error) {
      if (this.#current === run) this.#current = undefined;
      throw error;
    }
  }

  async stop(): Promise<void> {
    const run = this.#current;
    this.#current = undefined;
    await run?.end();
  }
}

function alreadyStarted(who: string): FirmwareError {
  return new FirmwareError(
    'already_started',
    `${who} is running already`,
    'Stop it before starting it again',
  );
}
