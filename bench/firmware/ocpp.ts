/** OCPP for the bench: piles of one connector each, behind a relay that is a process of its own, and a CSMS that accepts everything. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { WebSocket, WebSocketServer } from 'ws';
import type { OpenBenchFirmware } from './source.ts';

type Version = 'ocpp1.6' | 'ocpp2.0.1';
type Fields = Readonly<Record<string, unknown>>;

const RELAY = join(import.meta.dirname, '../../firmware-bridge/bin/plugpool-ocpp-relay.js');
/** The shortest that a CSMS can ask for; what the agent allows beyond it is said in docs/firmware/ocpp.md. */
const HEARTBEAT_S = 1;
const SILENT_AFTER_MS = HEARTBEAT_S * 1_500 + 5_000;

export const openBenchOcpp16 = openBenchOcpp('ocpp1.6');
export const openBenchOcpp201 = openBenchOcpp('ocpp2.0.1');

function openBenchOcpp(version: Version): OpenBenchFirmware {
  return async (connectors) => {
    const folder = mkdtempSync(join(tmpdir(), 'plugpool-bench-ocpp-'));
    const { csms, csmsUrl } = await startCsms(version);
    const { relay, url } = await startRelay(folder, csmsUrl);
    const piles: Pile[] = [];
    for (let index = 0; index < connectors; index++) piles.push(await Pile.open(version, url, index));
    return {
      firmware: {
        name: version,
        config: [{ kind: 'ocpp', tap: join(folder, 'tap.sock') }],
        linkTimeoutMs: SILENT_AFTER_MS,
        bindingOf: (index) => ({ kind: 'idToken', value: cardOf(index) }),
        chargeAll() {
          for (const pile of piles) pile.charge();
        },
        unplug: (index) => piles[index]?.unplug(),
        async cutLink() {
          const gone = once(relay, 'exit');
          relay.kill('SIGKILL');
          await gone;
        },
        fallSilent: (index) => piles[index]?.fallSilent(),
        async stop() {
          for (const pile of piles) pile.stop();
          relay.kill('SIGKILL');
          for (const client of csms.clients) client.terminate();
          await new Promise<void>((resolve) => csms.close(() => resolve()));
          rmSync(folder, { recursive: true, force: true });
        },
      },
    };
  };
}

function cardOf(index: number): string {
  return `CARD${String(index).padStart(4, '0')}`;
}

async function startCsms(version: Version) {
  const csms = new WebSocketServer({
    host: '127.0.0.1',
    port: 0,
    perMessageDeflate: false,
    handleProtocols: () => version,
  });
  let transactionId = 0;
  const answerOf = (action: string): Fields => {
    if (action === 'BootNotification')
      return { status: 'Accepted', interval: HEARTBEAT_S, currentTime: now() };
    if (action === 'StartTransaction')
      return { transactionId: ++transactionId, idTagInfo: { status: 'Accepted' } };
    return action === 'TransactionEvent' ? { idTokenInfo: { status: 'Accepted' } } : {};
  };
  csms.on('connection', (socket) => {
    socket.on('message', (data: Buffer) => {
      const [type, id, action] = JSON.parse(data.toString()) as [number, string, string];
      if (type === 2) socket.send(JSON.stringify([3, id, answerOf(action)]));
    });
  });
  await once(csms, 'listening');
  return { csms, csmsUrl: `ws://127.0.0.1:${(csms.address() as AddressInfo).port}/ocpp` };
}

async function startRelay(folder: string, csmsUrl: string): Promise<{ relay: ChildProcess; url: string }> {
  const file = join(folder, 'relay.yaml');
  const config = {
    listen: 'ws://127.0.0.1:0',
    upstream: { url: csmsUrl },
    tap: { path: 'tap.sock' },
    logLevel: 'error',
  };
  writeFileSync(file, JSON.stringify(config));
  const relay = spawn(process.execPath, [RELAY, '--config', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  const [line] = (await once(createInterface({ input: relay.stderr }), 'line')) as [string];
  const url = /listens on (ws:\S+),/.exec(line)?.[1];
  if (url === undefined) throw new Error(`the relay did not start: ${line}`);
  return { relay, url };
}

/** Its connector is the one of its number, so that connectors of all piles differ. */
class Pile {
  readonly #version: Version;
  readonly #socket: WebSocket;
  readonly #index: number;
  readonly #heartbeats: NodeJS.Timeout;
  #calls = 0;
  #transactionId = 0;

  private constructor(version: Version, socket: WebSocket, index: number) {
    this.#version = version;
    this.#socket = socket;
    this.#index = index;
    this.#heartbeats = setInterval(() => this.#call('Heartbeat', {}), (HEARTBEAT_S * 1_000) / 2);
    socket.on('message', (data: Buffer) => {
      const [, , answer] = JSON.parse(data.toString()) as [number, string, { transactionId?: number }];
      this.#transactionId = answer.transactionId ?? this.#transactionId;
    });
  }

  static async open(version: Version, url: string, index: number): Promise<Pile> {
    const socket = new WebSocket(`${url}/pile-${index}`, [version], { perMessageDeflate: false });
    socket.on('error', () => undefined);
    await once(socket, 'open');
    const pile = new Pile(version, socket, index);
    pile.#call('BootNotification', { chargePointVendor: 'bench', chargePointModel: 'bench' });
    return pile;
  }

  charge(): void {
    const connectorId = this.#index + 1;
    if (this.#version === 'ocpp1.6') {
      const start = { connectorId, idTag: cardOf(this.#index), meterStart: 0, timestamp: now() };
      this.#call('StartTransaction', start);
      this.#call('StatusNotification', { connectorId, errorCode: 'NoError', status: 'Charging' });
      return;
    }
    const idToken = { idToken: cardOf(this.#index), type: 'ISO14443' };
    this.#event('Started', 'Authorized', { chargingState: 'Charging' }, { idToken });
  }

  unplug(): void {
    const connectorId = this.#index + 1;
    if (this.#version === 'ocpp2.0.1') return this.#event('Ended', 'EVDeparted', {}, {});
    this.#call('StatusNotification', { connectorId, errorCode: 'NoError', status: 'Available' });
    const stop = { transactionId: this.#transactionId, meterStop: 0, timestamp: now() };
    this.#call('StopTransaction', stop);
  }

  fallSilent(): void {
    clearInterval(this.#heartbeats);
  }

  stop(): void {
    clearInterval(this.#heartbeats);
    this.#socket.terminate();
  }

  #event(eventType: string, triggerReason: string, info: Fields, more: Fields): void {
    this.#call('TransactionEvent', {
      eventType,
      triggerReason,
      seqNo: 0,
      timestamp: now(),
      evse: { id: this.#index + 1, connectorId: 1 },
      transactionInfo: { transactionId: `t-${this.#index}`, ...info },
      ...more,
    });
  }

  #call(action: string, payload: Fields): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#socket.send(JSON.stringify([2, `c${++this.#calls}`, action, payload]));
  }
}

function now(): string {
  return new Date().toISOString();
}
