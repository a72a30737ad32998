/** One line of a sessions file: a stay of a vehicle at a connector, with what is wrong with it said by column. */
import { DURATION_MS_MAX } from '@plugpool/proto';
import type { ConnectorId } from '@plugpool/proto';
import { parseConnectorId } from '../connector-id.ts';
import { parseLocalTime } from './local-time.ts';

/** The form's columns; a file may have them in any order, and others besides. */
export const SESSION_COLUMNS = [
  'site',
  'connector',
  'plugged_at',
  'unplugged_at',
  'energy_wh',
  'charging_ended_at',
  'stated_departure_at',
] as const;

export type SessionColumn = (typeof SESSION_COLUMNS)[number];
export type SessionCells = Readonly<Record<SessionColumn, string>>;

/** Times are local times read as UTC (see local-time.ts); undefined is unknown. */
export interface SessionRow {
  /** Where in the file, from 1. */
  readonly line: number;
  readonly site: string;
  /** As the file calls it. */
  readonly connector: string;
  readonly connectorId: ConnectorId;
  readonly pluggedMs: number;
  readonly unpluggedMs: number;
  readonly energyMwh: number | undefined;
  readonly chargingEndedMs: number | undefined;
  readonly statedDepartureMs: number | undefined;
}

export interface RowFault {
  readonly column: SessionColumn;
  readonly value: string;
  /** What is wrong, as the end of a sentence. */
  readonly problem: string;
  readonly hint: string;
}

export type ParsedRow =
  { readonly ok: true; readonly row: SessionRow } | { readonly ok: false; readonly fault: RowFault };

/** 1 MW: no charger for cars gives more, so more energy than that while it charges is a wrong unit. */
const POWER_W_MAX = 1_000_000;
const ENERGY_WH = /^\d+(\.\d+)?$/;
const TIME_HINT = 'Write local time without zone, such as 2026-03-01T08:15:00';

class Refusal extends Error {
  readonly fault: RowFault;
  constructor(cells: SessionCells, column: SessionColumn, problem: string, hint: string) {
    super(problem);
    this.fault = { column, value: cells[column], problem, hint };
  }
}

export function parseSessionRow(cells: SessionCells, line: number, station: string): ParsedRow {
  try {
    return { ok: true, row: rowOf(cells, line, station) };
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, fault: error.fault };
    throw error;
  }
}

function rowOf(cells: SessionCells, line: number, station: string): SessionRow {
  const connectorId = connectorOf(cells, station);
  const pluggedMs = timeOf(cells, 'plugged_at');
  const unpluggedMs = timeOf(cells, 'unplugged_at');
  checkStay(cells, pluggedMs, unpluggedMs);
  const chargingEndedMs = chargingEndOf(cells, pluggedMs, unpluggedMs);
  return {
    line,
    site: cells.site,
    connector: cells.connector,
    connectorId,
    pluggedMs,
    unpluggedMs,
    energyMwh: energyOf(cells, (chargingEndedMs ?? unpluggedMs) - pluggedMs),
    chargingEndedMs,
    statedDepartureMs: departureOf(cells, pluggedMs),
  };
}

function connectorOf(cells: SessionCells, station: string): ConnectorId {
  try {
    return parseConnectorId(cells.connector, station);
  } catch {
    throw new Refusal(
      cells,
      'connector',
      'does not name a connector',
      'Write a number, evse/connector, or a name without spaces',
    );
  }
}

function timeOf(cells: SessionCells, column: SessionColumn): number {
  const ms = parseLocalTime(cells[column]);
  if (ms === undefined) throw new Refusal(cells, column, 'is not a time', TIME_HINT);
  return ms;
}

function optionalTimeOf(cells: SessionCells, column: SessionColumn): number | undefined {
  return cells[column] === '' ? undefined : timeOf(cells, column);
}

function checkStay(cells: SessionCells, pluggedMs: number, unpluggedMs: number): void {
  if (unpluggedMs <= pluggedMs) {
    throw new Refusal(
      cells,
      'unplugged_at',
      `is not after plugged_at ${JSON.stringify(cells.plugged_at)}`,
      'Look for swapped day and month, or swapped columns',
    );
  }
  if (unpluggedMs - pluggedMs > DURATION_MS_MAX) {
    throw new Refusal(
      cells,
      'unplugged_at',
      'is more than 30 days after plugged_at',
      'Look for a session whose end was lost',
    );
  }
}

function energyOf(cells: SessionCells, chargingMs: number): number | undefined {
  if (cells.energy_wh === '') return undefined;
  if (!ENERGY_WH.test(cells.energy_wh)) {
    throw new Refusal(
      cells,
      'energy_wh',
      'is not a number of 0 or more',
      'Write watt-hours such as 7400, or leave it empty',
    );
  }
  const energyWh = Number(cells.energy_wh);
  if (energyWh > (POWER_W_MAX * chargingMs) / 3_600_000) {
    throw new Refusal(
      cells,
      'energy_wh',
      'is more than a megawatt gives in this time',
      'Look for a wrong unit (this is watt-hours) or a wrong time',
    );
  }
  return Math.round(energyWh * 1000);
}

function chargingEndOf(cells: SessionCells, pluggedMs: number, unpluggedMs: number): number | undefined {
  const endedMs = optionalTimeOf(cells, 'charging_ended_at');
  if (endedMs === undefined || (endedMs >= pluggedMs && endedMs <= unpluggedMs)) return endedMs;
  throw new Refusal(
    cells,
    'charging_ended_at',
    'is not between plugged_at and unplugged_at',
    'Correct it, or leave it empty to have it estimated from the energy',
  );
}

function departureOf(cells: SessionCells, pluggedMs: number): number | undefined {
  const departureMs = optionalTimeOf(cells, 'stated_departure_at');
  if (departureMs === undefined) return undefined;
  if (departureMs > pluggedMs && departureMs - pluggedMs <= DURATION_MS_MAX) return departureMs;
  throw new Refusal(
    cells,
    'stated_departure_at',
    'is not within the 30 days after plugged_at',
    'Correct it, or leave it empty where nothing was stated',
  );
}

/** A fixed order, also among rows of one minute. */
export function byStart(a: SessionRow, b: SessionRow): number {
  return a.pluggedMs - b.pluggedMs || compareText(a.connectorId, b.connectorId) || a.line - b.line;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
