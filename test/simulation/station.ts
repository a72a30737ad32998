/** One simulated pile: its connectors as its firmware knows them, and the agent that hears of them. */
import type { FirmwareEvent } from '@plugpool/firmware-bridge';
import type { ConnectorId, VehicleId } from '@plugpool/proto';
import type { Agenda } from './agenda.ts';
import type { Chance } from './chance.ts';
import type { LawOfEnergy } from './laws-of-energy.ts';
import type { SimulatedAgent } from './simulated-agent.ts';
import { SimulatedMeter, type Metering, type MeterReading } from './simulated-meter.ts';

type Said<Event> = Event extends FirmwareEvent ? Omit<Event, 'at'> : never;

export const CAR_DRAWS_MW = 7_000_000;
const CALM_READ_EVERY_MS = 60_000;

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
  readonly meter: SimulatedMeter | undefined;
  /** What a car takes while it charges here, and which one. */
  drawsW: number;
  drawer: VehicleId | undefined;
}

/** What of it there is where a station has meters. */
export interface Meters extends Metering {
  readonly chance: Chance;
}

export class Station {
  readonly connectors: readonly Connector[];
  readonly staleAfterMs: number;
  readonly #agenda: Agenda;
  readonly #meters: Meters | undefined;
  #isCalm = false;
  #agent: SimulatedAgent | undefined;
  #law: LawOfEnergy | undefined;
  #cancelSamples: (() => void) | undefined;
  #cancelReadings: (() => void) | undefined;

  constructor(agenda: Agenda, connectors: number, staleAfterMs: number, meters?: Meters) {
    this.#agenda = agenda;
    this.staleAfterMs = staleAfterMs;
    this.#meters = meters;
    this.connectors = Array.from({ length: connectors }, (_, index) => ({
      connectorId: `station/${index + 1}/1` as ConnectorId,
      vehicleId: undefined,
      seen: undefined,
      supply: 'charging',
      isLinkUp: true,
      isSilent: false,
      meter: meters && new SimulatedMeter(agenda, meters.chance.fork(), meters),
      drawsW: CAR_DRAWS_MW / 1_000,
      drawer: undefined,
    }));
  }

  get isMetered(): boolean {
    return this.#meters !== undefined;
  }

  get agent(): SimulatedAgent {
    if (this.#agent === undefined) throw new Error('the station has no agent yet');
    return this.#agent;
  }

  /** Samples come by themselves, where the source is not silent by nature. */
  attach(agent: SimulatedAgent, law?: LawOfEnergy): void {
    this.#agent = agent;
    this.#law = law;
    if (this.staleAfterMs > 0) this.#sample();
    if (this.#meters !== undefined) this.#read(this.#meters.readEveryMs);
  }

  #sample(): void {
    for (const connector of this.connectors)
      if (connector.seen !== undefined && !connector.isSilent)
        this.#say(connector, {
          kind: 'meter',
          connectorId: connector.connectorId,
          powerMw: connector.meter?.flowMw ?? CAR_DRAWS_MW,
        });
    this.#cancelSamples = this.#agenda.after(this.staleAfterMs / 3, () => this.#sample());
  }

  #read(everyMs: number): void {
    for (const connector of this.connectors) {
      const isThere = connector.seen !== undefined && !connector.isSilent;
      const reading = isThere ? connector.meter?.read() : undefined;
      if (reading !== undefined) this.#tell(connector, reading);
    }
    const nextMs = this.#isCalm ? Math.max(everyMs, CALM_READ_EVERY_MS) : everyMs;
    this.#cancelReadings = this.#agenda.after(nextMs, () => this.#read(everyMs));
  }

  #tell(connector: Connector, { source, energyMwh, era }: MeterReading): void {
    const { connectorId, meter, isLinkUp } = connector;
    const heard = this.#say(connector, { kind: 'meter', connectorId, energyMwh }, source);
    const life = this.agent.deaths;
    if (heard === undefined) return;
    if (source === 'simulated')
      return this.#law?.heard(heard, { connectorId, trueMwh: meter?.trueMwh ?? 0, era, life });
    // It takes over where the first is not heard; where that one can be silent, nobody here says when.
    const isIgnored = isLinkUp && this.staleAfterMs === 0 && this.#law?.isRead(connectorId, life) === true;
    if (!isIgnored) this.#law?.lost(connectorId);
  }

  stop(): void {
    this.#cancelSamples?.();
    this.#cancelReadings?.();
  }

  /**
   * From now on meters are read rightly each time, and seldom: next to nothing happens. Each car takes what it can: whose owner lends
   * only while it charges would else lend nothing, and who needs it would wait without end.
   */
  calm(): void {
    this.#isCalm = true;
    for (const connector of this.connectors) {
      connector.drawsW = CAR_DRAWS_MW / 1_000;
      if (connector.meter !== undefined) connector.meter.isCalm = true;
    }
  }

  /** What the agent heard, where it is there and the link is up. */
  #say(
    connector: Connector,
    event: Said<FirmwareEvent>,
    source: MeterReading['source'] = 'simulated',
  ): FirmwareEvent | undefined {
    const isOfLink = event.kind === 'linkLost' || event.kind === 'linkUp';
    if (!connector.isLinkUp && !isOfLink && source === 'simulated') return undefined;
    const at = { receivedWallMs: this.agent.wall.wallMs() };
    return this.agent.firmware({ ...event, at }, { name: source, staleAfterMs: this.staleAfterMs });
  }

  plug(connector: Connector, vehicleId: VehicleId): void {
    connector.vehicleId = vehicleId;
    connector.supply = 'charging';
    // Whoever was here before must have left.
    if (connector.seen !== undefined) this.#unplugged(connector);
    connector.seen = vehicleId;
    this.#draw(connector, vehicleId);
    this.#state(connector);
  }

  /** A car that only had its plug pulled takes what it took: its driver could not know otherwise. */
  #draw(connector: Connector, vehicleId: VehicleId): void {
    const { meter, drawer } = connector;
    meter?.plugged();
    if (meter !== undefined && !this.#isCalm && drawer !== vehicleId) connector.drawsW = meter.nextDrawW();
    connector.drawer = vehicleId;
  }

  /** `isNoticed`: else the firmware believes that it is still there, until somebody else comes. */
  unplug(connector: Connector, isNoticed: boolean): void {
    connector.vehicleId = undefined;
    this.#law?.lost(connector.connectorId);
    if (isNoticed) this.#unplugged(connector);
  }

  #unplugged(connector: Connector): void {
    connector.seen = undefined;
    this.#emptied(connector);
  }

  #emptied(connector: Connector): void {
    const { connectorId } = connector;
    const heard = this.#say(connector, { kind: 'unplugged', connectorId });
    if (heard !== undefined) this.#law?.emptied(connectorId, this.agent.deaths);
  }

  /** Hearsay names another vehicle. */
  misname(connector: Connector, vehicleId: VehicleId): void {
    if (connector.seen === undefined) return;
    const { connectorId } = connector;
    for (const each of this.connectors)
      if (each === connector || each.seen === vehicleId) this.#law?.lost(each.connectorId);
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
    if (seen === undefined) return this.#emptied(connector);
    this.#say(connector, { kind: 'plugged', connectorId });
    this.#say(connector, { kind: 'identity', connectorId, vehicleId: seen, assurance: 'operator' });
    this.#supplied(connector);
  }

  restate(): void {
    for (const connector of this.connectors) if (connector.isLinkUp) this.#state(connector);
  }
}
