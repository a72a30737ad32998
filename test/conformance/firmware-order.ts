/** The order and the form that every adapter's events must have, connector by connector, as `firmware-bridge/port.ts` says. */
import { checkFirmwareEvent } from '../../firmware-bridge/index.ts';
import type { FirmwareCapability, FirmwareEvent } from '../../firmware-bridge/index.ts';

type Phase =
  /** Nothing is known: at first, and anew after `linkUp`. */
  'unheard' | 'free' | 'occupied' | 'linkLost';

interface Connector {
  phase: Phase;
  transactionId: string | undefined;
  /** Open when the link was lost, or before a fault: what became of it is not assumed, and its end may still be told, whoever stands there. */
  lostTransactionId: string | undefined;
  isFinished: boolean;
  /** And not told anew since. */
  isFaulted: boolean;
  receivedWallMs: number;
}

/** Give it every event, as it comes; it tells what is wrong with it. */
export class FirmwareOrder {
  readonly #connectors = new Map<string, Connector>();
  readonly #capabilities: ReadonlySet<FirmwareCapability> | undefined;

  constructor(capabilities?: ReadonlySet<FirmwareCapability>) {
    this.#capabilities = capabilities;
  }

  /** What is wrong, or nothing. */
  see(event: FirmwareEvent): readonly string[] {
    const problems = [...checkFirmwareEvent(event).problems, ...this.#undeclared(event)];
    const connector = this.#connectorOf(event);
    if (event.at.receivedWallMs < connector.receivedWallMs)
      problems.push('received before the event that came before it');
    connector.receivedWallMs = event.at.receivedWallMs;
    const problem = step(connector, event);
    if (problem !== undefined) problems.push(problem);
    return problems.map((text) => `${event.connectorId} ${event.kind}: ${text}`);
  }

  /** Connectors at which a vehicle stands by now. */
  occupied(): readonly string[] {
    return [...this.#connectors]
      .filter(([, { phase }]) => phase === 'occupied')
      .map(([connectorId]) => connectorId);
  }

  #connectorOf(event: FirmwareEvent): Connector {
    const known = this.#connectors.get(event.connectorId);
    if (known !== undefined) return known;
    const connector: Connector = {
      phase: 'unheard',
      transactionId: undefined,
      lostTransactionId: undefined,
      isFinished: false,
      isFaulted: false,
      receivedWallMs: 0,
    };
    this.#connectors.set(event.connectorId, connector);
    return connector;
  }

  #undeclared(event: FirmwareEvent): readonly string[] {
    if (this.#capabilities === undefined) return [];
    const capabilities = this.#capabilities;
    return needed(event)
      .filter((capability) => !capabilities.has(capability))
      .map((capability) => `the adapter does not declare ${capability}`);
  }
}

function needed(event: FirmwareEvent): readonly FirmwareCapability[] {
  switch (event.kind) {
    case 'identity':
      return ['identity'];
    case 'credential':
      return ['credential'];
    case 'transactionStarted':
    case 'transactionEnded':
      return ['transaction'];
    case 'suspended':
      return ['supplyState'];
    case 'meter':
      return [
        ...(event.powerMw === undefined ? [] : (['power'] as const)),
        ...(event.energyMwh === undefined ? [] : (['energy'] as const)),
      ];
    case 'evInfo':
      return [
        ...(event.socPermille === undefined ? [] : (['soc'] as const)),
        ...(event.estimatedFullInMs === undefined ? [] : (['estimatedFull'] as const)),
        ...(event.departureInMs === undefined ? [] : (['statedDeparture'] as const)),
      ];
    default:
      return [];
  }
}

function step(connector: Connector, event: FirmwareEvent): string | undefined {
  if (connector.phase === 'linkLost' && event.kind !== 'linkUp') return 'between linkLost and linkUp';
  switch (event.kind) {
    case 'linkLost':
      connector.phase = 'linkLost';
      connector.lostTransactionId = connector.transactionId ?? connector.lostTransactionId;
      connector.transactionId = undefined;
      return undefined;
    case 'linkUp':
      if (connector.phase !== 'linkLost') return 'without linkLost before it';
      connector.phase = 'unheard';
      connector.isFinished = false;
      connector.isFaulted = false;
      return undefined;
    case 'faulted':
      connector.isFaulted = true;
      return undefined;
    case 'plugged':
      return plug(connector);
    case 'unplugged':
      if (connector.transactionId !== undefined) return 'the transaction has not ended';
      connector.phase = 'free';
      connector.isFaulted = false;
      return undefined;
    case 'transactionEnded':
      return endOf(connector, event.transactionId);
    default:
      return connector.phase === 'occupied' ? duringStay(connector, event) : 'before plugged';
  }
}

function plug(connector: Connector): string | undefined {
  if (connector.phase === 'occupied' && !connector.isFaulted) return 'a vehicle is plugged in already';
  connector.lostTransactionId = connector.transactionId ?? connector.lostTransactionId;
  Object.assign(connector, {
    phase: 'occupied',
    transactionId: undefined,
    isFinished: false,
    isFaulted: false,
  });
  return undefined;
}

function endOf(connector: Connector, transactionId: string): string | undefined {
  if (connector.transactionId === transactionId) connector.transactionId = undefined;
  else if (connector.lostTransactionId === transactionId) connector.lostTransactionId = undefined;
  else return 'this transaction is not open';
  return undefined;
}

const NOT_ANEW = 'not told anew after the fault';

function duringStay(connector: Connector, event: FirmwareEvent): string | undefined {
  switch (event.kind) {
    case 'transactionStarted':
      if (connector.transactionId !== undefined) return 'another transaction is open';
      connector.transactionId = event.transactionId;
      return undefined;
    case 'chargingStopped':
      connector.isFinished = true;
      return connector.isFaulted ? NOT_ANEW : undefined;
    case 'chargingStarted':
    case 'suspended':
      if (connector.isFaulted) return NOT_ANEW;
      return connector.isFinished ? 'charging had stopped for good' : undefined;
    default:
      return undefined;
  }
}
