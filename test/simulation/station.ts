/** One simulated pile: its connectors as its firmware knows them, and the agent that hears of them. */
import type { FirmwareEvent } from '@plugpool/firmware-bridge';
import type { ConnectorId, VehicleId } from '@plugpool/proto';
import type { Agenda } from './agenda.ts';
import type { SimulatedAgent } from './simulated-agent.ts';

type Said<Event> = Event extends FirmwareEvent ? Omit<Event, 'at'> : never;

export const CAR_DRAWS_MW = 7_000_000;

/** What of a plugged vehicle flows, in the firmware's words. */
export type Supply = 'charging' | 'suspendedEV' | 'suspendedEVSE';

export interface Connector {
  readonly connectorId: ConnectorId;
  /** Who really stands there. */
  vehicleId: VehicleId | undefined;
  /** Whom the firmware saw last: an unplugging may have been missed. */
  seen: VehicleId | undefined;
  supply: Supply;
  isLinkUp: boolean;
  /** No sample arrives. */
  isSilent: boolean;
}

export class Station {
  readonly connectors: readonly Connector[];
  readonly staleAfterMs: number;
  readonly #agenda: Agenda;
  #agent: SimulatedAgent | undefined;
  #cancelSamples: (() => void) | undefined;

  constructor(agenda: Agenda, connectors: number, staleAfterMs: number) {
    this.#agenda = agenda;
    this.staleAfterMs = staleAfterMs;
    this.connectors = Array.from({ length: connectors }, (_, index) => ({
      connectorId: `station/${index + 1}/1` as ConnectorId,
      vehicleId: undefined,
      seen: undefined,
      supply: 'charging',
      isLinkUp: true,
      isSilent: false,
    }));
  }

  get agent(): SimulatedAgent {
    if (this.#agent === undefined) throw new Error('the station has no agent yet');
    return this.#agent;
  }

  /** Samples come by themselves, where the source is not silent by nature. */
  attach(agent: SimulatedAgent): void {
    this.#agent = agent;
    if (this.staleAfterMs > 0) this.#sample();
  }

  #sample(): void {
    for (const connector of this.connectors)
      if (connector.seen !== undefined && !connector.isSilent)
        this.#say(connector, { kind: 'meter', connectorId: connector.connectorId, powerMw: CAR_DRAWS_MW });
    this.#cancelSamples = this.#agenda.after(this.staleAfterMs / 3, () => this.#sample());
  }

  stop(): void {
    this.#cancelSamples?.();
  }

  #say(connector: Connector, event: Said<FirmwareEvent>): void {
    if (!connector.isLinkUp && event.kind !== 'linkLost' && event.kind !== 'linkUp') return;
    const at = { receivedWallMs: this.agent.wall.wallMs() };
    this.agent.firmware({ ...event, at }, this.staleAfterMs);
  }

  plug(connector: Connector, vehicleId: VehicleId): void {
    connector.vehicleId = vehicleId;
    connector.supply = 'charging';
    // Whoever was here before must have left.
    if (connector.seen !== undefined) this.#unplugged(connector);
    connector.seen = vehicleId;
    this.#state(connector);
  }

  /** `isNoticed`: else the firmware believes that it is still there, until somebody else comes. */
  unplug(connector: Connector, isNoticed: boolean): void {
    connector.vehicleId = undefined;
    if (isNoticed) this.#unplugged(connector);
  }

  #unplugged(connector: Connector): void {
    connector.seen = undefined;
    this.#say(connector, { kind: 'unplugged', connectorId: connector.connectorId });
  }

  /** Hearsay names another vehicle. */
  misname(connector: Connector, vehicleId: VehicleId): void {
    if (connector.seen === undefined) return;
    const { connectorId } = connector;
    this.#say(connector, { kind: 'identity', connectorId, vehicleId, assurance: 'mac' });
  }

  supply(connector: Connector, supply: Supply): void {
    connector.supply = supply;
    if (connector.seen !== undefined) this.#supplied(connector);
  }

  #supplied({ connectorId, supply, ...rest }: Connector): void {
    const connector = { connectorId, supply, ...rest };
    if (supply === 'charging') this.#say(connector, { kind: 'chargingStarted', connectorId });
    else
      this.#say(connector, { kind: 'suspended', connectorId, by: supply === 'suspendedEV' ? 'EV' : 'EVSE' });
  }

  loseLink(connector: Connector): void {
    if (!connector.isLinkUp) return;
    connector.isLinkUp = false;
    this.#say(connector, { kind: 'linkLost', connectorId: connector.connectorId, reason: 'simulated' });
  }

  restoreLink(connector: Connector): void {
    if (connector.isLinkUp) return;
    connector.isLinkUp = true;
    this.#say(connector, { kind: 'linkUp', connectorId: connector.connectorId });
    connector.seen = connector.vehicleId;
    this.#state(connector);
  }

  /** As an adapter does at its start, and after a link that was lost. */
  #state(connector: Connector): void {
    const { connectorId, seen } = connector;
    if (seen === undefined) return this.#say(connector, { kind: 'unplugged', connectorId });
    this.#say(connector, { kind: 'plugged', connectorId });
    this.#say(connector, { kind: 'identity', connectorId, vehicleId: seen, assurance: 'operator' });
    this.#supplied(connector);
  }

  restate(): void {
    for (const connector of this.connectors) if (connector.isLinkUp) this.#state(connector);
  }
}
