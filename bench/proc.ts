/** What Linux says of processes: CPU time, memory, children, whether they wait. */
import { readdirSync, readFileSync } from 'node:fs';

/** `USER_HZ`, 100 on every Linux that Node runs on: what /proc counts in. */
const TICK_US = 10_000;
const KIB_PER_MIB = 1024;

/** User and system time of a process, and of those of its children that ended. */
export function cpuUsOf(pid: number): number {
  return cpuUsIn(`/proc/${pid}/stat`);
}

/** Of the threads that bear this name. */
export function threadCpuUsOf(pid: number, name: string): number {
  const directory = `/proc/${pid}/task`;
  return readdirSync(directory)
    .filter((thread) => readFileSync(`${directory}/${thread}/comm`, 'utf8').trim() === name)
    .reduce((sum, thread) => sum + cpuUsIn(`${directory}/${thread}/stat`), 0);
}

function cpuUsIn(statFile: string): number {
  const fields = statFields(statFile);
  // utime, stime, cutime, cstime: fields 14 to 17 of proc(5). A thread's have 0 for the last two, or those of its process.
  const ticks = statFile.includes('/task/') ? fields.slice(11, 13) : fields.slice(11, 15);
  return ticks.reduce((sum, text) => sum + Number(text), 0) * TICK_US;
}

/** From the state (field 3) on: the name before it may hold anything, even a bracket. */
function statFields(statFile: string): string[] {
  const stat = readFileSync(statFile, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** Neither running nor wanting to. */
export function isWaiting(pid: number): boolean {
  return statFields(`/proc/${pid}/stat`)[0] === 'S';
}

/** The process and everything below it. */
export function treeOf(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').trim().split(' '),
  );
  return [pid, ...children.filter((text) => text !== '').flatMap((text) => treeOf(Number(text)))];
}

export function nameOf(pid: number): string {
  const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  const script = words.find((word) => /\.(js|ts|mjs)$/.test(word));
  const program = words[0]?.split('/').at(-1) ?? '';
  return script === undefined ? program : `${program} ${script.split('/').slice(-2).join('/')}`;
}

export interface MemoryUse {
  /** Pages that it shares with others are split among them. */
  readonly pssMib: number;
  readonly rssMib: number;
  readonly privateMib: number;
}

export function memoryOf(pid: number): MemoryUse {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const mib = (key: string): number => {
    const kib = new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(text)?.[1];
    if (kib === undefined) throw new Error(`/proc/${pid}/smaps_rollup has no ${key}`);
    return Number(kib) / KIB_PER_MIB;
  };
  return { pssMib: mib('Pss'), rssMib: mib('Rss'), privateMib: mib('Private_Clean') + mib('Private_Dirty') };
}

/** Of processes of the same program, with nobody else on the machine to share its pages with. */
export function aloneMib(uses: readonly MemoryUse[]): number {
  const privateMib = uses.reduce((sum, use) => sum + use.privateMib, 0);
  return privateMib + Math.max(0, ...uses.map((use) => use.rssMib - use.privateMib));
}

/** What a process made the kernel write to a disk, in whole pages. */
export function writtenBytesOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/io`, 'utf8');
  return Number(/^write_bytes: (\d+)$/m.exec(text)?.[1]);
}
