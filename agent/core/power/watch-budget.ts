/**
 * Keeps the station within its limit: runs are taken back, the newest first, where it stays above it; and whoever waits for its power
 * is looked at again when there is some.
 */
import { revoke } from '../leases/lease.ts';
import type { Instance, Lease } from '../state.ts';
import { log, type Turn } from '../turn.ts';
import { demandMw } from './draw.ts';
import { reckon, roomMw } from './station-budget.ts';

/** A kettle is no reason: the limits of stations stand above what they can bear for a moment. */
const OVER_FOR_MS = 10_000;
/** What was taken back shows in the readings after that. */
const AGAIN_AFTER_MS = 60_000;

/** At the end of each step, before anything is granted; costs nothing where there is no limit. */
export function watchBudget(turn: Turn): void {
  const { state, now } = turn;
  const { stationLimitMw } = state.settings.power;
  if (stationLimitMw === undefined) return;
  const [roomBeforeMw, wasOver] = [roomMw(state), state.budget.overSinceMonoMs !== undefined];
  reckon(state, stationLimitMw, now);
  wakeThoseWithPower(turn, roomBeforeMw);
  const { overSinceMonoMs, drawnMw } = state.budget;
  if (overSinceMonoMs === undefined || drawnMw <= stationLimitMw) return state.timers.clear('budget:over');
  if (!wasOver)
    log(turn, 'warn', 'station is above its limit', { drawnMw: Math.round(drawnMw), stationLimitMw });
  if (!state.timers.has('budget:over')) state.timers.set('budget:over', overSinceMonoMs + OVER_FOR_MS);
}

/** It was above the limit for a while. */
export function onBudgetOver(turn: Turn): void {
  const { state, now } = turn;
  const { stationLimitMw } = state.settings.power;
  if (stationLimitMw === undefined) return;
  reckon(state, stationLimitMw, now);
  const { drawnMw, unknown } = state.budget;
  if (unknown > 0 || drawnMw <= stationLimitMw) return;
  takeBack(turn, drawnMw - stationLimitMw);
  state.timers.set('budget:over', now.monoMs + AGAIN_AFTER_MS);
}

/** As much as is too much, and no more than there is. */
function takeBack(turn: Turn, tooMuchMw: number): void {
  let leftMw = tooMuchMw;
  for (const { instance, lease } of newestFirst(turn)) {
    if (leftMw <= 0) return;
    revoke(turn, instance, 'station_power');
    leftMw -= demandMw(turn.state.settings, lease.demand);
  }
}

function newestFirst({ state }: Turn): { readonly instance: Instance; readonly lease: Lease }[] {
  const held = [];
  for (const { leased } of state.donors.values())
    for (const instance of leased.values()) {
      const { lease } = instance;
      if (lease !== undefined && lease.phase !== 'revoking') held.push({ instance, lease });
    }
  return held.sort((a, b) => b.lease.fencingToken - a.lease.fencingToken);
}

/** Nobody who waits could run for want of power before, and can now; their donors did not change. */
function wakeThoseWithPower(turn: Turn, beforeMw: number): void {
  const { state } = turn;
  const nowMw = roomMw(state);
  if (nowMw <= beforeMw || !isWaitedFor(turn, beforeMw, nowMw)) return;
  for (const donor of state.index.donors()) turn.changedDonors.add(donor);
}

function isWaitedFor({ state }: Turn, beforeMw: number, nowMw: number): boolean {
  for (const { need } of state.waiting.groups())
    for (const { demand } of need.ways) {
      const needMw = Math.round(demandMw(state.settings, demand));
      if (needMw > beforeMw && needMw <= nowMw) return true;
    }
  return false;
}
