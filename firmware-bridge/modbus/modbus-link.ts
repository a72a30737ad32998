/** The registers of a device over Modbus TCP; one request at a time, each answered within a stated time or not at all. */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { ModbusRTU } from 'modbus-serial/ModbusRTU.js';

export type ModbusFailureCode =
  /** The device answered that it will not: `exception` says why (Modbus application protocol V1.1b3, section 7). */
  'exception' | 'no_answer' | 'closed';

export class ModbusFailure extends Error {
  readonly code: ModbusFailureCode;
  readonly exception: number | undefined;

  constructor(code: ModbusFailureCode, message: string, exception?: number, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ModbusFailure';
    this.code = code;
    this.exception = exception;
  }
}

/** Rejects with a `ModbusFailure`. */
export interface RegisterAccess {
  read(unit: number, table: 'holding' | 'input', address: number, words: number): Promise<Uint16Array>;
  /** By function 6 or 16. */
  write(unit: number, by: 'single' | 'multiple', address: number, value: number): Promise<void>;
  close(): void;
}

export interface ModbusLink {
  readonly name: string;
  open(signal: AbortSignal): Promise<RegisterAccess>;
}

export interface ModbusTcpOptions {
  readonly host: string;
  readonly port: number;
  readonly answerWithinMs: number;
}

export function modbusTcp({ host, port, answerWithinMs }: ModbusTcpOptions): ModbusLink {
  return {
    name: `${host}:${port}`,
    async open(signal) {
      const socket = await connected(host, port, answerWithinMs, signal);
      // Loaded when it is first needed: its entry loads the native serial port too, where that is installed.
      const { default: entry } = await import('modbus-serial');
      const client = new entry.default();
      await client.linkTCP(socket, { port });
      client.setTimeout(answerWithinMs);
      return new TcpRegisters(client, socket);
    },
  };
}

/** Closed by the signal, whenever that comes. */
function connected(host: string, port: number, withinMs: number, signal: AbortSignal): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connect({ host, port, noDelay: true, keepAlive: true });
  const onAbort = (): void => void socket.destroy();
  signal.addEventListener('abort', onAbort, { once: true });
  socket.setTimeout(withinMs, () => socket.destroy(new Error(`no connection within ${withinMs} ms`)));
  // Stays on: an error after the connection was made ends it, and is told by whoever asks next.
  socket.on('error', (error) =>
    reject(new ModbusFailure('closed', error.message, undefined, { cause: error })),
  );
  socket.once('close', () => {
    signal.removeEventListener('abort', onAbort);
    reject(new ModbusFailure('closed', 'the connection was closed'));
  });
  socket.once('connect', () => {
    socket.setTimeout(0);
    resolve(socket);
  });
  if (signal.aborted) onAbort();
  return promise;
}

class TcpRegisters implements RegisterAccess {
  readonly #client: ModbusRTU;
  readonly #socket: Socket;

  constructor(client: ModbusRTU, socket: Socket) {
    this.#client = client;
    this.#socket = socket;
  }

  async read(unit: number, table: 'holding' | 'input', address: number, words: number): Promise<Uint16Array> {
    const { data } = await this.#ask(unit, () =>
      table === 'holding'
        ? this.#client.readHoldingRegisters(address, words)
        : this.#client.readInputRegisters(address, words),
    );
    if (data.length === words) return Uint16Array.from(data);
    throw new ModbusFailure('no_answer', `${data.length} registers came where ${words} were asked for`);
  }

  async write(unit: number, by: 'single' | 'multiple', address: number, value: number): Promise<void> {
    await this.#ask(unit, async () => {
      if (by === 'single') await this.#client.writeRegister(address, value);
      else await this.#client.writeRegisters(address, [value]);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  async #ask<Answer>(unit: number, request: () => Promise<Answer>): Promise<Answer> {
    if (this.#socket.destroyed) throw new ModbusFailure('closed', 'the connection was closed');
    this.#client.setID(unit);
    const { promise: gone, reject } = Promise.withResolvers<never>();
    const onClose = (): void => reject(new ModbusFailure('closed', 'the connection was closed'));
    this.#socket.once('close', onClose);
    try {
      return await Promise.race([request(), gone]);
    } catch (error) {
      throw failureOf(error);
    } finally {
      this.#socket.off('close', onClose);
    }
  }
}

/** The library says in `modbusCode` what the device refused, and in `errno` what the wire did. */
function failureOf(error: unknown): ModbusFailure {
  if (error instanceof ModbusFailure) return error;
  const { modbusCode, errno, message } = error as {
    readonly modbusCode?: number;
    readonly errno?: string;
    readonly message?: string;
  };
  const why = message ?? String(error);
  if (modbusCode !== undefined) return new ModbusFailure('exception', why, modbusCode, { cause: error });
  const code = errno === 'ECONNREFUSED' ? 'closed' : 'no_answer';
  return new ModbusFailure(code, why, undefined, { cause: error });
}
