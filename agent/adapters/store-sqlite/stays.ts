/** Statements on `stay`: past stays of vehicles, as many as are learned from. */
import type { ConnectorId } from '@plugpool/proto';
import type { Database } from 'better-sqlite3';
import { STAYS_MAX } from '../../core/limits.ts';
import type { StayRecord } from '../../core/records.ts';

interface StayRow {
  readonly connector_id: string;
  readonly plugged_wall_ms: number;
  readonly unplugged_wall_ms: number;
  readonly charging_ended_wall_ms: number | null;
  readonly stated_departure_wall_ms: number | null;
}

export function prepareStays(db: Database) {
  const insert =
    db.prepare(`INSERT INTO stay (connector_id, plugged_wall_ms, unplugged_wall_ms, charging_ended_wall_ms,
    stated_departure_wall_ms) VALUES (?,?,?,?,?)`);
  // Keys have no gaps, since only the oldest leave: this finds one row, or none.
  const trim = db.prepare('DELETE FROM stay WHERE stay_key <= ?');
  const selectAll = db.prepare<[], StayRow>('SELECT * FROM stay ORDER BY stay_key');

  return {
    insertStay: (stay: StayRecord): void => {
      const { lastInsertRowid } = insert.run(
        stay.connectorId,
        stay.pluggedWallMs,
        stay.unpluggedWallMs,
        stay.chargingEndedWallMs ?? null,
        stay.statedDepartureWallMs ?? null,
      );
      trim.run(Number(lastInsertRowid) - STAYS_MAX);
    },
    stays: (): StayRecord[] => selectAll.all().map(stayOf),
  };
}

function stayOf(row: StayRow): StayRecord {
  const { charging_ended_wall_ms: ended, stated_departure_wall_ms: stated } = row;
  return {
    connectorId: row.connector_id as ConnectorId,
    pluggedWallMs: row.plugged_wall_ms,
    unpluggedWallMs: row.unplugged_wall_ms,
    ...(ended !== null && { chargingEndedWallMs: ended }),
    ...(stated !== null && { statedDepartureWallMs: stated }),
  };
}
