/**
 * What the OCPP relay costs and adds: many piles with regular meter values through it, and as many directly, at the same time; an
 * agent reads along. Piles and CSMS are processes of their own.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { numbersFrom, percentile } from './options.ts';
import { cpuUsOf, memoryOf } from './proc.ts';
import { slopeOf, type Sample } from './soak/slope.ts';

const ROOT = join(import.meta.dirname, '..');
const WARM_UP_S = 10;
const SAMPLE_EVERY_MS = 2_000;
const MS_PER_MIN = 60_000;

interface Figures {
  readonly piles: number;
  readonly connectors: number;
  readonly everyS: number;
  readonly seconds: number;
  readonly calls: number;
  readonly unanswered: number;
  readonly relayCpuPercent: number;
  readonly cpuUsPerCall: number;
  readonly direct: { readonly p50Ms: number; readonly p99Ms: number };
  readonly relayed: { readonly p50Ms: number; readonly p99Ms: number };
  readonly addedP50Ms: number;
  readonly addedP99Ms: number;
  readonly tapBytes: number;
  readonly memory: { readonly firstMib: number; readonly lastMib: number; readonly growthMibPerMin: number };
}

export async function run(args: readonly string[], json: boolean): Promise<void> {
  const { piles, every, seconds } = numbersFrom(args, { piles: 200, every: 10, seconds: 60 });
  const folder = mkdtempSync(join(tmpdir(), 'plugpool-bench-relay-'));
  const children: ChildProcess[] = [];
  try {
    const figures = await measure(folder, children, piles, every, seconds);
    if (json) process.stdout.write(`${JSON.stringify(figures)}\n`);
    else print(figures);
  } finally {
    for (const child of children) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(
  folder: string,
  children: ChildProcess[],
  piles: number,
  everyS: number,
  seconds: number,
): Promise<Figures> {
  const csms = startChild(children, 'csms.ts', []);
  const csmsUrl = `ws://127.0.0.1:${await csms.said()}/ocpp`;
  const { relay, url } = await startRelay(folder, children, csmsUrl);
  const tap = createConnection(join(folder, 'tap.sock'));
  let tapBytes = 0;
  tap.on('data', (data) => (tapBytes += data.length));
  const { said, stdin } = startChild(children, 'peers.ts', [String(piles), String(everyS * 1_000)]);
  stdin.write(`connect ${url} ${csmsUrl}\n`);
  await said();
  stdin.write(`run ${WARM_UP_S}\n`);
  await said();

  const cpuBeforeUs = cpuUsOf(relay);
  const sampling = sampleMemory(relay, seconds * 1_000);
  stdin.write(`run ${seconds}\n`);
  const times = JSON.parse(await said()) as { relayedMs: number[]; directMs: number[]; unanswered: number };
  const cpuUs = cpuUsOf(relay) - cpuBeforeUs;
  const samples = await sampling;
  tap.destroy();
  const [direct, relayed] = [quantiles(times.directMs), quantiles(times.relayedMs)];
  return {
    piles,
    connectors: 2 * piles,
    everyS,
    seconds,
    calls: times.relayedMs.length,
    unanswered: times.unanswered,
    relayCpuPercent: (100 * cpuUs) / (seconds * 1e6),
    cpuUsPerCall: Math.round(cpuUs / times.relayedMs.length),
    direct,
    relayed,
    addedP50Ms: relayed.p50Ms - direct.p50Ms,
    addedP99Ms: relayed.p99Ms - direct.p99Ms,
    tapBytes,
    memory: {
      firstMib: samples[0]?.value ?? NaN,
      lastMib: samples.at(-1)?.value ?? NaN,
      growthMibPerMin: slopeOf(samples) * MS_PER_MIN,
    },
  };
}

/** `said` resolves with its next line. */
function startChild(children: ChildProcess[], file: string, args: readonly string[]) {
  const child = spawn(process.execPath, [join(ROOT, 'bench/relay', file), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const said = async (): Promise<string> => ((await lines.next()) as { value?: string }).value ?? '';
  return { said, stdin: child.stdin };
}

async function startRelay(folder: string, children: ChildProcess[], csmsUrl: string) {
  const file = join(folder, 'relay.yaml');
  const config = {
    listen: 'ws://127.0.0.1:0',
    upstream: { url: csmsUrl },
    tap: { path: 'tap.sock' },
    logLevel: 'warn',
  };
  writeFileSync(file, JSON.stringify(config));
  const program = join(ROOT, 'firmware-bridge/bin/plugpool-ocpp-relay.js');
  const child = spawn(process.execPath, [program, '--config', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  children.push(child);
  const [line] = (await once(createInterface({ input: child.stderr }), 'line')) as [string];
  const url = /listens on (ws:\S+),/.exec(line)?.[1];
  if (url === undefined || child.pid === undefined) throw new Error(`the relay did not start: ${line}`);
  return { relay: child.pid, url };
}

async function sampleMemory(pid: number, forMs: number): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  const startMs = performance.now();
  for (let atMs = 0; atMs < forMs; atMs = performance.now() - startMs) {
    samples.push({ atMs, value: memoryOf(pid).rssMib });
    await delay(SAMPLE_EVERY_MS);
  }
  return samples;
}

function quantiles(times: readonly number[]): { readonly p50Ms: number; readonly p99Ms: number } {
  const sorted = [...times].sort((a, b) => a - b);
  return { p50Ms: percentile(sorted, 0.5), p99Ms: percentile(sorted, 0.99) };
}

function print(figures: Figures): void {
  const { piles, connectors, everyS, seconds, calls, unanswered, direct, relayed, memory } = figures;
  const ms = (value: number): string => `${value.toFixed(2)} ms`;
  process.stdout.write(
    `${piles} piles with ${connectors} connectors, MeterValues every ${everyS} s each, for ${seconds} s: ${calls} calls, ` +
      `${unanswered} not answered\n` +
      `  relay: ${figures.relayCpuPercent.toFixed(1)} % of a core, ${figures.cpuUsPerCall} µs of CPU time a call and its answer\n` +
      `  directly p50 ${ms(direct.p50Ms)}, p99 ${ms(direct.p99Ms)}; through the relay p50 ${ms(relayed.p50Ms)}, ` +
      `p99 ${ms(relayed.p99Ms)}; added p50 ${ms(figures.addedP50Ms)}, p99 ${ms(figures.addedP99Ms)}\n` +
      `  memory (RSS) ${memory.firstMib.toFixed(1)} MiB at first, ${memory.lastMib.toFixed(1)} MiB at last, ` +
      `${memory.growthMibPerMin.toFixed(2)} MiB a minute\n`,
  );
}
