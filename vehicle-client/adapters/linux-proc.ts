/** What Linux tells of itself under /proc and /sys; small synchronous reads, for the probe alone. */
import { readFileSync, readdirSync } from 'node:fs';

/** Ticks a second in /proc; 100 on every Linux that Node runs on (`getconf CLK_TCK`). */
export const TICKS_PER_SEC = 100;
/** Processes that one look follows at most. */
const TREE_PIDS_MAX = 4096;
const MIB = 1024 * 1024;
const PAGE_BYTES = 4096;

export interface CpuTicks {
  readonly busy: number;
  readonly total: number;
}

/** The first line of /proc/stat. Guest time is part of user time already; waiting for a disk is idle. */
export function parseCpuTicks(stat: string): CpuTicks {
  const fields = (stat.slice(0, stat.indexOf('\n')).match(/\d+/g) ?? []).slice(0, 8).map(Number);
  const [user = 0, nice = 0, system = 0, idle = 0, ioWait = 0, irq = 0, softIrq = 0, steal = 0] = fields;
  // Time that a hypervisor took is nobody's use here: it counts in the total alone.
  const busy = user + nice + system + irq + softIrq;
  return { busy, total: busy + idle + ioWait + steal };
}

export interface ProcessTicks {
  /** Its own, and that of children which it waited for. */
  readonly ticks: number;
  readonly parentPid: number;
  readonly residentPages: number;
}

/** /proc/<pid>/stat. The name stands in parentheses and may itself hold parentheses and spaces. */
export function parseProcessTicks(stat: string): ProcessTicks | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [parentPid, user, system, childUser, childSystem, resident] = [1, 11, 12, 13, 14, 21].map((i) =>
    Number(fields[i]),
  );
  const ticks = (user ?? NaN) + (system ?? NaN) + (childUser ?? NaN) + (childSystem ?? NaN);
  if (!Number.isFinite(ticks) || parentPid === undefined) return undefined;
  return { ticks, parentPid, residentPages: resident ?? 0 };
}

/** `MemAvailable` of /proc/meminfo. */
export function parseAvailableMib(meminfo: string): number | undefined {
  const kib = /^MemAvailable:\s+(\d+) kB$/m.exec(meminfo)?.[1];
  return kib === undefined ? undefined : Math.floor(Number(kib) / 1024);
}

export function readCpuTicks(): CpuTicks {
  return parseCpuTicks(readFileSync('/proc/stat', 'utf8'));
}

/** CPU time of the whole machine since it started; undefined where /proc does not tell. */
export function readMachineCpuMs(): number | undefined {
  const stat = tryRead('/proc/stat');
  return stat === undefined ? undefined : (parseCpuTicks(stat).busy * 1000) / TICKS_PER_SEC;
}

export function readAvailableMib(): number | undefined {
  return parseAvailableMib(readFileSync('/proc/meminfo', 'utf8'));
}

export interface TreeUse {
  readonly ticks: number;
  readonly residentMib: number;
  readonly pids: ReadonlySet<number>;
}

/** CPU time and memory of some processes and everything under them. A process that ends while we look is left out. */
export function readTreeUse(rootPids: readonly number[]): TreeUse {
  const pids = new Set<number>();
  const open = [...rootPids];
  let ticks = 0;
  let residentPages = 0;
  for (let pid = open.pop(); pid !== undefined && pids.size < TREE_PIDS_MAX; pid = open.pop()) {
    if (pids.has(pid)) continue;
    const process = readProcess(pid);
    if (process === undefined) continue;
    pids.add(pid);
    ticks += process.ticks;
    residentPages += process.residentPages;
    open.push(...childrenOf(pid));
  }
  return { ticks, residentMib: Math.floor((residentPages * PAGE_BYTES) / MIB), pids };
}

function readProcess(pid: number): ProcessTicks | undefined {
  const stat = tryRead(`/proc/${pid}/stat`);
  return stat === undefined ? undefined : parseProcessTicks(stat);
}

/** By the kernel's own lists, a file a thread: any thread may have started a child. */
function childrenOf(pid: number): number[] {
  let threads: string[];
  try {
    threads = readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
  return threads.flatMap((thread) => {
    const text = tryRead(`/proc/${pid}/task/${thread}/children`);
    return text === undefined || text === '' ? [] : text.trim().split(' ').map(Number);
  });
}

/** Degrees of every thermal zone and hardware monitor that can be read. */
export function findTemperatureFiles(): string[] {
  return [
    ...listFiles('/sys/class/thermal', /^thermal_zone\d+$/, /^temp$/),
    ...listFiles('/sys/class/hwmon', /^hwmon\d+$/, /^temp\d+_input$/),
  ];
}

/** Sensors that are broken say absurd things; those are left out. */
export function readHottestC(files: readonly string[]): number | undefined {
  const degrees = files
    .map((file) => Number(tryRead(file)) / 1000)
    .filter((value) => Number.isFinite(value) && value > -40 && value < 150);
  return degrees.length === 0 ? undefined : Math.max(...degrees);
}

function listFiles(directory: string, entries: RegExp, files: RegExp): string[] {
  return tryList(directory)
    .filter((entry) => entries.test(entry))
    .flatMap((entry) =>
      tryList(`${directory}/${entry}`)
        .filter((file) => files.test(file))
        .map((file) => `${directory}/${entry}/${file}`),
    );
}

function tryList(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function tryRead(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
