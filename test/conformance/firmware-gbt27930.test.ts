/** The GB/T 27930 adapter passes the conformance suite, on a made-up bus and a stepped clock. */
import { createGbt27930Firmware, createPseudonymizer } from '../../firmware-bridge/index.ts';
import type { LineSource } from '../../firmware-bridge/index.ts';
import { SteppedClock } from '../../firmware-bridge/stepped-clock.ts';
import { firmwareConformance } from './firmware-conformance.ts';
import type { FirmwareHarness, Situation } from './firmware-conformance.ts';
import { Gbt27930Bus } from './gbt27930-bus.ts';

const VIN = 'LSVAA49J132047371';

/** Lines that a test hands over; `said` resolves when the adapter took them, or is not there to. */
class HandedLines implements LineSource {
  readonly name = 'made-up lines';
  isCut = false;
  #deliver: ((text: string | undefined) => void) | undefined;
  #taken: (() => void) | undefined;

  async open(signal: AbortSignal) {
    if (this.isCut) throw new Error('the line is cut');
    return { lines: this.#lines(signal), paced: false };
  }

  async say(text: string): Promise<void> {
    await settled();
    const deliver = this.#deliver;
    if (deliver === undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#taken = resolve;
    deliver(text);
    await promise;
  }

  async cut(): Promise<void> {
    this.isCut = true;
    this.#deliver?.(undefined);
    await settled();
  }

  async *#lines(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    while (!signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<string | undefined>();
      this.#deliver = resolve;
      const onAbort = (): void => resolve(undefined);
      signal.addEventListener('abort', onAbort, { once: true });
      const text = await promise;
      this.#deliver = undefined;
      signal.removeEventListener('abort', onAbort);
      if (text === undefined) break;
      yield Buffer.from(text);
      this.#taken?.();
    }
    this.#taken?.();
  }
}

/** Everything that is under way without waiting for the outside has happened. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

firmwareConformance('gbt27930', async (situation: Situation): Promise<FirmwareHarness> => {
  const clock = new SteppedClock();
  const source = new HandedLines();
  const bus = new Gbt27930Bus('can0', clock.nowWallMs());
  const adapter = createGbt27930Firmware({
    station: 'pile',
    from: source,
    connectors: { can0: '1' },
    unpluggedAfterMs: 60_000,
    pseudonymize: createPseudonymizer(new Uint8Array(16)),
    clock,
  });
  const begin = (): Gbt27930Bus =>
    situation === 'vehiclePlugged' ? bus.charge(1_000) : bus.handshake(VIN).charge(1_000);
  return {
    adapter,
    async play() {
      await source.say(begin().take());
      await source.say(bus.charge(1_000, { currentA: 0, demandA: 0 }).charge(500, { socPct: 60 }).take());
      await source.say(bus.bst(0x01).cst(0x40).bsd(60).csd(4_200).take());
      clock.advance(61_000);
    },
    playToMiddle: () => source.say(begin().take()),
    link: {
      cut: () => source.cut(),
      async restore() {
        source.isCut = false;
        clock.advance(1_000);
        await settled();
        await settled();
      },
    },
    dispose: () => source.cut(),
  };
});
