/** `mqtt://host:port`, where an agent listens, read from its text. */

export interface ListenAddress {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
}

const MQTT_PORT = 1883;

export type ListenUrl =
  { readonly ok: true; readonly address: ListenAddress } | { readonly ok: false; readonly reason: string };

export function parseListenUrl(text: string): ListenUrl {
  const url = URL.parse(text);
  if (url === null || url.protocol !== 'mqtt:' || url.hostname === '' || !isBare(url)) {
    return {
      ok: false,
      reason: `cannot listen on '${text}': it must read mqtt://HOST:PORT, as mqtt://127.0.0.1:1883`,
    };
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  return { ok: true, address: { host, port: url.port === '' ? MQTT_PORT : Number(url.port) } };
}

function isBare(url: URL): boolean {
  return (
    (url.pathname === '' || url.pathname === '/') &&
    url.search === '' &&
    url.hash === '' &&
    url.username === '' &&
    url.password === ''
  );
}

/** Whether only programs of this machine can reach it. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}
