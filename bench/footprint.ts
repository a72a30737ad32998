/**
 * Memory of an agent that 50 lending vehicles are connected to, after it has brokered tasks between them and a requester;
 * memory and idle load of a vehicle client that lends, with one warm child.
 */
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Stage } from '../scripts/stage.ts';
import { addEcho, charge, untilLending } from './echo-pile.ts';
import { numbersFrom } from './options.ts';
import { aloneMib, cpuUsOf, memoryOf, nameOf, treeOf } from './proc.ts';

const LENDER = 'lender';
const CONCURRENCY = 64;
/** Long enough for a garbage collector to settle after work. */
const SETTLE_MS = 3_000;
const CONNECT_MS_MAX = 60_000;

interface AgentFootprint {
  readonly vehicles: number;
  readonly tasks: number;
  readonly pssMib: number;
  /** With no other Node program on the machine to share the runtime's pages with. */
  readonly aloneMib: number;
}

interface VehicleFootprint {
  readonly pssMib: number;
  readonly aloneMib: number;
  readonly cpuPercent: number;
  readonly idleS: number;
  readonly processes: readonly {
    readonly name: string;
    readonly pssMib: number;
    readonly rssMib: number;
  }[];
}

export async function run(args: readonly string[], json: boolean): Promise<void> {
  const options = numbersFrom(args, { vehicles: 50, tasks: 5_000, 'idle-s': 15 });
  await fillCompileCache();
  const agent = await measureAgent(options.vehicles, options.tasks);
  const vehicle = await measureVehicle(options['idle-s']);
  if (json) process.stdout.write(`${JSON.stringify({ agent, vehicle })}\n`);
  else print(agent, vehicle);
}

/**
 * In the repository a first start strips the sources of their types, which takes 30 MiB of each process; later starts find
 * that done, and what is installed from packages has no types.
 */
async function fillCompileCache(): Promise<void> {
  const stage = new Stage();
  try {
    await stage.startAgent();
    startLender(stage);
    await stage.until('the vehicle to connect', () => isConnected(stage));
  } finally {
    await stage.stop();
  }
}

async function measureAgent(vehicles: number, tasks: number): Promise<AgentFootprint> {
  const stage = new Stage({ agentConfig: { logLevel: 'warn' } });
  try {
    await stage.startAgent();
    await addEcho(stage);
    const vehicleIds = Array.from({ length: vehicles }, (_, index) => `vehicle-${index + 1}`);
    await charge(stage, vehicleIds);
    const program = path.join(import.meta.dirname, 'echo-donors.ts');
    stage.startProgram('vehicles', program, [stage.url, stage.dir, ...vehicleIds]);
    await untilLending(stage, vehicles, CONNECT_MS_MAX);
    await askForAll(stage, tasks);
    await delay(SETTLE_MS);
    const use = memoryOf(stage.agentPid);
    return { vehicles, tasks, pssMib: use.pssMib, aloneMib: aloneMib([use]) };
  } finally {
    await stage.stop();
  }
}

async function askForAll(stage: Stage, tasks: number): Promise<void> {
  const program = path.join(import.meta.dirname, 'broker-requester.ts');
  const args = [stage.url, stage.vehicleDir('requester'), String(CONCURRENCY), String(tasks), '0'];
  const { code, stderr } = await stage.run(program, args);
  if (code !== 0) throw new Error(`the requester ended with ${code}: ${stderr}`);
}

async function measureVehicle(idleS: number): Promise<VehicleFootprint> {
  const stage = new Stage({ agentConfig: { logLevel: 'warn' } });
  try {
    await stage.startAgent();
    await charge(stage, [LENDER]);
    const pid = startLender(stage);
    // Whether it lends depends on what else runs here; that it is connected, with its child warm, does not.
    await stage.until('the vehicle to connect', () => isConnected(stage));
    await delay(SETTLE_MS);
    const before = loadOf(pid);
    await delay(idleS * 1000);
    const after = loadOf(pid);
    const pids = treeOf(pid);
    const uses = pids.map(memoryOf);
    return {
      pssMib: uses.reduce((sum, { pssMib }) => sum + pssMib, 0),
      aloneMib: aloneMib(uses),
      cpuPercent: ((after.cpuUs - before.cpuUs) / 1000 / (after.monoMs - before.monoMs)) * 100,
      idleS,
      processes: pids.map((each, index) => ({
        name: nameOf(each),
        pssMib: uses[index]?.pssMib ?? 0,
        rssMib: uses[index]?.rssMib ?? 0,
      })),
    };
  } finally {
    await stage.stop();
  }
}

function startLender(stage: Stage): number {
  const { pid } = stage.startDonor(LENDER, {
    sandbox: 'bwrap-else-process',
    warmChildren: { wasm: 1 },
    logLevel: 'warn',
  });
  return pid ?? 0;
}

async function isConnected(stage: Stage): Promise<boolean> {
  const vehicles = (await stage.ask('vehicles')) as readonly {
    readonly vehicleId: string;
    readonly cpuModel: string | null;
  }[];
  return vehicles.some((vehicle) => vehicle.vehicleId === LENDER && vehicle.cpuModel !== null);
}

function loadOf(pid: number): { readonly cpuUs: number; readonly monoMs: number } {
  return { cpuUs: treeOf(pid).reduce((sum, each) => sum + cpuUsOf(each), 0), monoMs: performance.now() };
}

function print(agent: AgentFootprint, vehicle: VehicleFootprint): void {
  process.stdout.write(
    `agent with ${agent.vehicles} lending vehicles, after ${agent.tasks} tasks: ${agent.pssMib.toFixed(1)} MiB PSS ` +
      `(${agent.aloneMib.toFixed(1)} with no other Node program on the machine)\n` +
      `vehicle client with one warm child, idle: ${vehicle.pssMib.toFixed(1)} MiB PSS ` +
      `(${vehicle.aloneMib.toFixed(1)} alone), ${vehicle.cpuPercent.toFixed(2)} % of a core over ${vehicle.idleS} s\n`,
  );
  for (const { name, pssMib, rssMib } of vehicle.processes)
    process.stdout.write(`  ${pssMib.toFixed(1).padStart(6)} MiB PSS, ${rssMib.toFixed(1)} RSS  ${name}\n`);
}
