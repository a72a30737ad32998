/** Registers in memory in place of a device, for tests that step the clock: what they hold, how they fail, what was asked and written. */
import { ModbusFailure } from '../../firmware-bridge/modbus/modbus-link.ts';
import type { ModbusLink, RegisterAccess } from '../../firmware-bridge/modbus/modbus-link.ts';

export class MemoryRegisters implements ModbusLink {
  readonly name = 'made-up device';
  readonly words = new Map<number, number>();
  readonly written: (readonly [address: number, value: number])[] = [];
  /** Addresses at which requests began. */
  readonly asked: number[] = [];
  opened = 0;
  /** What the next requests meet, in order; then they are answered. */
  failures: ModbusFailure[] = [];
  isCut = false;
  /** Called when a request begins: a test lets time pass here. */
  onAsked: (address: number) => void = () => undefined;

  /** What the device makes of a value that is written. */
  becomes: (address: number, value: number) => number = (_, value) => value;
  /** Called when a value was written, before the answer: a test loses the answer here. */
  onWritten: (address: number) => void = () => undefined;

  async open(): Promise<RegisterAccess> {
    this.opened += 1;
    if (this.isCut) throw new ModbusFailure('closed', 'the line is cut');
    return {
      read: async (_unit, _table, address, words) => {
        this.asked.push(address);
        this.onAsked(address);
        this.#fail();
        return Uint16Array.from({ length: words }, (_, index) => this.#word(address + index));
      },
      write: async (_unit, _by, address, value) => {
        this.#fail();
        this.#word(address);
        this.written.push([address, value]);
        this.words.set(address, this.becomes(address, value));
        this.onWritten(address);
      },
      close: () => undefined,
    };
  }

  set(address: number, ...words: readonly number[]): void {
    words.forEach((word, index) => this.words.set(address + index, word));
  }

  #fail(): void {
    if (this.isCut) throw new ModbusFailure('closed', 'the line is cut');
    const failure = this.failures.shift();
    if (failure !== undefined) throw failure;
  }

  #word(address: number): number {
    const word = this.words.get(address);
    if (word !== undefined) return word;
    throw new ModbusFailure('exception', 'illegal data address', 2);
  }
}

/** Everything that is under way without waiting for the outside has happened. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
