/**
 * Piles, in a process of their own: `PILES EVERY_MS`. The line `connect RELAY_URL CSMS_URL` on standard input connects each pile twice,
 * through the relay and directly; `ready` is answered. The line `run SECONDS` lets every connector of both say its MeterValues in
 * turn; the times until the answers come back as JSON.
 */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';

const CONNECTORS = 2;
const CONNECTING_AT_ONCE = 20;

const [pilesText, everyText] = process.argv.slice(2);
const piles = Number(pilesText);
const everyMs = Number(everyText);

class Pile {
  readonly #socket: WebSocket;
  readonly #sentAtMs = new Map<string, number>();
  readonly tookMs: number[] = [];
  #calls = 0;

  constructor(url: string, identity: string) {
    this.#socket = new WebSocket(`${url}/${identity}`, 'ocpp1.6', { perMessageDeflate: false });
    this.#socket.on('message', (data: Buffer) => {
      const [, id] = JSON.parse(data.toString()) as [number, string];
      this.tookMs.push(performance.now() - (this.#sentAtMs.get(id) ?? NaN));
      this.#sentAtMs.delete(id);
    });
    this.#socket.on('close', (code) => process.stderr.write(`${identity} lost its connection: ${code}\n`));
  }

  async open(): Promise<this> {
    await once(this.#socket, 'open');
    return this;
  }

  get unanswered(): number {
    return this.#sentAtMs.size;
  }

  /** As a real one: three phases, power, register, state of charge. */
  meterValues(connectorId: number): void {
    this.#calls += 1;
    const id = `m${this.#calls}`;
    const value = (measurand: string, unit: string, text: string, phase?: string) => ({
      value: text,
      context: 'Sample.Periodic',
      measurand,
      unit,
      ...(phase === undefined ? {} : { phase }),
    });
    const sampledValue = [
      value('Energy.Active.Import.Register', 'Wh', String(1_000_000 + this.#calls * 30)),
      value('Power.Active.Import', 'W', '10980.5'),
      value('SoC', 'Percent', '57'),
      ...['L1', 'L2', 'L3'].flatMap((phase) => [
        value('Current.Import', 'A', '15.9', phase),
        value('Voltage', 'V', '230.4', phase),
      ]),
    ];
    const payload = {
      connectorId,
      transactionId: 7,
      meterValue: [{ timestamp: new Date().toISOString(), sampledValue }],
    };
    this.#sentAtMs.set(id, performance.now());
    this.#socket.send(JSON.stringify([2, id, 'MeterValues', payload]));
  }
}

/** Some at once: a connection through the relay is two, and waits for both. */
async function connect(url: string, prefix: string): Promise<Pile[]> {
  const connected: Pile[] = [];
  for (let from = 0; from < piles; from += CONNECTING_AT_ONCE) {
    const some = Array.from({ length: Math.min(CONNECTING_AT_ONCE, piles - from) }, (_, index) =>
      new Pile(url, `${prefix}${from + index}`).open(),
    );
    connected.push(...(await Promise.all(some)));
  }
  return connected;
}

/** Each pile's turn comes at its own moment of the interval; directly and through the relay in turn, so that both meet the same load. */
async function sayMeterValues(relayed: readonly Pile[], direct: readonly Pile[], seconds: number) {
  for (const pile of [...relayed, ...direct]) pile.tookMs.length = 0;
  const slots = relayed.flatMap((pile, index) =>
    Array.from({ length: CONNECTORS }, (_, connector) => [pile, direct[index], connector + 1] as const),
  );
  const startMs = performance.now();
  const endMs = startMs + seconds * 1_000;
  for (let turn = 0; ; turn += 1) {
    const [viaRelay, directly, connectorId] =
      slots[(turn * CONNECTORS + (turn % CONNECTORS)) % slots.length] ?? [];
    const dueMs = startMs + (turn * everyMs) / slots.length;
    if (dueMs >= endMs || connectorId === undefined) break;
    await delay(Math.max(0, dueMs - performance.now()));
    const [first, second] = turn % 2 === 0 ? [viaRelay, directly] : [directly, viaRelay];
    first?.meterValues(connectorId);
    // The two are not to wait for each other on the same processor.
    await delay(everyMs / slots.length / 2);
    second?.meterValues(connectorId);
  }
  await delay(200);
  const times = (some: readonly Pile[]) => some.flatMap(({ tookMs }) => tookMs);
  const unanswered = [...relayed, ...direct].reduce((sum, pile) => sum + pile.unanswered, 0);
  return { relayedMs: times(relayed), directMs: times(direct), unanswered };
}

let relayed: Pile[] = [];
let direct: Pile[] = [];
for await (const line of createInterface({ input: process.stdin })) {
  const [verb, first = '', second = ''] = line.split(' ');
  if (verb === 'connect') {
    relayed = await connect(first, 'R');
    direct = await connect(second, 'D');
    process.stdout.write('ready\n');
  } else {
    process.stdout.write(`${JSON.stringify(await sayMeterValues(relayed, direct, Number(first)))}\n`);
  }
}
process.exit(0);
