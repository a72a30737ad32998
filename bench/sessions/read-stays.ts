/** Reads a sessions file for a bench: what can be mended is mended, what cannot be true is left out, and each is counted. */
import { readSessions, type SessionRow } from '@plugpool/firmware-bridge';
import type { ConnectorId } from '@plugpool/proto';
import type { StayRecord } from '../../agent/core/records.ts';
import { SessionRepairs } from './session-repairs.ts';

/** A home or destination charger on one phase of 16 A, as most of those cars that stay for long have. */
export const POWER_KW_DEFAULT = 3.6;
const STAY_MAX_MS = 14 * 24 * 3_600_000;
const MWH_PER_KWH = 1_000_000;
const HOUR_MS = 3_600_000;

export interface ReadStays {
  /** By time of plugging in; their `connectorId` is `site/connector/1`, so that sites may number theirs alike. */
  readonly rows: readonly SessionRow[];
  readonly stays: readonly StayRecord[];
  /** By what was done, how many rows it was done to. */
  readonly repairs: Readonly<Record<string, number>>;
  readonly chargingEndsEstimated: number;
}

/** Rejects where the file is not one of the form. `powerKw` estimates the end of charging where a row does not tell it. */
export async function readStays(file: string, powerKw = POWER_KW_DEFAULT): Promise<ReadStays> {
  const repairs = new SessionRepairs();
  const { rows: read, rowsSkipped } = await readSessions(file, {
    station: 'bench',
    repair: (cells, fault) => repairs.repair(cells, fault),
  });
  repairs.noteOverlaps(rowsSkipped);
  const rows = read.map(atItsSite).filter((row) => {
    const isTrue = row.unpluggedMs - row.pluggedMs <= STAY_MAX_MS;
    if (!isTrue) repairs.noteLong();
    return isTrue;
  });
  return {
    rows,
    stays: rows.map((row) => stayOf(row, powerKw)),
    repairs: repairs.counted(),
    chargingEndsEstimated: rows.filter(
      (row) => row.chargingEndedMs === undefined && row.energyMwh !== undefined,
    ).length,
  };
}

function atItsSite(row: SessionRow): SessionRow {
  const site = row.site.replace(/[^A-Za-z0-9]+/g, '-').slice(0, 48) || 'site';
  const [, evse = '1', connector = '1'] = row.connectorId.split('/');
  return { ...row, connectorId: `${site}/${evse}/${connector}` as ConnectorId };
}

/** Local time is taken for wall time: a bench has no zone. */
export function stayOf(row: SessionRow, powerKw: number): StayRecord {
  const endedMs = row.chargingEndedMs ?? estimatedEndMs(row, powerKw);
  return {
    connectorId: row.connectorId,
    pluggedWallMs: row.pluggedMs,
    unpluggedWallMs: row.unpluggedMs,
    ...(endedMs === undefined ? {} : { chargingEndedWallMs: endedMs }),
    ...(row.statedDepartureMs === undefined ? {} : { statedDepartureWallMs: row.statedDepartureMs }),
  };
}

function estimatedEndMs(row: SessionRow, powerKw: number): number | undefined {
  if (row.energyMwh === undefined) return undefined;
  const chargingMs = Math.ceil((row.energyMwh / (powerKw * MWH_PER_KWH)) * HOUR_MS);
  return Math.min(row.unpluggedMs, row.pluggedMs + chargingMs);
}
