/** Records for tests of credits: a stay that is over and what it earned, with the one booking that it is made of. */
import type { ConnectorId, FencingToken, InstanceId, TaskId, VehicleId } from '@plugpool/proto';
import type { Account, BookingRecord, CreditId, CreditRecord, Unit } from '../agent/core/records.ts';

export interface StayRecords {
  readonly credit: CreditRecord;
  readonly booking: BookingRecord;
}

/** The `n`th stay, unplugged at `wallMs`; each earned more than the one before. */
export function stayOver(n: number, vehicleId: string, wallMs: number): StayRecords {
  const unit = 'cpuMncs' as Unit;
  const amount = 900 * n;
  return {
    credit: {
      creditId: n as CreditId,
      vehicleId: vehicleId as VehicleId,
      connectorId: 'north/1/1' as ConnectorId,
      pluggedWallMs: wallMs - 3_600_000,
      earned: [{ unit, amount }],
      tariffs: [],
      bookings: 1,
      lastBookedWallMs: wallMs,
      ended: { wallMs, how: 'unplugged' },
    },
    booking: {
      kind: 'result',
      taskId: `t${n}` as TaskId,
      instanceId: `t${n}_0` as InstanceId,
      fencingToken: n as FencingToken,
      segment: 0,
      wallMs,
      entries: [
        { account: 'vehicle:asker' as Account, unit, amount: -amount },
        { account: `vehicle:${vehicleId}` as Account, unit, amount },
      ],
    },
  };
}
