/** Numbers and states as a person reads them. */
import type { Demand } from '@plugpool/proto';
import type { DonorPhase, Ineligible } from '../core/donors/donor.ts';
import type { CapAnswer } from '../core/power/caps.ts';
import type { Priority } from '../core/tasks/priority.ts';
import type { Cell } from './table.ts';

export function durationInWords(ms: number): string {
  if (ms < 0) return `-${durationInWords(-ms)}`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes} min ${Math.floor((ms % 60_000) / 1000)} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export function agoInWords(wallMs: number, nowMs: number = Date.now()): string {
  return `${durationInWords(Math.max(0, nowMs - wallMs))} ago`;
}

export function coresInWords(millicores: number): string {
  return trimmed(millicores / 1000, 2);
}

/** `1 core`, `2 cores`. */
export function counted(count: number | string, noun: string): string {
  return `${count} ${noun}${Number(count) === 1 ? '' : 's'}`;
}

export function coreSecondsInWords(mncs: number): string {
  return (mncs / 1000).toFixed(3);
}

export function bytesInWords(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const kib = bytes / 1024;
  if (kib < 1024) return `${trimmed(kib, 1)} KiB`;
  const mib = kib / 1024;
  return mib < 10_240 ? `${trimmed(mib, 1)} MiB` : `${trimmed(mib / 1024, 1)} GiB`;
}

export function percentInWords(permille: number): string {
  return `${trimmed(permille / 10, 1)} %`;
}

export function demandInWords({ cpuMillicores, memoryMib, gpu }: Demand): string {
  const device =
    gpu === undefined
      ? []
      : [`${percentInWords(gpu.shareMillis)} of ${gpu.model ?? 'a GPU'} with ${gpu.vramMib} MiB`];
  return [counted(coresInWords(cpuMillicores), 'core'), `${memoryMib} MiB`, ...device].join(', ');
}

export function kilowattsInWords(powerMw: number): string {
  return `${(powerMw / 1e6).toFixed(1)} kW`;
}

const CAP_ANSWERS: Readonly<Record<CapAnswer, string>> = {
  set: 'the station took it; whether it works, "plugpool connectors" shows',
  asked: 'the station has not answered yet',
  not_enabled: 'its adapter may not write',
  unsupported: 'its station cannot',
  refused: 'its station refuses',
  no_answer: 'its station does not answer',
  link_lost: 'its station is not reached',
  unknown_connector: 'its firmware has not spoken yet',
};

export function capAnswerInWords(answer: CapAnswer): string {
  return CAP_ANSWERS[answer];
}

export function timeInWords(wallMs: number): string {
  return new Date(wallMs)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, ' UTC');
}

const PHASES: Readonly<Record<DonorPhase | 'asks', Cell>> = {
  eligible: { text: 'lends', colour: 'green' },
  announced: { text: 'waits', colour: 'yellow' },
  draining: { text: 'is leaving', colour: 'yellow' },
  absent: { text: 'away', colour: 'gray' },
  gone: { text: 'left', colour: 'gray' },
  asks: { text: 'asks', colour: 'cyan' },
};

export function phaseInWords(phase: DonorPhase | 'asks'): Cell {
  return PHASES[phase];
}

const INELIGIBLE: Readonly<Record<Ineligible, string>> = {
  not_connected: 'its client is not connected',
  not_plugged: 'not plugged in',
  session_unverified: 'the firmware is not heard',
  session_not_lending: 'its charging does not allow it now',
  identity_too_weak: 'not known surely enough',
  identity_disputed: 'two vehicles named in one stay',
  policy_not_lending: 'its owner does not lend now',
  capacity_stale: 'its last report is too old',
  overdrawn: 'lends less than before',
  ready_by: 'it must be charged in time',
  settling: 'it came and went, and is left in peace for a while',
  draining: 'the operator drains it',
  agent_stopping: 'the agent is stopping',
};

export function ineligibleInWords(why: Ineligible): string {
  return INELIGIBLE[why];
}

const SESSION_STATES: Readonly<Record<string, Cell>> = {
  unknown: { text: 'unknown', colour: 'gray' },
  plugged: { text: 'plugged in', colour: 'yellow' },
  charging: { text: 'charging', colour: 'green' },
  suspendedEV: { text: 'paused by vehicle', colour: 'green' },
  suspendedEVSE: { text: 'paused by station', colour: 'yellow' },
  finishing: { text: 'finished', colour: 'yellow' },
  unplugged: { text: 'free', colour: 'gray' },
  faulted: { text: 'broken', colour: 'red' },
};

export function sessionInWords(state: string): Cell {
  return SESSION_STATES[state] ?? { text: state };
}

const TASK_STATES: Readonly<Record<string, Cell>> = {
  queued: { text: 'waiting', colour: 'yellow' },
  running: { text: 'running', colour: 'cyan' },
  completed: { text: 'done', colour: 'green' },
  failed: { text: 'failed', colour: 'red' },
  expired: { text: 'too late', colour: 'red' },
  cancelled: { text: 'cancelled', colour: 'gray' },
  dead: { text: 'given up', colour: 'red' },
};

export function taskStateInWords(state: string): Cell {
  return TASK_STATES[state] ?? { text: state };
}

/** As the configuration calls them. */
const PRIORITIES: Readonly<Record<Priority, string>> = { 0: 'normal', 1: 'some', 2: 'soon', 3: 'latency' };

export function priorityInWords(priority: Priority): string {
  return PRIORITIES[priority];
}

const OUTCOMES: Readonly<Record<string, Cell>> = {
  completed: { text: 'done', colour: 'green' },
  failed: { text: 'failed', colour: 'red' },
  departed: { text: 'vehicle left', colour: 'yellow' },
  crashed: { text: 'broke off', colour: 'red' },
  declined: { text: 'declined', colour: 'yellow' },
  cancelled: { text: 'cancelled', colour: 'gray' },
  expired: { text: 'too late', colour: 'red' },
};

export function outcomeInWords(outcome: string): Cell {
  return OUTCOMES[outcome] ?? { text: outcome };
}

function trimmed(value: number, digits: number): string {
  return String(Number(value.toFixed(digits)));
}
