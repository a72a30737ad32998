/** Statements on `algorithm`: the catalogue. */
import type { AlgorithmId, Demand, Digest, RuntimeKind } from '@plugpool/proto';
import type { Database } from 'better-sqlite3';
import type { AlgorithmRecord, Comparison } from '../../core/records.ts';

interface AlgorithmRow {
  readonly id: string;
  readonly version: string;
  readonly type: string;
  readonly runtime: string;
  readonly image_digest: string;
  readonly image_size_bytes: number;
  readonly demands: string;
  readonly work_core_s: number;
  readonly state: string;
  readonly added_wall_ms: number;
  readonly checkpoints: number;
  readonly compare: string | null;
}

export function prepareAlgorithms(db: Database) {
  const put =
    db.prepare(`INSERT OR REPLACE INTO algorithm (id, version, type, runtime, image_digest, image_size_bytes,
    demands, work_core_s, state, added_wall_ms, checkpoints, compare) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)`);
  const remove = db.prepare('DELETE FROM algorithm WHERE id = ? AND version = ?');
  const selectAll = db.prepare<[], AlgorithmRow>('SELECT * FROM algorithm ORDER BY id, version');

  return {
    putAlgorithm: (algorithm: AlgorithmRecord): void => {
      put.run(
        algorithm.id,
        algorithm.version,
        algorithm.type,
        algorithm.runtime,
        algorithm.image.digest,
        algorithm.image.sizeBytes,
        JSON.stringify(algorithm.demands),
        algorithm.workCoreS,
        algorithm.state,
        algorithm.addedWallMs,
        algorithm.checkpoints === true ? 1 : 0,
        algorithm.compare === undefined ? null : JSON.stringify(algorithm.compare),
      );
    },
    removeAlgorithm: (id: AlgorithmId, version: string): void => {
      remove.run(id, version);
    },
    algorithms: (): AlgorithmRecord[] => selectAll.all().map(algorithmOf),
  };
}

function algorithmOf(row: AlgorithmRow): AlgorithmRecord {
  return {
    id: row.id as AlgorithmId,
    version: row.version,
    type: row.type,
    runtime: row.runtime as RuntimeKind,
    image: { digest: row.image_digest as Digest, sizeBytes: row.image_size_bytes },
    demands: JSON.parse(row.demands) as Demand[],
    workCoreS: row.work_core_s,
    state: row.state as AlgorithmRecord['state'],
    addedWallMs: row.added_wall_ms,
    ...(row.checkpoints === 1 ? { checkpoints: true } : {}),
    ...(row.compare === null ? {} : { compare: JSON.parse(row.compare) as Comparison }),
  };
}
