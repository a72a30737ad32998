/** What a donor reports: what it lends, as far as it is believed, and when it leaves. */
import type { Capacity, CapacityReport } from '@plugpool/proto';
import { clampTo, NOTHING } from './capacity.ts';
import { refreshDonor, sessionOf } from './donor.ts';
import type { Client, Donor, State } from '../state.ts';
import { donorOf, log, refuse, type Turn } from '../turn.ts';

export function onCapacity(turn: Turn, client: Client, report: CapacityReport, correlationId: number): void {
  const { state, now } = turn;
  const donor = donorOf(state, client.name.vehicleId);
  if (report.constraint !== donor.report?.constraint) refuseConstraint(turn, client, report, correlationId);
  donor.report = report;
  donor.lendable = believe(turn, donor, report.lendable);
  donor.reportedMonoMs = now.monoMs;
  donor.cachedImages = new Set(report.cachedImages);
  donor.departureMonoMs = departureOf(state, donor);
  state.timers.set(`report:${donor.vehicleId}`, now.monoMs + state.settings.capacityStaleMs + 1);
  refreshDonor(turn, donor);
}

/** The report counts; but nothing meets a constraint that cannot be read. */
function refuseConstraint(
  turn: Turn,
  client: Client,
  { constraint }: CapacityReport,
  correlationId: number,
): void {
  if (constraint === undefined) return;
  const compiled = turn.state.constraints.compile(constraint, 'request');
  if (compiled.ok) return;
  refuse(turn, { clientId: client.name.clientId, correlationId }, [
    { code: 'constraint_invalid', detail: compiled.why, hint: compiled.hint },
  ]);
}

/** The earlier of what the driver told the vehicle and what was told to the station. */
export function departureOf(state: State, { vehicleId, report, reportedMonoMs }: Donor): number | undefined {
  const told = report?.departureInMs === undefined ? undefined : reportedMonoMs + report.departureInMs;
  const stated = sessionOf(state, vehicleId)?.departureMonoMs;
  if (told === undefined || stated === undefined) return told ?? stated;
  return Math.min(told, stated);
}

/** What the vehicle lends, cut down to what its hardware has, and to what it just took back. */
function believe(turn: Turn, donor: Donor, reported: Capacity): Capacity {
  if (donor.hardware === undefined) return NOTHING;
  const hardware = {
    cpuMillicores: donor.hardware.cores * 1000,
    memoryMib: donor.hardware.memoryMib,
    gpus: donor.hardware.gpus,
  };
  const { capacity, clamped } = clampTo(reported, hardware);
  if (clamped)
    log(turn, 'warn', 'reports more than its hardware', { vehicleId: donor.vehicleId, reported, hardware });
  const { heldDown } = donor;
  if (heldDown === undefined) return capacity;
  if (turn.now.monoMs < heldDown.untilMonoMs) return clampTo(capacity, heldDown.to).capacity;
  donor.heldDown = undefined;
  return capacity;
}
