/** Vehicles and EVerest never share a broker: whoever may publish there could say that he charges. */
import { hostname } from 'node:os';
import { parseBrokerUrl } from '@plugpool/firmware-bridge';
import { isLoopback, parseListenUrl } from '../../adapters/broker-aedes/listen-url.ts';

/** What is wrong with an EVerest broker that is the address at which we listen for vehicles. `config` may be half right. */
export function brokerClash(config: unknown): string | undefined {
  const { listen, firmware } = (config ?? {}) as { listen?: unknown; firmware?: unknown };
  const ours = typeof listen === 'string' ? parseListenUrl(listen) : undefined;
  if (ours?.ok !== true || !Array.isArray(firmware)) return undefined;
  const clashing = (firmware as unknown[]).map(brokerOf).find((broker) => isSame(ours.address, broker));
  if (clashing === undefined) return undefined;
  return (
    `names ${clashing} as EVerest’s broker, which is where vehicles connect (listen); ` +
    'EVerest keeps its own, so listen on another port, as mqtt://0.0.0.0:1884'
  );
}

function brokerOf(entry: unknown): string | undefined {
  const { broker } = (entry ?? {}) as { broker?: unknown };
  return typeof broker === 'string' ? broker : undefined;
}

interface Address {
  readonly host: string;
  readonly port: number;
}

function isSame(ours: Address, broker: string | undefined): boolean {
  const theirs = addressOf(broker);
  if (theirs === undefined || ours.port === 0 || ours.port !== theirs.port) return false;
  const isHere = isLoopback(theirs.host) || theirs.host === hostname();
  const isEverywhere = ours.host === '0.0.0.0' || ours.host === '::';
  return ours.host === theirs.host || (isHere && (isEverywhere || isLoopback(ours.host)));
}

function addressOf(broker: string | undefined): Address | undefined {
  try {
    return broker === undefined ? undefined : parseBrokerUrl(broker);
  } catch {
    return undefined;
  }
}
