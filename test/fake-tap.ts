/** The relay's tap without a relay: a test writes its lines, and reads what the adapter asks for. */
import { duplexPair, type Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { TapAbility, TapCall, TapLine, TapOutcome } from '../firmware-bridge/ocpp/tap.ts';

export class FakeTap {
  readonly calls: TapCall[] = [];
  allow: readonly TapAbility[] = [];
  version = 1;
  /** What a reader that comes is told first, between `hello` and `recalledAll`. */
  recalled: () => readonly TapLine[] = () => [];
  /** Absent: no answer. */
  answer: ((call: TapCall) => TapOutcome | undefined) | undefined;
  #isThere = true;
  #reader: Duplex | undefined;

  /** What the adapter is given to connect with. */
  readonly connect = (): Duplex => {
    const [ours, theirs] = duplexPair();
    if (this.#isThere) this.#serve(ours);
    else theirs.destroy(new Error('nobody is there'));
    return theirs;
  };

  async tell(...lines: readonly TapLine[]): Promise<void> {
    await this.text(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  }

  async text(text: string): Promise<void> {
    this.#reader?.write(text);
    await this.settled();
  }

  /** Nobody can connect until `back`. */
  async leave(): Promise<void> {
    this.#isThere = false;
    this.#reader?.end();
    this.#reader = undefined;
    await this.settled();
  }

  back(): void {
    this.#isThere = true;
  }

  /** What was written was read, and what came of it was done. */
  async settled(): Promise<void> {
    for (let turns = 0; turns < 8; turns++) await turn();
  }

  #serve(reader: Duplex): void {
    this.#reader = reader;
    reader.on('error', () => undefined);
    reader.on('data', (chunk: Buffer) => {
      for (const line of chunk.toString().trim().split('\n')) this.#asked(reader, line);
    });
    const hello = { t: 'hello', version: this.version, relayBootId: 'r', allow: this.allow };
    const lines = [hello, ...this.recalled(), { t: 'recalledAll' }];
    reader.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  }

  #asked(reader: Duplex, line: string): void {
    const call = JSON.parse(line) as TapCall;
    this.calls.push(call);
    const outcome = this.answer?.(call);
    if (outcome !== undefined) reader.write(`${JSON.stringify({ t: 'answer', call: call.call, outcome })}\n`);
  }
}
