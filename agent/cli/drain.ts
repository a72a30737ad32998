/** `plugpool drain` and `plugpool resume`: nothing more is granted, what runs is taken back with its state; and the other way. */
import { setTimeout as after } from 'node:timers/promises';
import type { Command } from 'commander';
import { CliError, EXIT_DONE, EXIT_FAILED, sayJson, type CliContext } from './context.ts';
import type { ControlClient } from '../adapters/control-socket/control-client.ts';
import type { DrainingView } from '../core/donors/draining.ts';
import { durationMs, vehicleId } from './options.ts';
import {
  answerFrom,
  showUsageOnError,
  talkTo,
  withCommon,
  type CliProgram,
  type CommonFlags,
} from './verb.ts';
import { counted } from './words.ts';

const LOOK_EVERY_MS = 250;

interface DrainFlags extends CommonFlags {
  readonly vehicle?: string;
  readonly wait?: number;
}

export function addDrain(program: Command, cli: CliProgram): void {
  const command = withCommon(program.command('drain'))
    .description('grant nothing more, take back what runs with its state, and wait until nothing runs')
    .option('--vehicle <id>', 'this vehicle alone (default: the whole pile)', vehicleId)
    .option('--wait <duration>', 'wait no longer than this, 60s for example', durationMs);
  showUsageOnError(command).action((flags: DrainFlags) =>
    talkTo(cli, flags, async (agent) => {
      const first = (await agent.ask('drain', named(flags))) as DrainingView;
      return new Drain(cli.context, flags, agent).follow(first);
    }),
  );
}

export function addResume(program: Command, cli: CliProgram): void {
  const command = withCommon(program.command('resume'))
    .description('lend again what was drained')
    .option('--vehicle <id>', 'this vehicle alone (default: the whole pile)', vehicleId);
  showUsageOnError(command).action((flags: DrainFlags) =>
    answerFrom(cli, flags, async (agent) => {
      const draining = (await agent.ask('resume', named(flags))) as DrainingView;
      return { document: { draining }, page: () => resumedInWords(flags, draining) };
    }),
  );
}

function named({ vehicle }: DrainFlags): { readonly vehicleId?: string } {
  return vehicle === undefined ? {} : { vehicleId: vehicle };
}

function resumedInWords({ vehicle }: DrainFlags, { all }: DrainingView): string {
  if (vehicle === undefined) return 'the pile lends again';
  return all ? `${vehicle} is drained with the whole pile alone` : `${vehicle} lends again`;
}

type Ended = 'drained' | 'interrupted' | 'late';

/** Looks until nothing runs, the time is over or somebody interrupts. It goes on draining whatever ends the look. */
class Drain {
  readonly #context: CliContext;
  readonly #flags: DrainFlags;
  readonly #agent: ControlClient;
  readonly #startMs = performance.now();
  readonly #abort = new AbortController();
  #toldRunning: number | undefined;

  constructor(context: CliContext, flags: DrainFlags, agent: ControlClient) {
    this.#context = context;
    this.#flags = flags;
    this.#agent = agent;
  }

  async follow(first: DrainingView): Promise<number> {
    const stopListening = this.#context.onInterrupt?.(() => this.#abort.abort());
    try {
      let view = first;
      for (;;) {
        this.#tell(view);
        const ended = this.#hasEnded(view);
        if (ended !== undefined) return this.#conclude(view, ended);
        await after(LOOK_EVERY_MS, undefined, { signal: this.#abort.signal }).catch(() => undefined);
        view = await this.#look();
      }
    } finally {
      stopListening?.();
    }
  }

  async #look(): Promise<DrainingView> {
    const view = (await this.#agent.ask('draining', named(this.#flags))) as DrainingView;
    const { vehicle } = this.#flags;
    if (view.all || (vehicle !== undefined && view.vehicles.some((id) => id === vehicle))) return view;
    throw new CliError(
      'resumed_meanwhile',
      'somebody resumed it meanwhile: it lends again',
      'drain it again, if that was a mistake',
    );
  }

  #hasEnded({ running }: DrainingView): Ended | undefined {
    if (running === 0) return 'drained';
    if (this.#abort.signal.aborted) return 'interrupted';
    const { wait = Infinity } = this.#flags;
    return performance.now() - this.#startMs >= wait ? 'late' : undefined;
  }

  #tell(view: DrainingView): void {
    if (view.running === this.#toldRunning) return;
    this.#toldRunning = view.running;
    if (this.#flags.json === true) return sayJson(this.#context, { ok: true, done: false, draining: view });
    this.#context.stdout.write(
      `draining ${this.#what()}: ${view.running === 0 ? 'nothing runs' : `${counted(view.running, 'run')} left`}\n`,
    );
  }

  #conclude(view: DrainingView, ended: Ended): number {
    const isDrained = ended === 'drained';
    if (this.#flags.json === true)
      sayJson(this.#context, { ok: isDrained, done: true, ended, draining: view });
    else this.#context.stdout.write(`${this.#endInWords(ended)}\n`);
    return isDrained ? EXIT_DONE : EXIT_FAILED;
  }

  #endInWords(ended: Ended): string {
    const back = `"plugpool resume${this.#flags.vehicle === undefined ? '' : ` --vehicle ${this.#flags.vehicle}`}" takes it back`;
    if (ended === 'drained') return `${this.#what()} is drained; ${back}`;
    return `${this.#what()} goes on draining, and is not through yet; ${back}`;
  }

  #what(): string {
    return this.#flags.vehicle ?? 'the pile';
  }
}
