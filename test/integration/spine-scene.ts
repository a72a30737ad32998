/** What the tests over the whole system share: a pile and vehicles as real processes, and programs that take as long as told. */
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { connectRequester, type Requester } from '@plugpool/vehicle-client';
import { Stage } from '../../scripts/stage.ts';
import { command, COPY_STDIN } from '../fixtures/wasm/modules.ts';

/** Ends with the test, and everything that it started with it. */
export function openStage(t: TestContext, agentConfig: Readonly<Record<string, unknown>> = {}): Stage {
  const stage = new Stage({ agentConfig });
  t.after(() => stage.stop());
  return stage;
}

/**
 * Processes under which everything on this machine runs. Their load counts as a donor's own, so that a machine which is busy with
 * other tests lends as much as a quiet one.
 */
export const OWN_ROOT_PIDS = [1, oldestAncestor(process.pid)];

/** A donor that lends all of this machine. */
export const LENDS_ALL = {
  sandbox: 'bwrap-else-process',
  runtimes: ['wasm', 'echo'],
  policy: { cpuPercent: 100, memoryPercent: 100, temperatureMaxC: 120 },
  probe: { ownRootPids: OWN_ROOT_PIDS, sampleEveryS: 0.5 },
} as const;

/** In a container the shell that started everything need not be a child of process 1. */
function oldestAncestor(pid: number): number {
  const parent = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  return parent === 0 ? pid : oldestAncestor(parent);
}

/** The firmware says that these vehicles charge, at connectors from 1 on; each lends from a process of its own. */
export async function startDonors(stage: Stage, vehicleIds: readonly string[]) {
  for (const [index, vehicleId] of vehicleIds.entries())
    await stage.ask('firmware', { step: 'charge', connector: String(index + 1), vehicleId });
  const donors = new Map(vehicleIds.map((id) => [id, stage.startDonor(id, LENDS_ALL)]));
  await untilLending(stage, vehicleIds.length);
  return donors;
}

export async function untilLending(stage: Stage, count: number): Promise<void> {
  await stage.until(`${count} donors to lend`, async () => {
    const { donorsEligible } = (await stage.ask('status')) as { donorsEligible: number };
    return donorsEligible === count;
  });
}

export interface Needs {
  readonly runtime?: 'wasm' | 'echo';
  readonly cpuMillicores?: number;
  readonly memoryMib?: number;
  readonly workCoreS?: number;
  /** It can keep its state and go on elsewhere. */
  readonly checkpoints?: boolean;
}

/** Whoever answers the operator's verbs: a stage, or an agent in this process. */
export interface Pile {
  ask(verb: string, args?: object): Promise<unknown>;
}

/** Sends the image as the operator's command does, and catalogues it as version 1. */
export async function addProgram(pile: Pile, id: string, image: Uint8Array, needs: Needs = {}) {
  const { runtime = 'wasm', cpuMillicores = 400, memoryMib = 64, workCoreS = 1, checkpoints = false } = needs;
  const bytes = Buffer.from(image);
  const about = { digest: hash('sha256', bytes, 'hex'), sizeBytes: bytes.length };
  await pile.ask('imagePart', { ...about, offset: 0, dataBase64: bytes.toString('base64') });
  const demands = [{ cpuMillicores, memoryMib, threads: 1 }];
  const program = { id, version: '1', type: id, runtime, image: about };
  return pile.ask('addAlgorithm', { ...program, demands, workCoreS, checkpoints });
}

export function addEcho(pile: Pile): Promise<unknown> {
  return addProgram(pile, 'echo', Buffer.from('echo'), { runtime: 'echo', cpuMillicores: 5, memoryMib: 1 });
}

/**
 * Computes for so many rounds, then copies its input to its output. Each round divides what the round before gave, which no
 * compiler shortens: ten million take about a tenth of a second on a core.
 */
export function computesThenCopies(rounds: number): Uint8Array {
  return command(
    `(local $left i64) (local $x i64) (local.set $left (i64.const ${rounds}))
     (loop $again
       (local.set $x (i64.add (i64.const 0x7fffffffffffff00)
         (i64.div_u (local.get $x) (i64.add (i64.const 3) (i64.and (local.get $left) (i64.const 7))))))
       (local.set $left (i64.sub (local.get $left) (i64.const 1)))
       (br_if $again (i64.ne (local.get $left) (i64.const 0))))
     (i64.store (i32.const 40) (local.get $x))
     ${COPY_STDIN('(i32.const 0)')}`,
  );
}

export async function connectAs(
  t: TestContext,
  pile: { readonly url: string },
  vehicleId: string,
  dataDir: string,
): Promise<Requester> {
  const requester = await connectRequester({ agent: pile.url, vehicleId, dataDir });
  t.after(() => requester.close());
  return requester;
}
