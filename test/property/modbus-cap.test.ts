/** Whoever else writes the cap registers, whatever gets lost and whenever the agent starts anew: a cap gives way, and leaves nothing behind. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { loadMap } from '../../firmware-bridge/modbus/load-map.ts';
import { CapMemory } from '../../firmware-bridge/modbus/cap-memory.ts';
import { CapWriter } from '../../firmware-bridge/modbus/cap-writer.ts';
import { ModbusFailure } from '../../firmware-bridge/modbus/modbus-link.ts';
import { SteppedClock } from '../../firmware-bridge/stepped-clock.ts';

/** Of a CHARX at charging point 0. */
const [LIMIT, FALLBACK, SECONDS, OFF] = [301, 306, 307, 65_535];
const PLACE = { unit: 1, shift: 0 };
const { cap: form } = loadMap('charx');

type Step =
  | { readonly is: 'set'; readonly amperes: number; readonly seconds: number }
  | { readonly is: 'clear' | 'restart' | 'othersLimit' | 'othersStop' | 'othersWatch' | 'othersUnwatch' }
  | { readonly is: 'wait'; readonly ms: number }
  /** The request after this many is not answered; the device may have heard it. */
  | { readonly is: 'lose'; readonly after: number; readonly isHeard: boolean };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    // Even, where others write odd numbers: who wrote the same number cannot be told.
    arbitrary: fc.record({
      is: fc.constant('set' as const),
      amperes: fc.integer({ min: 3, max: 20 }).map((half) => half * 2),
      seconds: fc.constantFrom(30, 60),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      is: fc.constantFrom(
        'clear' as const,
        'restart' as const,
        'othersLimit' as const,
        'othersStop' as const,
        'othersWatch' as const,
        'othersUnwatch' as const,
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ is: fc.constant('wait' as const), ms: fc.constantFrom(5_000, 70_000) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ is: fc.constant('lose' as const), after: fc.nat(8), isHeard: fc.boolean() }),
  },
);

class Station {
  readonly clock = new SteppedClock();
  readonly memory = new CapMemory(undefined);
  readonly words = new Map([
    [LIMIT, 21],
    [FALLBACK, 7],
    [SECONDS, OFF],
  ]);
  /** What others wrote last. */
  readonly theirs = new Map(this.words);
  #othersWrites = 0;
  #lose: { after: number; readonly isHeard: boolean } | undefined;
  #writer = this.#anew();

  async take(next: Step): Promise<void> {
    switch (next.is) {
      case 'set':
        await this.#writer.set({ powerMw: next.amperes * 230 * 3 * 1000, forMs: next.seconds * 1000 });
        return;
      case 'clear':
        await this.#writer.clear();
        return;
      case 'restart':
        this.#writer.abandon();
        this.#writer = this.#anew();
        return;
      case 'othersLimit':
        this.#othersWrites += 1;
        return this.#others(LIMIT, 7 + ((this.#othersWrites * 14) % 74));
      case 'othersStop':
        return this.#others(LIMIT, 0);
      case 'othersWatch':
        this.#others(FALLBACK, 0);
        return this.#others(SECONDS, 45);
      case 'othersUnwatch':
        return this.#others(SECONDS, OFF);
      case 'wait':
        this.clock.advance(next.ms);
        for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
        return;
      case 'lose':
        this.#lose = { after: next.after, isHeard: next.isHeard };
    }
  }

  async end(): Promise<void> {
    this.#lose = undefined;
    if (this.words.get(SECONDS) === 45) this.#others(SECONDS, OFF);
    if (this.words.get(LIMIT) === 0) await this.take({ is: 'othersLimit' });
    assert.deepEqual(await this.#writer.clear(), { ok: true });
    this.#writer.abandon();
  }

  #others(address: number, value: number): void {
    this.words.set(address, value);
    this.theirs.set(address, value);
  }

  #anew(): CapWriter {
    assert.ok(form);
    const access = {
      read: async (_unit: number, _table: string, address: number) => {
        this.#answer();
        return Uint16Array.of(this.words.get(address) ?? 0);
      },
      write: async (_unit: number, _by: string, address: number, value: number) => {
        const isHeard = this.#lose?.isHeard === true || this.#lose?.after !== 0;
        if (isHeard) this.#hear(address, value);
        this.#answer();
      },
      close: () => undefined,
    };
    let line: Promise<unknown> = Promise.resolve();
    const request = <Answer>(ask: (registers: typeof access) => Promise<Answer>): Promise<Answer> => {
      const answer = line.then(() => ask(access));
      line = answer.catch(() => undefined);
      return answer;
    };
    const writer = new CapWriter({
      form,
      place: PLACE,
      phases: 3,
      clock: this.clock,
      memory: this.memory,
      request,
    });
    writer.resume();
    return writer;
  }

  #hear(address: number, value: number): void {
    const limit = this.theirs.get(LIMIT) ?? 0;
    if (address === LIMIT) {
      assert.ok(value <= limit, `${value} A are written where others allow ${limit} A`);
      assert.ok(value >= 6, `${value} A stop the car`);
    } else assert.notEqual(this.words.get(SECONDS), 45, 'the watchdog of others is written over');
    this.words.set(address, value);
  }

  #answer(): void {
    if (this.#lose === undefined) return;
    const { after } = this.#lose;
    if (after > 0) {
      this.#lose.after -= 1;
      return;
    }
    this.#lose = undefined;
    throw new ModbusFailure('no_answer', 'timed out');
  }
}

test('a cap never raises the limit of others, starts their car or takes their watchdog, and leaves what they set', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 24 }), async (steps) => {
      const station = new Station();
      for (const one of steps) await station.take(one);
      await station.end();
      assert.deepEqual(station.words, station.theirs);
    }),
    { numRuns: 400 },
  );
});
