/** Numbers, times and codes as a person reads them. */
import type { Capacity, RevokeReason } from '@plugpool/proto';

export function describeCapacity({ cpuMillicores, memoryMib, gpus }: Capacity): string {
  const parts = [`${(cpuMillicores / 1000).toFixed(1)} cores`, `${memoryMib} MiB`];
  for (const gpu of gpus) parts.push(`${gpu.shareMillis / 10} % of ${gpu.model} with ${gpu.vramMib} MiB`);
  return parts.join(', ');
}

export function describeDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

/** Local time, as the owner gives it: `2026-12-24 17:30`. */
export function describeTime(time: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = [time.getFullYear(), two(time.getMonth() + 1), two(time.getDate())].join('-');
  return `${day} ${two(time.getHours())}:${two(time.getMinutes())}`;
}

const REVOKED: Readonly<Record<RevokeReason, string>> = {
  unplugged: 'its vehicle was unplugged',
  session_not_lending: "its vehicle's charging no longer allows it",
  session_unverified: "its vehicle's charging could no longer be seen",
  capacity_fell: 'its vehicle lends less than before',
  cancelled: 'it was cancelled',
  deadline_passed: 'its deadline passed',
  policy_paused: 'the owner of its vehicle stopped lending',
  preempted: 'a request with the highest priority took its place',
  draining: 'the operator of the pile empties its vehicle',
  ready_by: 'its battery must be charged in time',
  station_power: 'the station had no more power for it',
  lease_expired: 'its vehicle was not heard any more',
  superseded: 'another try took its place',
  shutting_down: 'the pile is stopping',
};

/** Why a task waits or moved; a code that has no words here stays a code. */
export function describeReason(reason: string): string {
  return Object.hasOwn(REVOKED, reason) ? REVOKED[reason as RevokeReason] : reason;
}

/** Strangers choose some of the texts: nothing in them may command the terminal. Tabs and line breaks stay. */
export function printable(text: string): string {
  return text.replace(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    '\ufffd',
  );
}
