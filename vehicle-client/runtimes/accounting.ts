/** What the kernel counted for one process: read from outside of it, so that no program can forge it. Linux only. */
import fs from 'node:fs';

export interface Accounting {
  readonly cpuMs: number;
  readonly rssMib: number;
  /** The highest `rssMib` so far. */
  readonly peakMib: number;
  /** Private writable memory that is mapped, resident or not; what RLIMIT_DATA counts. */
  readonly dataMib: number;
}

const NS_PER_MS = 1e6;
/** USER_HZ is 100 on every Linux platform that Node runs on. */
const TICK_MS = 10;
const FIELD_UTIME = 11;
const FIELD_STIME = 12;

/** Undefined where the process is gone or the kernel shows none of it. */
export function readAccounting(pid: number): Accounting | undefined {
  try {
    const status = fs.readFileSync(`/proc/${pid}/status`, 'latin1');
    return {
      cpuMs: Math.max(threadsCpuMs(pid), tickedCpuMs(pid)),
      rssMib: fieldMib(status, 'VmRSS'),
      peakMib: fieldMib(status, 'VmHWM'),
      dataMib: fieldMib(status, 'VmData'),
    };
  } catch {
    return undefined;
  }
}

/** The precise sum over the threads that exist. The ticks count threads that ended too, and serve kernels without schedstat. */
function threadsCpuMs(pid: number): number {
  let ns = 0;
  for (const thread of fs.readdirSync(`/proc/${pid}/task`)) ns += threadCpuNs(pid, thread);
  return ns / NS_PER_MS;
}

function threadCpuNs(pid: number, thread: string): number {
  try {
    const text = fs.readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1');
    return Number(text.slice(0, text.indexOf(' ')));
  } catch {
    return 0;
  }
}

function tickedCpuMs(pid: number): number {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The second field is the command in parentheses and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[FIELD_UTIME]) + Number(fields[FIELD_STIME])) * TICK_MS;
}

function fieldMib(status: string, name: string): number {
  const match = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status);
  return match ? Number(match[1]) / 1024 : 0;
}
