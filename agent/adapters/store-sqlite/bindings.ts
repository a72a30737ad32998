/** Statements on `binding`: which credential the operator bound to which vehicle. */
import type { Credential, CredentialKind } from '@plugpool/firmware-bridge';
import type { VehicleId } from '@plugpool/proto';
import type { Database } from 'better-sqlite3';
import type { BindingRecord } from '../../core/records.ts';

interface BindingRow {
  readonly kind: CredentialKind;
  readonly pseudonym: string;
  readonly vehicle_id: string;
  readonly bound_wall_ms: number;
}

export function prepareBindings(db: Database) {
  const put = db.prepare(
    'INSERT OR REPLACE INTO binding (kind, pseudonym, vehicle_id, bound_wall_ms) VALUES (?,?,?,?)',
  );
  const remove = db.prepare('DELETE FROM binding WHERE kind = ? AND pseudonym = ?');
  const selectAll = db.prepare<[], BindingRow>('SELECT * FROM binding ORDER BY kind, pseudonym');

  return {
    putBinding: ({ credential, vehicleId, boundWallMs }: BindingRecord): void => {
      put.run(credential.kind, credential.pseudonym, vehicleId, boundWallMs);
    },
    removeBinding: ({ kind, pseudonym }: Credential): void => {
      remove.run(kind, pseudonym);
    },
    bindings: (): BindingRecord[] => selectAll.all().map(bindingOf),
  };
}

function bindingOf(row: BindingRow): BindingRecord {
  return {
    credential: { kind: row.kind, pseudonym: row.pseudonym },
    vehicleId: row.vehicle_id as VehicleId,
    boundWallMs: row.bound_wall_ms,
  };
}
