/** The address of EVerest's broker, read from its text. */
import { FirmwareError } from '../firmware-error.ts';

const DEFAULT_PORT = { 'mqtt:': 1883, 'mqtts:': 8883 } as const;

export interface BrokerAddress {
  readonly isSecure: boolean;
  readonly host: string;
  readonly port: number;
}

/** Throws a `FirmwareError`. A password belongs in no address, which is logged. */
export function parseBrokerUrl(text: string): BrokerAddress {
  const url = URL.parse(text);
  const isBare = url !== null && url.username === '' && /^\/?$/.test(url.pathname) && url.search === '';
  if (url === null || !isBare || url.hostname === '' || !(url.protocol in DEFAULT_PORT))
    throw new FirmwareError(
      'invalid_argument',
      `${JSON.stringify(text.slice(0, 60))} is not the address of EVerest's broker`,
      'Write mqtt://HOST:PORT or mqtts://HOST:PORT; user name and password are keys of their own',
    );
  const protocol = url.protocol as keyof typeof DEFAULT_PORT;
  const port = url.port === '' ? DEFAULT_PORT[protocol] : Number(url.port);
  return { isSecure: protocol === 'mqtts:', host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port };
}
