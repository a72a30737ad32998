/** A made-up Modbus TCP device on loopback: registers that a test sets, answers that it withholds, and all that was written. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import modbus from 'modbus-serial';
import type { FCallback, FCallbackVal, ServerTCP } from 'modbus-serial';

export interface WrittenRegister {
  readonly unit: number;
  readonly address: number;
  readonly value: number;
}

/** Exception codes, Modbus application protocol V1.1b3, section 7. */
const ILLEGAL_ADDRESS = 2;
const DEVICE_FAILURE = 4;

type Mood = 'answers' | 'silent' | 'refuses';

export class ModbusDevice {
  readonly written: WrittenRegister[] = [];
  /** By `unit:address`; anything else is an illegal address. */
  readonly #words = new Map<string, number>();
  readonly #sockets = new Set<Socket>();
  #server: ServerTCP | undefined;
  #mood: Mood = 'answers';

  /** Answers every unit, or, where one is given, that one alone; to the others it is silent. */
  async listen({ port = undefined as number | undefined, unit = 255 } = {}): Promise<number> {
    // The library tells callbacks from promises by the number of parameters.
    const read = (address: number, unitId: number, answer: FCallbackVal<number>): void => {
      if (this.#mood === 'silent') return;
      const refusal = this.#refusalOf(unitId, address);
      answer(refusal ?? null, this.#words.get(`${unitId}:${address}`) ?? 0);
    };
    const server = new modbus.ServerTCP(
      {
        getHoldingRegister: read,
        getInputRegister: read,
        setRegister: (address: number, value: number, unitId: number, answer: FCallback) => {
          if (this.#mood === 'silent') return;
          const refusal = this.#refusalOf(unitId, address);
          if (refusal === undefined) {
            this.written.push({ unit: unitId, address, value });
            this.set(unitId, address, [value]);
          }
          answer(refusal ?? null);
        },
      },
      { host: '127.0.0.1', port: port ?? (await freePort()), unitID: unit },
    );
    server.on('socketError', () => undefined);
    this.#server = server;
    await once(server, 'initialized');
    const inner = (server as unknown as { readonly _server: Server })._server;
    inner.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    return (inner.address() as AddressInfo).port;
  }

  set(unit: number, address: number, words: readonly number[]): void {
    words.forEach((word, index) => this.#words.set(`${unit}:${address + index}`, word));
  }

  setU32(unit: number, address: number, value: number): void {
    this.set(unit, address, [Math.floor(value / 65_536), value % 65_536]);
  }

  setText(unit: number, address: number, text: string, words: number): void {
    const bytes = Buffer.alloc(words * 2);
    bytes.write(text, 'latin1');
    this.set(
      unit,
      address,
      Array.from({ length: words }, (_, index) => bytes.readUInt16BE(index * 2)),
    );
  }

  remove(unit: number, address: number): void {
    this.#words.delete(`${unit}:${address}`);
  }

  become(mood: Mood): void {
    this.#mood = mood;
  }

  #refusalOf(unit: number, address: number): Error | undefined {
    const isKnown = this.#words.has(`${unit}:${address}`);
    if (this.#mood === 'answers' && isKnown) return undefined;
    return Object.assign(new Error('refused'), {
      modbusErrorCode: isKnown ? DEVICE_FAILURE : ILLEGAL_ADDRESS,
    });
  }

  /** Hangs up, and takes no connection until it listens again. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    for (const socket of this.#sockets) socket.destroy();
    if (server !== undefined) await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

/** The library takes a port of 0 for its own default. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}
