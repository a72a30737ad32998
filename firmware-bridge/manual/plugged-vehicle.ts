/** What an operator has said of one plugged-in vehicle, what each further step makes of it, and what is told of both; pure. */
import { DURATION_MS_MAX } from '@plugpool/proto';
import type { ConnectorId, VehicleId } from '@plugpool/proto';
import { FirmwareError } from '../firmware-error.ts';
import type { FirmwareFact } from '../firmware-fact.ts';
import type { SessionState } from '../port.ts';
import { parseVehicleId } from '../vehicle-id.ts';

export type PluggedState = Exclude<SessionState, 'unknown' | 'unplugged' | 'faulted'>;

export interface PluggedVehicle {
  readonly connectorId: ConnectorId;
  readonly state: PluggedState;
  readonly pluggedWallMs: number;
  readonly stateSinceWallMs: number;
  readonly vehicleId?: VehicleId;
  readonly soc?: { readonly permille: number; readonly saidWallMs: number };
  readonly departureWallMs?: number;
}

/** What may be said along with any step. */
export interface ManualDetails {
  readonly vehicleId?: string | undefined;
  /** 0 to 1000. */
  readonly socPermille?: number | undefined;
  /** From now; above 0. */
  readonly departureInMs?: number | undefined;
}

export type ManualStep =
  | { readonly verb: 'plug' | 'charge' | 'finish' | 'unplug' | 'info' }
  | { readonly verb: 'suspend'; readonly by: 'EV' | 'EVSE' };

/** `vehicle` is absent when the connector is free afterwards. */
export interface StepOutcome {
  readonly vehicle?: PluggedVehicle;
  readonly facts: readonly FirmwareFact[];
}

type Connectors = ReadonlyMap<ConnectorId, PluggedVehicle>;

/**
 * What moves what: `plug` a free connector; `charge` and `suspend` any vehicle that has not finished, and `charge` with a
 * vehicle's id plugs it in first; `finish` and `info` any vehicle; `unplug` frees the connector. A step into the state that
 * the connector is in says so anew. Throws a `FirmwareError` for anything else.
 */
export function applyStep(
  connectors: Connectors,
  connectorId: ConnectorId,
  step: ManualStep,
  details: ManualDetails,
  nowWallMs: number,
): StepOutcome {
  const told = checkDetails(details);
  const present = connectors.get(connectorId);
  const plugsIn =
    step.verb === 'plug' || (step.verb === 'charge' && present === undefined && told.vehicleId !== undefined);
  if (plugsIn && present !== undefined) throw occupied(present);
  const before = plugsIn ? pluggedNow(connectorId, nowWallMs) : present;
  if (before === undefined) throw nothingPlugged(connectorId, step);
  const { details: said, facts: saidFacts } = applyDetails(connectors, before, told, nowWallMs);
  const facts: FirmwareFact[] = plugsIn ? [{ kind: 'plugged', connectorId }, ...saidFacts] : [...saidFacts];
  if (step.verb === 'unplug') return { facts: [...facts, { kind: 'unplugged', connectorId }] };
  const state = stateAfter(said, step);
  const vehicle = state === said.state ? said : { ...said, state, stateSinceWallMs: nowWallMs };
  return { vehicle, facts: [...facts, ...stepFacts(vehicle, step)] };
}

/** Everything that is known of it, for somebody who heard nothing yet: `plugged` first. */
export function restate(vehicle: PluggedVehicle, nowWallMs: number): readonly TimedFact[] {
  const { connectorId, pluggedWallMs, vehicleId, soc, departureWallMs } = vehicle;
  const facts: TimedFact[] = [{ sourceWallMs: pluggedWallMs, fact: { kind: 'plugged', connectorId } }];
  if (vehicleId !== undefined) {
    facts.push({
      sourceWallMs: pluggedWallMs,
      fact: { kind: 'identity', connectorId, vehicleId, assurance: 'operator' },
    });
  }
  for (const fact of stateFacts(vehicle)) facts.push({ sourceWallMs: vehicle.stateSinceWallMs, fact });
  if (soc !== undefined) {
    facts.push({
      sourceWallMs: soc.saidWallMs,
      fact: { kind: 'evInfo', connectorId, socPermille: soc.permille },
    });
  }
  if (departureWallMs !== undefined && departureWallMs > nowWallMs) {
    const departureInMs = Math.min(departureWallMs - nowWallMs, DURATION_MS_MAX);
    facts.push({ sourceWallMs: nowWallMs, fact: { kind: 'evInfo', connectorId, departureInMs } });
  }
  return facts;
}

export interface TimedFact {
  readonly sourceWallMs: number;
  readonly fact: FirmwareFact;
}

interface Told {
  readonly vehicleId: VehicleId | undefined;
  readonly socPermille: number | undefined;
  readonly departureInMs: number | undefined;
}

function checkDetails({ vehicleId, socPermille, departureInMs }: ManualDetails): Told {
  if (socPermille !== undefined && !(socPermille >= 0 && socPermille <= 1000)) {
    throw new FirmwareError(
      'invalid_argument',
      `State of charge ${socPermille} permille is not between 0 and 1000`,
      'Give the share of a full battery: 0 is empty, 1000 permille (100 %) is full',
    );
  }
  if (departureInMs !== undefined && !(departureInMs > 0 && departureInMs <= DURATION_MS_MAX)) {
    throw new FirmwareError(
      'invalid_argument',
      `A departure in ${departureInMs} ms is not within the next 30 days`,
      'Leave it out where it is not known',
    );
  }
  return {
    vehicleId: vehicleId === undefined ? undefined : parseVehicleId(vehicleId),
    socPermille,
    departureInMs,
  };
}

function pluggedNow(connectorId: ConnectorId, nowWallMs: number): PluggedVehicle {
  return { connectorId, state: 'plugged', pluggedWallMs: nowWallMs, stateSinceWallMs: nowWallMs };
}

function applyDetails(
  connectors: Connectors,
  before: PluggedVehicle,
  told: Told,
  nowWallMs: number,
): { readonly details: PluggedVehicle; readonly facts: readonly FirmwareFact[] } {
  const { connectorId } = before;
  const facts: FirmwareFact[] = [];
  let details = before;
  if (told.vehicleId !== undefined) {
    checkIdentity(connectors, before, told.vehicleId);
    details = { ...details, vehicleId: told.vehicleId };
    facts.push({ kind: 'identity', connectorId, vehicleId: told.vehicleId, assurance: 'operator' });
  }
  if (told.socPermille !== undefined) {
    details = { ...details, soc: { permille: told.socPermille, saidWallMs: nowWallMs } };
    facts.push({ kind: 'evInfo', connectorId, socPermille: told.socPermille });
  }
  if (told.departureInMs !== undefined) {
    details = { ...details, departureWallMs: nowWallMs + told.departureInMs };
    facts.push({ kind: 'evInfo', connectorId, departureInMs: told.departureInMs });
  }
  return { details, facts };
}

/** A vehicle is in one place, and a place holds one vehicle. */
function checkIdentity(connectors: Connectors, at: PluggedVehicle, vehicleId: VehicleId): void {
  if (at.vehicleId !== undefined && at.vehicleId !== vehicleId) {
    throw new FirmwareError(
      'invalid_step',
      `Connector ${at.connectorId} holds vehicle ${at.vehicleId}, not ${vehicleId}`,
      'Unplug that one first',
    );
  }
  for (const other of connectors.values()) {
    if (other.vehicleId === vehicleId && other.connectorId !== at.connectorId) {
      throw new FirmwareError(
        'invalid_step',
        `Vehicle ${vehicleId} is plugged in at connector ${other.connectorId}`,
        'Unplug it there first',
      );
    }
  }
}

function stateAfter(vehicle: PluggedVehicle, step: ManualStep): PluggedState {
  const { state, connectorId } = vehicle;
  if (state === 'finishing' && (step.verb === 'charge' || step.verb === 'suspend')) {
    throw new FirmwareError(
      'invalid_step',
      `Charging at connector ${connectorId} has finished for this session; it cannot ${step.verb}`,
      'Unplug the vehicle and plug it in again',
    );
  }
  switch (step.verb) {
    case 'charge':
      return 'charging';
    case 'suspend':
      return step.by === 'EV' ? 'suspendedEV' : 'suspendedEVSE';
    case 'finish':
      return 'finishing';
    default:
      return state;
  }
}

function stepFacts(vehicle: PluggedVehicle, step: ManualStep): readonly FirmwareFact[] {
  return step.verb === 'plug' || step.verb === 'info' ? [] : stateFacts(vehicle);
}

function stateFacts({ state, connectorId }: PluggedVehicle): readonly FirmwareFact[] {
  switch (state) {
    case 'plugged':
      return [];
    case 'charging':
      return [{ kind: 'chargingStarted', connectorId }];
    case 'suspendedEV':
      return [{ kind: 'suspended', connectorId, by: 'EV' }];
    case 'suspendedEVSE':
      return [{ kind: 'suspended', connectorId, by: 'EVSE' }];
    case 'finishing':
      return [{ kind: 'chargingStopped', connectorId }];
  }
}

function occupied({ connectorId, vehicleId }: PluggedVehicle): FirmwareError {
  const who = vehicleId === undefined ? 'A vehicle' : `Vehicle ${vehicleId}`;
  return new FirmwareError(
    'invalid_step',
    `${who} is plugged in at connector ${connectorId} already`,
    'Unplug it first',
  );
}

function nothingPlugged(connectorId: ConnectorId, { verb }: ManualStep): FirmwareError {
  const hint =
    verb === 'charge' ? 'Say which vehicle, and it is plugged in first' : 'Plug a vehicle in first';
  return new FirmwareError(
    'invalid_step',
    `No vehicle is plugged in at connector ${connectorId}; it cannot ${verb}`,
    hint,
  );
}
