/** What the owner allows to be lent now: a function of his policy, one sample of the machine, the car's signals and the time. */
import type { Capacity, GpuCapacity } from '@plugpool/proto';
import { isLatched } from './hysteresis.ts';

export type Weekday = 'mon' | 'tue' | 'wed' | 'thu' | 'fri' | 'sat' | 'sun';
export const WEEKDAYS: readonly Weekday[] = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
export const MINUTES_PER_DAY = 24 * 60;

/** From–to in local time; `to` before `from` runs past midnight, and then `days` names the day it begins on. */
export interface HourWindow {
  /** Absent: every day. */
  readonly days?: readonly Weekday[] | undefined;
  readonly fromMinute: number;
  readonly toMinute: number;
}

export interface OwnerPolicy {
  /** Shares of the whole machine that may be lent at most. */
  readonly cpuPercent: number;
  readonly memoryPercent: number;
  readonly gpuPercent: number;
  /** Below this charge nothing is lent. */
  readonly socFloorPercent: number;
  readonly temperatureMaxC: number;
  /** Empty: at all hours. */
  readonly hours: readonly HourWindow[];
  /** In which the hours are meant, an IANA name; absent: that of the machine. */
  readonly timeZone?: string | undefined;
  /** False: also while the battery is full and the vehicle still plugged. */
  readonly chargingOnly: boolean;
  /** What the machine draws more at most while all that is lent computes; what the battery so does not get. */
  readonly computingPowerW: number;
  /** Empty: every algorithm. */
  readonly allowedAlgorithms: readonly string[];
  /** A CEL expression over `request`, evaluated by the pile; absent: any request. */
  readonly requestConstraint?: string | undefined;
}

/** What the owner said last, kept over a restart. */
export interface OwnerState {
  readonly paused: boolean;
  readonly leavingAtWallMs?: number;
}

export interface GpuSample {
  readonly deviceId: string;
  readonly model: string;
  readonly vramMib: number;
  /** Without what this client's own tasks hold. */
  readonly vramUsedByOthersMib: number;
  readonly usedByOthersMillis: number;
}

/** One look at the machine; everything *by others* leaves out this client's own process tree. */
export interface ProbeSample {
  readonly cpuTotalMillicores: number;
  readonly cpuUsedByOthersMillicores: number;
  readonly memoryTotalMib: number;
  /** What is available, plus what this client's own tasks hold. */
  readonly memoryIdleMib: number;
  readonly gpus: readonly GpuSample[];
  /** The hottest sensor; absent where there is none. */
  readonly temperatureC?: number;
  readonly load1: number;
}

/** What only the car knows; whatever it does not tell is absent. */
export interface VehicleSignals {
  readonly socPercent?: number;
  readonly socTargetPercent?: number;
  readonly readyByWallMs?: number;
  readonly chargingPowerW?: number;
  readonly batteryKwh?: number;
  readonly ignition?: 'on' | 'off';
}

export interface LocalTime {
  readonly weekday: Weekday;
  readonly minuteOfDay: number;
}

export type NotLendingCause =
  | 'paused'
  | 'leaving'
  | 'ignition_on'
  | 'outside_hours'
  | 'too_hot'
  | 'battery_low'
  | 'not_charging'
  | 'ready_by'
  /** It was one of these a moment ago (quiet-time.ts). */
  | 'settling'
  | 'no_sample';

/** Which limits are exceeded and not yet clearly left again, so that lending never flaps around one. */
export interface PolicyLatches {
  readonly tooHot: boolean;
  readonly batteryLow: boolean;
  /** Charge still to come needs all the time that is left. */
  readonly behind: boolean;
}

export const NO_LATCHES: PolicyLatches = { tooHot: false, batteryLow: false, behind: false };

export interface PolicyInput {
  readonly policy: OwnerPolicy;
  readonly owner: OwnerState;
  readonly sample: ProbeSample | undefined;
  readonly signals: VehicleSignals;
  readonly wallMs: number;
  readonly local: LocalTime;
  readonly latches: PolicyLatches;
}

export type PolicyDecision = {
  readonly latches: PolicyLatches;
} & (
  | { readonly lending: true; readonly lendable: Capacity }
  | { readonly lending: false; readonly cause: NotLendingCause; readonly reason: string }
);

/** Cooler by this before lending starts again. */
export const TEMPERATURE_HYSTERESIS_C = 5;
/** Charged by this much over the floor before lending starts again. */
export const SOC_HYSTERESIS_PERCENT = 2;
/** A car that draws less than this is not charging. */
export const CHARGING_POWER_MIN_W = 100;
/** Time to spare before the ready-by target, in thousandths of what is needed: where it is less, nothing is lent … */
export const READY_BY_MARGIN_MILLIS = 1_100;
/** … until it is this again. */
export const READY_BY_CLEAR_MILLIS = 1_250;
/** Nothing is lent in the last minute before the driver leaves. */
export const LEAVING_MARGIN_MS = 60_000;

export function decideLending(input: PolicyInput): PolicyDecision {
  const latches = nextLatches(input);
  const refusal = whyNot(input, latches);
  if (refusal !== undefined) return { latches, lending: false, ...refusal };
  // whyNot refused where there is no sample.
  return { latches, lending: true, lendable: lendableOf(input.policy, input.sample as ProbeSample) };
}

export function isWithinHours(hours: readonly HourWindow[], local: LocalTime): boolean {
  return hours.length === 0 || hours.some((window) => isWithinWindow(window, local));
}

function isWithinWindow(window: HourWindow, local: LocalTime): boolean {
  const { fromMinute, toMinute } = window;
  const onDay = (day: Weekday): boolean => window.days === undefined || window.days.includes(day);
  const minute = local.minuteOfDay;
  if (fromMinute < toMinute) return onDay(local.weekday) && minute >= fromMinute && minute < toMinute;
  return (
    (onDay(local.weekday) && minute >= fromMinute) || (onDay(dayBefore(local.weekday)) && minute < toMinute)
  );
}

function dayBefore(day: Weekday): Weekday {
  return WEEKDAYS[(WEEKDAYS.indexOf(day) + 6) % 7] as Weekday;
}

function nextLatches({ policy, sample, signals, latches, wallMs }: PolicyInput): PolicyLatches {
  return {
    tooHot: isLatched(latches.tooHot, sample?.temperatureC, {
      setAtOrAbove: policy.temperatureMaxC,
      clearBelow: policy.temperatureMaxC - TEMPERATURE_HYSTERESIS_C,
    }),
    // The battery's limit is a floor: turned over, it is a ceiling.
    batteryLow: isLatched(latches.batteryLow, negated(signals.socPercent), {
      setAtOrAbove: -policy.socFloorPercent + Number.EPSILON,
      clearBelow: -(policy.socFloorPercent + SOC_HYSTERESIS_PERCENT) + Number.EPSILON,
    }),
    behind: isBehind(policy, signals, wallMs, latches.behind),
  };
}

function negated(value: number | undefined): number | undefined {
  return value === undefined ? undefined : -value;
}

function whyNot(
  input: PolicyInput,
  latches: PolicyLatches,
): { readonly cause: NotLendingCause; readonly reason: string } | undefined {
  const { policy, owner, sample, signals, wallMs, local } = input;
  if (owner.paused) return { cause: 'paused', reason: 'the owner paused lending' };
  if (signals.ignition === 'on') return { cause: 'ignition_on', reason: 'the ignition is on' };
  if (owner.leavingAtWallMs !== undefined && wallMs >= owner.leavingAtWallMs - LEAVING_MARGIN_MS) {
    return { cause: 'leaving', reason: 'it is time for the driver to leave, as he said' };
  }
  if (!isWithinHours(policy.hours, local)) {
    return { cause: 'outside_hours', reason: 'outside the hours that the owner set' };
  }
  if (latches.tooHot) {
    return { cause: 'too_hot', reason: `too hot: the owner's ceiling is ${policy.temperatureMaxC} °C` };
  }
  if (latches.batteryLow) {
    return { cause: 'battery_low', reason: `battery below the owner's floor of ${policy.socFloorPercent} %` };
  }
  if (policy.chargingOnly && (signals.chargingPowerW ?? Infinity) < CHARGING_POWER_MIN_W) {
    return { cause: 'not_charging', reason: 'not charging, and the owner lends only while charging' };
  }
  if (latches.behind) {
    return {
      cause: 'ready_by',
      reason: 'lending might keep the battery from its target at the ready-by time',
    };
  }
  if (sample === undefined) return { cause: 'no_sample', reason: 'the machine was not measured yet' };
  return undefined;
}

/**
 * Whether charge still to come needs all the time that is left if everything that is lent computes meanwhile; false where the
 * car does not tell enough to know. Some cars tell the power before the computing has taken its part, and some after: it is
 * taken off what is told, and to begin again what would be told then must suffice, or lending would turn with itself.
 */
function isBehind(
  { computingPowerW }: OwnerPolicy,
  signals: VehicleSignals,
  wallMs: number,
  wasBehind: boolean,
): boolean {
  const { socPercent, socTargetPercent, readyByWallMs, chargingPowerW, batteryKwh } = signals;
  if (socPercent === undefined || socTargetPercent === undefined || readyByWallMs === undefined) return false;
  if (batteryKwh === undefined || chargingPowerW === undefined) return false;
  const missingWh = ((socTargetPercent - socPercent) / 100) * batteryKwh * 1000;
  if (missingWh <= 0 || readyByWallMs <= wallMs) return false;
  const leftW = chargingPowerW - computingPowerW * (wasBehind ? 2 : 1);
  if (leftW <= 0) return true;
  const neededMs = (missingWh / leftW) * 3_600_000;
  const marginMillis = wasBehind ? READY_BY_CLEAR_MILLIS : READY_BY_MARGIN_MILLIS;
  return wallMs + (neededMs * marginMillis) / 1000 > readyByWallMs;
}

/** Of each resource the owner's share of the whole, and never more than his own programs leave idle. */
function lendableOf(policy: OwnerPolicy, sample: ProbeSample): Capacity {
  return {
    cpuMillicores: leastOf(
      sample.cpuTotalMillicores,
      policy.cpuPercent,
      sample.cpuTotalMillicores - sample.cpuUsedByOthersMillicores,
    ),
    memoryMib: leastOf(sample.memoryTotalMib, policy.memoryPercent, sample.memoryIdleMib),
    gpus: sample.gpus.map((gpu) => lendableGpu(policy.gpuPercent, gpu)),
  };
}

function lendableGpu(gpuPercent: number, gpu: GpuSample): GpuCapacity {
  return {
    deviceId: gpu.deviceId,
    model: gpu.model,
    shareMillis: leastOf(1000, gpuPercent, 1000 - gpu.usedByOthersMillis),
    vramMib: leastOf(gpu.vramMib, gpuPercent, gpu.vramMib - gpu.vramUsedByOthersMib),
  };
}

function leastOf(total: number, percent: number, idle: number): number {
  return Math.max(0, Math.floor(Math.min((total * percent) / 100, idle)));
}
