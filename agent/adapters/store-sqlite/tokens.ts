/** Statements on `vehicle_token`: the hash of the token that a vehicle was bound to at its first use. */
import type { VehicleId } from '@plugpool/proto';
import type { Database } from 'better-sqlite3';

export function prepareTokens(db: Database) {
  const select = db.prepare<[string], string>('SELECT hash FROM vehicle_token WHERE vehicle_id = ?').pluck();
  const insert = db.prepare('INSERT OR IGNORE INTO vehicle_token (vehicle_id, hash) VALUES (?,?)');
  const remove = db.prepare('DELETE FROM vehicle_token WHERE vehicle_id = ?');

  return {
    tokenHash: (vehicleId: VehicleId): string | undefined => select.get(vehicleId),
    bindToken: (vehicleId: VehicleId, hash: string): boolean => insert.run(vehicleId, hash).changes === 1,
    unbindToken: (vehicleId: VehicleId): boolean => remove.run(vehicleId).changes === 1,
  };
}
