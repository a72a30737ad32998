/** Which connector a vehicle means: its number, EVSE and connector, or the whole id, of those that the firmware speaks of. */
import type { ConnectorId } from '@plugpool/proto';
import type { State } from '../state.ts';

export function connectorNamed({ sessions, settings }: State, name: string): ConnectorId | undefined {
  const { stationId } = settings;
  const meant = [name, `${stationId}/${name}`, `${stationId}/${name}/1`] as ConnectorId[];
  return meant.find((connectorId) => sessions.has(connectorId));
}
