/** Makes the scene of a run out of a sessions file and a tasks file: which weeks, which tasks, how many of them. Deterministic. */
import type { SessionRow } from '@plugpool/firmware-bridge';
import { stayOf } from '../sessions/read-stays.ts';
import type { TaskRow } from '../tasks/read-tasks.ts';
import type { PastStay } from './policy.ts';
import { DIMENSIONS, dominantOf, fits, hashShare, type HarvestTask, type Stay, type Vector } from './work.ts';

export interface SceneOptions {
  readonly load: number;
  readonly lend: 'charging' | 'plugged';
  /** Sessions that began in them are only learned from. */
  readonly historyDays: number;
  readonly limitDays: number;
  readonly checkpointShare: number;
  /** Of all unplugs, those that leave no time to write a checkpoint. */
  readonly tornShare: number;
  readonly whole: Vector;
  readonly payers: number;
  readonly latencySlack: number;
  readonly otherSlack: number;
  readonly deadlineFloorS: number;
  /** Standard deviation of ln(estimate ÷ duration). */
  readonly estimateError: number;
  readonly powerKw: number;
  readonly seed: number;
}

export interface Window {
  readonly past: readonly PastStay[];
  readonly stays: readonly Stay[];
  readonly tasks: readonly HarvestTask[];
  /** Larger than any vehicle, in the tasks file. */
  readonly tooLarge: number;
  readonly startMs: number;
  readonly endMs: number;
  /** Of the scarcest dimension. */
  readonly load: number;
  readonly scarcest: keyof Vector;
}

const DAY_MS = 24 * 3600 * 1000;
const LATENCY_SENSITIVE = 'LS';

export function makeWindow(
  sessions: readonly SessionRow[],
  tasks: readonly TaskRow[],
  options: SceneOptions,
): Window {
  const firstMs = Math.floor((sessions[0]?.pluggedMs ?? 0) / DAY_MS) * DAY_MS;
  const startMs = firstMs + options.historyDays * DAY_MS;
  const endMs = startMs + options.limitDays * DAY_MS;
  const all = sessions.map((row, index) => inWorld(row, index, options));
  const stays = all.filter((stay) => stay.unpluggedMs > startMs);
  const supplyMs = stays.reduce((sum, stay) => sum + lentMs(stay, startMs, endMs), 0);
  const small = tasks.filter((row) => fits(row, options.whole));
  const chosen = chooseTasks(small, supplyMs, { startMs, endMs }, options);
  return {
    past: all.filter((stay) => stay.unpluggedMs <= startMs),
    stays: stays.filter((stay) => stay.pluggedMs < endMs + 4 * DAY_MS),
    tooLarge: tasks.length - small.length,
    startMs,
    endMs,
    ...chosen,
  };
}

function inWorld(row: SessionRow, index: number, { lend, powerKw, tornShare, seed }: SceneOptions): Stay {
  const { pluggedMs, unpluggedMs, connectorId } = row;
  const chargingEndMs = stayOf(row, powerKw).chargingEndedWallMs ?? unpluggedMs;
  return {
    connector: connectorId,
    vehicle: `v${index}`,
    pluggedMs,
    unpluggedMs,
    chargingEndMs,
    lendsUntilMs: lend === 'charging' ? chargingEndMs : unpluggedMs,
    graceful: hashShare(seed, 'torn', index) >= tornShare,
    statedDepartureMs: row.statedDepartureMs,
  };
}

function lentMs({ pluggedMs, lendsUntilMs }: Stay, fromMs: number, untilMs: number): number {
  return Math.max(0, Math.min(lendsUntilMs, untilMs) - Math.max(pluggedMs, fromMs));
}

interface Candidate {
  readonly row: TaskRow;
  readonly copy: number;
  readonly submittedMs: number;
  readonly place: number;
}

/** Copies of the trace, each begun at another place of it, thinned by hash until the scarcest dimension has the load asked for. */
function chooseTasks(
  rows: readonly TaskRow[],
  supplyMs: number,
  { startMs, endMs }: { readonly startMs: number; readonly endMs: number },
  options: SceneOptions,
): Pick<Window, 'tasks' | 'load' | 'scarcest'> {
  const windowMs = endMs - startMs;
  const spanMs = Math.max(1, ((rows.at(-1)?.submittedS ?? 0) + 1) * 1000);
  const perCopy = (dimension: keyof Vector): number =>
    (rows.reduce((sum, row) => sum + row[dimension] * row.durationS * 1000, 0) * (windowMs / spanMs)) /
    (options.whole[dimension] * supplyMs);
  const scarcest = DIMENSIONS.reduce((a, b) => (perCopy(b) > perCopy(a) ? b : a));
  const candidates: Candidate[] = [];
  // One copy more than needed: a copy's window may hold less than its mean.
  const copies = Math.ceil(options.load / perCopy(scarcest)) + 1;
  for (let copy = 0; copy < copies; copy += 1)
    candidates.push(...copyOf(rows, copy, spanMs, startMs, windowMs, options.seed));
  candidates.sort((a, b) => a.place - b.place);
  let demand = 0;
  const target = options.load * supplyMs * options.whole[scarcest];
  const tasks: HarvestTask[] = [];
  for (const candidate of candidates) {
    if (demand >= target) break;
    demand += candidate.row[scarcest] * candidate.row.durationS * 1000;
    tasks.push(taskOf(candidate, options));
  }
  tasks.sort((a, b) => a.submittedMs - b.submittedMs || (a.id < b.id ? -1 : 1));
  return { tasks, scarcest, load: demand / (supplyMs * options.whole[scarcest]) };
}

function copyOf(
  rows: readonly TaskRow[],
  copy: number,
  spanMs: number,
  startMs: number,
  windowMs: number,
  seed: number,
): Candidate[] {
  const shiftMs = copy === 0 ? 0 : Math.floor(hashShare(seed, 'copy', copy) * spanMs);
  const candidates: Candidate[] = [];
  for (let round = 0; round * spanMs < windowMs + spanMs; round += 1)
    for (const row of rows) {
      const atMs = Math.floor(row.submittedS * 1000) - shiftMs + round * spanMs;
      if (atMs < 0 || atMs >= windowMs) continue;
      candidates.push({
        row,
        copy: copy * 1000 + round,
        submittedMs: startMs + atMs,
        place: hashShare(seed, row.id, copy, round),
      });
    }
  return candidates;
}

function taskOf({ row, copy, submittedMs }: Candidate, options: SceneOptions): HarvestTask {
  const id = `${row.id}-${copy}`;
  const durationMs = Math.max(1, Math.round(row.durationS * 1000));
  const slack = row.class === LATENCY_SENSITIVE ? options.latencySlack : options.otherSlack;
  const demand = { cpuMillicores: row.cpuMillicores, memoryMib: row.memoryMib, gpuMillis: row.gpuMillis };
  return {
    id,
    submittedMs,
    durationMs,
    estimateMs: Math.max(
      1,
      Math.round(durationMs * Math.exp(options.estimateError * normal(options.seed, id))),
    ),
    deadlineMs: submittedMs + Math.max(options.deadlineFloorS * 1000, slack * durationMs),
    demand,
    dominant: dominantOf(demand, options.whole),
    class: row.class,
    payer: Math.floor(hashShare(options.seed, 'payer', id) * options.payers),
    checkpoints: hashShare(options.seed, 'checkpoints', id) < options.checkpointShare,
  };
}

/** Of mean 0 and deviation 1 (Box and Muller), by hash. */
function normal(seed: number, id: string): number {
  const radius = Math.sqrt(-2 * Math.log(1 - hashShare(seed, 'radius', id)));
  return radius * Math.cos(2 * Math.PI * hashShare(seed, 'angle', id));
}
