/** Who says that it stands at which connector, and what shows that, both ways. */
import { CONNECTOR_PATTERN, PLUG_CODE_PATTERN } from '../limits.ts';
import type { ConnectorBound, ConnectorClaim, PowerReport, WatchPower } from '../messages.ts';
import { BodyRefused } from './refusal.ts';
import { isGiven, readCode, readInteger, writeInteger } from './values.ts';
import type { WireConnectorBound, WireConnectorClaim, WirePowerReport, WireWatchPower } from './wire.ts';

export function readConnectorClaim(wire: WireConnectorClaim): ConnectorClaim {
  const { connector, code } = wire;
  if (!isGiven(connector) && !isGiven(code))
    throw new BodyRefused('ConnectorClaim: neither connector nor code is given');
  return {
    kind: 'connectorClaim',
    ...(isGiven(connector) ? { connector: readConnector(connector, 'ConnectorClaim.connector') } : {}),
    ...(isGiven(code) ? { code: readPlugCode(code) } : {}),
  };
}

function readConnector(connector: string, field: string): string {
  if (CONNECTOR_PATTERN.test(connector)) return connector;
  throw new BodyRefused(`${field}: is no connector`);
}

/** Not repeated in the refusal: a slip of one digit would be in the log. */
function readPlugCode(code: string): string {
  if (PLUG_CODE_PATTERN.test(code)) return code;
  throw new BodyRefused('ConnectorClaim.code: is no code of six digits');
}

export function writeConnectorClaim({ connector = '', code = '' }: ConnectorClaim): WireConnectorClaim {
  return { connector, code };
}

export function readConnectorBound(wire: WireConnectorBound): ConnectorBound {
  return {
    kind: 'connectorBound',
    connectorId: readConnector(wire.connectorId ?? '', 'ConnectorBound.connector_id'),
    assurance: readCode(wire.assurance, 'ConnectorBound.assurance'),
  };
}

export function writeConnectorBound({ connectorId, assurance }: ConnectorBound): WireConnectorBound {
  return { connectorId, assurance };
}

export function readPowerReport(wire: WirePowerReport): PowerReport {
  return { kind: 'powerReport', powerMw: readInteger(wire.powerMw) };
}

export function writePowerReport({ powerMw }: PowerReport): WirePowerReport {
  return { powerMw: writeInteger(powerMw, 'PowerReport.power_mw') };
}

export function readWatchPower(wire: WireWatchPower): WatchPower {
  return { kind: 'watchPower', everyMs: readInteger(wire.everyMs), forMs: readInteger(wire.forMs) };
}

export function writeWatchPower({ everyMs, forMs }: WatchPower): WireWatchPower {
  return {
    everyMs: writeInteger(everyMs, 'WatchPower.every_ms'),
    forMs: writeInteger(forMs, 'WatchPower.for_ms'),
  };
}
