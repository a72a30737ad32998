/** What keeps a value that trembles around a limit from being told as news each time. */
import type { Capacity } from '@plugpool/proto';

export interface LatchBounds {
  readonly setAtOrAbove: number;
  /** Below `setAtOrAbove`. */
  readonly clearBelow: number;
}

/** Set at one bound, cleared at another; a value that is not known changes nothing. */
export function isLatched(was: boolean, value: number | undefined, bounds: LatchBounds): boolean {
  if (value === undefined) return was;
  return was ? value >= bounds.clearBelow : value >= bounds.setAtOrAbove;
}

/** What a report says that makes it news when it changes. */
export interface Reported {
  readonly lending: boolean;
  readonly lendable: Capacity;
  /** What else must be told when it changes (images, allowed algorithms, departure), as one comparable text. */
  readonly rest: string;
}

export interface ReportState {
  readonly last?: { readonly atMonoMs: number; readonly reported: Reported };
  /** Since when more than was reported is idle. */
  readonly roomierSinceMonoMs?: number;
}

/** At most one report in this time. */
export const REPORT_EVERY_MIN_MS = 1_000;
/** At least one; the pile holds one of thirty seconds for stale. */
export const REPORT_EVERY_MAX_MS = 10_000;
/** More idle capacity must last this long before it is told; less is told at once. */
export const ROOMIER_FOR_MS = 4_000;
/** A change of less than this part of what was reported is not news. */
export const MATERIAL_MILLIS = 100;

export type ReportDecision = { readonly report: boolean; readonly state: ReportState };

/** Whether the pile must hear of `next` now; where it must, the state counts it as told. */
export function decideReport(state: ReportState, next: Reported, nowMonoMs: number): ReportDecision {
  const { last } = state;
  const told: ReportDecision = { report: true, state: { last: { atMonoMs: nowMonoMs, reported: next } } };
  if (last === undefined) return told;
  const sinceMs = nowMonoMs - last.atMonoMs;
  if (sinceMs >= REPORT_EVERY_MAX_MS) return told;
  const change = compareReports(last.reported, next);
  if (change === 'same') return { report: false, state: { last } };
  if (change === 'roomier') {
    const roomierSinceMonoMs = state.roomierSinceMonoMs ?? nowMonoMs;
    if (nowMonoMs - roomierSinceMonoMs < ROOMIER_FOR_MS || sinceMs < REPORT_EVERY_MIN_MS) {
      return { report: false, state: { last, roomierSinceMonoMs } };
    }
    return told;
  }
  return sinceMs >= REPORT_EVERY_MIN_MS ? told : { report: false, state };
}

function compareReports(was: Reported, is: Reported): 'same' | 'urgent' | 'roomier' {
  if (was.lending !== is.lending || was.rest !== is.rest) return 'urgent';
  const changes = dimensionsOf(was.lendable, is.lendable);
  if (changes === undefined || changes.some(({ from, to }) => isMaterial(from, to) && to < from))
    return 'urgent';
  return changes.some(({ from, to }) => isMaterial(from, to)) ? 'roomier' : 'same';
}

function isMaterial(from: number, to: number): boolean {
  return Math.abs(to - from) * 1000 > Math.max(from, to) * MATERIAL_MILLIS;
}

/** Pairs of what was and what is; undefined where a GPU came or went. */
function dimensionsOf(was: Capacity, is: Capacity): readonly { from: number; to: number }[] | undefined {
  if (was.gpus.length !== is.gpus.length) return undefined;
  const pairs = [
    { from: was.cpuMillicores, to: is.cpuMillicores },
    { from: was.memoryMib, to: is.memoryMib },
  ];
  for (const [index, gpu] of is.gpus.entries()) {
    const before = was.gpus[index];
    if (before === undefined || before.deviceId !== gpu.deviceId) return undefined;
    pairs.push({ from: before.shareMillis, to: gpu.shareMillis }, { from: before.vramMib, to: gpu.vramMib });
  }
  return pairs;
}
