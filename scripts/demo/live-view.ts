/** What happens at the pile while it happens: a line for each event, and on a terminal a small picture that moves. */
import { styleText } from 'node:util';
import type { Stage } from '../stage.ts';

interface Vehicle {
  readonly vehicleId: string;
  readonly phase: string;
  readonly connectorId: string | null;
  readonly session: string | null;
  readonly lendable: { readonly cpuMillicores: number };
  readonly free: { readonly cpuMillicores: number };
  readonly runs: readonly string[];
}

interface Task {
  readonly taskId: string;
  readonly requester: string;
  readonly algorithm: string;
  readonly state: string;
  readonly donor: string | null;
  readonly attempts: number;
  readonly reason: string | null;
  readonly waitsFor: string | null;
}

const REFRESH_MS = 250;
const BAR = 20;

export class LiveView {
  readonly #stage: Stage;
  readonly #out: NodeJS.WriteStream;
  readonly #startMs = performance.now();
  readonly #seen = new Map<string, string>();
  #drawn = 0;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;

  constructor(stage: Stage, out: NodeJS.WriteStream) {
    this.#stage = stage;
    this.#out = out;
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
    }, REFRESH_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
    this.#erase();
  }

  say(text: string): void {
    this.#erase();
    const seconds = ((performance.now() - this.#startMs) / 1000).toFixed(1).padStart(5);
    this.#out.write(`${this.#style('dim', `${seconds} s`)}  ${text}\n`);
  }

  async #look(): Promise<void> {
    try {
      const vehicles = (await this.#stage.ask('vehicles')) as Vehicle[];
      const tasks = (await this.#stage.ask('tasks', { limit: 100 })) as Task[];
      for (const vehicle of vehicles) this.#noteVehicle(vehicle);
      for (const task of [...tasks].reverse()) this.#noteTask(task);
      this.#draw(vehicles, tasks);
    } catch {
      // The agent is stopping, or busy: the next look tells more.
    }
  }

  #noteVehicle({ vehicleId, session, connectorId, phase }: Vehicle): void {
    if (phase === 'asks') return;
    if (!this.#isNews(vehicleId, session ?? 'away')) return;
    const where = connectorId === null ? '' : ` at ${connectorId}`;
    if (session === null) this.say(this.#style('yellow', `${vehicleId} is unplugged`));
    else this.say(`${vehicleId}${where} is ${session}`);
  }

  #noteTask({ taskId, state, donor, attempts, requester, algorithm, ...why }: Task): void {
    const stage = state === 'running' ? `running on ${donor ?? '?'} (${attempts})` : state;
    const before = this.#seen.get(taskId);
    if (!this.#isNews(taskId, stage)) return;
    const name = `${taskId} ${algorithm} for ${requester}`;
    if (state === 'running' && attempts > 1)
      this.say(this.#style('yellow', `${name} goes on at ${donor ?? '?'}, attempt ${attempts}`));
    else if (state === 'running') this.say(`${name} runs on ${donor ?? '?'}`);
    else if (state === 'queued' && before !== undefined)
      this.say(`${name} waits again: ${inWords(why) || 'for another donor'}`);
    else if (state !== 'queued')
      this.say(this.#style(state === 'completed' ? 'green' : 'red', `${name}: ${state}`));
  }

  #isNews(key: string, value: string): boolean {
    if (this.#seen.get(key) === value) return false;
    this.#seen.set(key, value);
    return true;
  }

  /** On a terminal only; elsewhere the lines of the events are enough. */
  #draw(vehicles: readonly Vehicle[], tasks: readonly Task[]): void {
    if (!this.#out.isTTY) return;
    this.#erase();
    const donors = vehicles.filter((vehicle) => vehicle.phase !== 'asks');
    const lines = donors.map((donor) => {
      const total = Math.max(1, donor.lendable.cpuMillicores);
      const used = Math.min(BAR, Math.round((1 - donor.free.cpuMillicores / total) * BAR));
      const bar = '█'.repeat(Math.max(0, used)).padEnd(BAR, '░');
      return `  ${donor.vehicleId.padEnd(12)} ${bar} ${(donor.session ?? 'unplugged').padEnd(12)} ${donor.runs.join(' ')}`;
    });
    const count = (state: string): number => tasks.filter((task) => task.state === state).length;
    lines.push(`  ${count('queued')} wait, ${count('running')} run, ${count('completed')} are done`);
    this.#out.write(`${lines.join('\n')}\n`);
    this.#drawn = lines.length;
  }

  #erase(): void {
    if (this.#drawn > 0) this.#out.write(`\u001b[${this.#drawn}A\u001b[J`);
    this.#drawn = 0;
  }

  #style(format: 'dim' | 'green' | 'yellow' | 'red', text: string): string {
    return styleText(format, text, { stream: this.#out });
  }
}

/** How its last try ended, and whose word it still needs. */
function inWords({ reason, waitsFor }: Pick<Task, 'reason' | 'waitsFor'>): string {
  return [reason, waitsFor].filter((each) => each !== null).join('; ');
}
