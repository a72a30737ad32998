/**
 * Vehicles that mean harm beside an honest pair: for each attack what the pair's tasks take, and what the agent takes of the machine,
 * before it and while it goes on. Every process its own; the agent is the same throughout, so that what an attack leaves is seen.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { Stage } from '../scripts/stage.ts';
import { addEcho, charge, untilLending } from './echo-pile.ts';
import { ATTACK_NAMES, type AttackName } from './hostile/attack-names.ts';
import { cpuUsOf, memoryOf } from './proc.ts';

const DONORS = ['donor-1', 'donor-2'] as const;
const IN_FLIGHT = '2';
const STRETCH_MS = 4_000;

interface Stretch {
  readonly tasks: number;
  /** Null where no task ended. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly errors: number;
  readonly firstError: string | null;
}

interface Figures extends Stretch {
  readonly attack: AttackName | 'none';
  /** Of one core. */
  readonly agentCpuPercent: number;
  readonly agentRssMib: number;
  readonly agentHandles: number;
}

export async function run(args: readonly string[], json: boolean): Promise<void> {
  const named = ATTACK_NAMES.filter((name) => args.length === 0 || args.includes(name));
  if (named.length === 0) throw new Error(`no such attack; there are ${ATTACK_NAMES.join(', ')}`);
  const stage = new Stage({ agentConfig: { logLevel: 'warn' } });
  const started: Program[] = [];
  try {
    await stage.startAgent();
    await addEcho(stage);
    await charge(stage, [...DONORS, 'requester']);
    const donors = path.join(import.meta.dirname, 'echo-donors.ts');
    for (const vehicleId of DONORS) stage.startProgram(vehicleId, donors, [stage.url, stage.dir, vehicleId]);
    await untilLending(stage, DONORS.length);
    const requester = start('../soak/steady-requester.ts', [
      stage.url,
      stage.vehicleDir('requester'),
      IN_FLIGHT,
    ]);
    started.push(requester);
    await requester.line();
    const measured: Figures[] = [await measure(stage, requester, 'none')];
    for (const attack of named) {
      const hostile = start('attacks.ts', [stage.url, attack]);
      started.push(hostile);
      await hostile.line();
      await delay(STRETCH_MS / 4);
      await requester.ask();
      measured.push(await measure(stage, requester, attack));
      await hostile.end();
      await requester.ask();
      if (!json) print(measured.at(-1));
    }
    measured.push(await measure(stage, requester, 'none'));
    if (json) process.stdout.write(`${JSON.stringify({ attacks: measured })}\n`);
    else for (const each of [measured[0], measured.at(-1)]) print(each);
  } finally {
    for (const each of started) await each.end();
    await stage.stop();
  }
}

type Program = ReturnType<typeof start>;

function start(program: string, args: readonly string[]) {
  const file = path.join(import.meta.dirname, 'hostile', program);
  const child: ChildProcess = spawn(process.execPath, [file, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  if (child.stdout === null) throw new Error(`${program} has no output`);
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const line = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error(`${program} ended`);
    return value;
  };
  return {
    line,
    ask: async (): Promise<Stretch> => {
      child.stdin?.write('{}\n');
      return JSON.parse(await line()) as Stretch;
    },
    end: async (): Promise<void> => {
      const ended = once(child, 'exit');
      child.stdin?.end('end\n');
      await Promise.race([ended, delay(3_000)]);
      child.kill('SIGKILL');
    },
  };
}

async function measure(stage: Stage, requester: Program, attack: Figures['attack']): Promise<Figures> {
  const pid = stage.agentPid;
  const [beganMs, beganUs] = [performance.now(), cpuUsOf(pid)];
  await delay(STRETCH_MS);
  const took = (cpuUsOf(pid) - beganUs) / 10 / (performance.now() - beganMs);
  return {
    attack,
    ...(await requester.ask()),
    agentCpuPercent: took,
    agentRssMib: memoryOf(pid).rssMib,
    agentHandles: readdirSync(`/proc/${pid}/fd`).length,
  };
}

function print(figures: Figures | undefined): void {
  if (figures === undefined) return;
  const { attack, tasks, p50Ms, p99Ms, errors, firstError, agentCpuPercent, agentRssMib, agentHandles } =
    figures;
  process.stdout.write(
    `${attack.padEnd(22)} ${String(tasks).padStart(6)} tasks, p50 ${p50Ms?.toFixed(1) ?? '–'} ms, p99 ${p99Ms?.toFixed(1) ?? '–'} ms, ` +
      `${errors} errors${firstError === null ? '' : ` (${firstError})`}; agent ${agentCpuPercent.toFixed(0)} % of a core, ` +
      `${agentRssMib.toFixed(0)} MiB, ${agentHandles} handles\n`,
  );
}
