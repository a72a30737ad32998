/** The OCPP adapter passes the conformance suite in both versions, over a tap without a relay. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createOcppFirmware } from '../../firmware-bridge/index.ts';
import type { OcppSubprotocol, TapLine } from '../../firmware-bridge/ocpp/tap.ts';
import { SteppedClock } from '../../firmware-bridge/stepped-clock.ts';
import { FakeTap } from '../fake-tap.ts';
import { OCPP_TEST_PSEUDONYMS } from '../ocpp-pile.ts';
import { firmwareConformance } from './firmware-conformance.ts';
import type { FirmwareHarness, Situation } from './firmware-conformance.ts';

interface Recorded {
  readonly at: string;
  readonly from: 'pile' | 'csms';
  readonly frame: unknown;
}

const RETRY_MS = 5_000;

/** A pile that lives the made-up stay once, while somebody listens or not. */
class RecordedPile {
  readonly #tap: FakeTap;
  readonly #clock: SteppedClock;
  readonly #subprotocol: OcppSubprotocol;
  readonly #frames: readonly Recorded[];
  readonly #lived: TapLine[] = [];

  constructor(tap: FakeTap, clock: SteppedClock, form: 'ocpp16' | 'ocpp201') {
    const file = join(import.meta.dirname, `recordings/stay.${form}.jsonl`);
    this.#tap = tap;
    this.#clock = clock;
    this.#subprotocol = form === 'ocpp16' ? 'ocpp1.6' : 'ocpp2.0.1';
    this.#frames = readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Recorded);
    tap.recalled = () => [this.#up(), ...this.#lived.map((line) => ({ ...line, recalled: true }) as TapLine)];
  }

  async live(share: number): Promise<void> {
    for (const { at, from, frame } of this.#frames.slice(this.#lived.length, this.#frames.length * share)) {
      this.#clock.advance(1_000);
      const text = JSON.stringify(frame);
      const line: TapLine = { t: 'frame', pile: 'pile', from, atWallMs: Date.parse(at), text };
      this.#lived.push(line);
      await this.#tap.tell(line);
    }
  }

  #up(): TapLine {
    const atWallMs = Date.parse(this.#frames[0]?.at ?? '') - 1;
    return { t: 'pile', pile: 'pile', atWallMs, link: 'up', subprotocol: this.#subprotocol };
  }
}

for (const form of ['ocpp16', 'ocpp201'] as const)
  firmwareConformance(form, async (situation: Situation): Promise<FirmwareHarness> => {
    const clock = new SteppedClock(Date.parse('2026-03-01T08:00:00Z'));
    const tap = new FakeTap();
    const pile = new RecordedPile(tap, clock, form);
    if (situation === 'vehiclePlugged') await pile.live(0.5);
    const { connect } = tap;
    const adapter = createOcppFirmware({
      tapPath: 'nowhere',
      connect,
      clock,
      pseudonymize: OCPP_TEST_PSEUDONYMS,
    });
    return {
      adapter,
      async play() {
        await tap.settled();
        await pile.live(1);
      },
      async playToMiddle() {
        await tap.settled();
        await pile.live(0.5);
      },
      link: {
        cut: () => tap.leave(),
        async restore() {
          tap.back();
          clock.advance(RETRY_MS);
          await tap.settled();
        },
      },
      async dispose() {
        await tap.leave();
      },
    };
  });
