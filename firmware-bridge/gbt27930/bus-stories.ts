/** The buses of one source, live: a line in, events out; and what their silence says, when it says it. */
import type { ConnectorId } from '@plugpool/proto';
import { TIMER_MS_MAX } from '../clock.ts';
import type { FirmwareClock } from '../clock.ts';
import type { FirmwareFact } from '../firmware-fact.ts';
import type { FirmwareEvent, Pseudonymize, SampleTime } from '../port.ts';
import type { CanFrame } from './candump-line.ts';
import { Gbt27930Decoder } from './decoder.ts';
import { Gbt27930Story } from './story.ts';

export interface BusStoriesOptions {
  /** By interface. */
  readonly connectors: ReadonlyMap<string, ConnectorId>;
  readonly unpluggedAfterMs?: number | undefined;
  readonly pseudonymize: Pseudonymize;
  readonly clock: FirmwareClock;
}

interface Bus {
  decoder: Gbt27930Decoder;
  readonly story: Gbt27930Story;
}

/** A timer that is so late was held up, and with it the frames that came meanwhile: they are heard before silence is judged. */
const LATE_MS = 100;

/** A tap without a clock counts from its start: its times are no wall times. */
const SOURCE_WALL_MS_MIN = Date.UTC(2000, 0, 1);

export class BusStories {
  readonly #options: BusStoriesOptions;
  readonly #emit: (event: FirmwareEvent) => void;
  readonly #buses: ReadonlyMap<string, Bus>;
  #isHalted = false;
  #timer: { readonly dueMs: number; readonly cancel: () => void } | undefined;

  constructor(options: BusStoriesOptions, emit: (event: FirmwareEvent) => void) {
    this.#options = options;
    this.#emit = emit;
    const { connectors, unpluggedAfterMs } = options;
    this.#buses = new Map(
      [...connectors].map(([name, connectorId]) => [
        name,
        { decoder: this.#newDecoder(), story: new Gbt27930Story({ connectorId, unpluggedAfterMs }) },
      ]),
    );
  }

  /** False: no connector has this interface. */
  hear(frame: CanFrame): boolean {
    const bus = this.#buses.get(frame.bus);
    if (bus === undefined) return false;
    const nowMs = this.#options.clock.nowMonoMs();
    const heard = bus.decoder.take(frame, nowMs);
    if (heard === undefined) return true;
    const sourceWallMs = frame.atMs >= SOURCE_WALL_MS_MIN ? frame.atMs : undefined;
    this.#tell(bus.story.hear(heard, nowMs), sourceWallMs);
    this.#arm();
    return true;
  }

  loseTap(reason: string): void {
    const nowMs = this.#options.clock.nowMonoMs();
    for (const { story } of this.#buses.values()) this.#tell(story.loseTap(reason, nowMs));
    this.#arm();
  }

  /** What was under way on the bus when the tap was lost is not continued. */
  regainTap(): void {
    for (const bus of this.#buses.values()) {
      bus.decoder = this.#newDecoder();
      bus.story.regainTap(this.#options.clock.nowMonoMs());
    }
    this.#arm();
  }

  /** Nothing is told from here on. */
  halt(): void {
    this.#isHalted = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #newDecoder(): Gbt27930Decoder {
    return new Gbt27930Decoder(this.#options.pseudonymize);
  }

  /** One timer for all buses. It is left where it is while what is due only moves away, as every frame makes it do. */
  #arm(): void {
    const dueMs = Math.min(...[...this.#buses.values()].map(({ story }) => story.nextDueMs() ?? Infinity));
    if (this.#isHalted || dueMs === Infinity || (this.#timer !== undefined && this.#timer.dueMs <= dueMs))
      return;
    this.#set(dueMs);
  }

  #set(dueMs: number): void {
    this.#timer?.cancel();
    const delayMs = Math.min(Math.ceil(dueMs - this.#options.clock.nowMonoMs()), TIMER_MS_MAX);
    const cancel = this.#options.clock.setTimer(delayMs, () => this.#pass(dueMs));
    this.#timer = { dueMs, cancel };
  }

  #pass(dueMs: number): void {
    this.#timer = undefined;
    const nowMs = this.#options.clock.nowMonoMs();
    if (nowMs - dueMs > LATE_MS && !this.#isHalted) {
      this.#set(nowMs + LATE_MS);
      return;
    }
    for (const { story } of this.#buses.values()) this.#tell(story.pass(nowMs));
    this.#arm();
  }

  #tell(facts: readonly FirmwareFact[], sourceWallMs?: number): void {
    const receivedWallMs = this.#options.clock.nowWallMs();
    const at: SampleTime = { receivedWallMs, ...(sourceWallMs === undefined ? {} : { sourceWallMs }) };
    // Somebody may stop the adapter from within `emit`.
    for (const fact of facts) if (!this.#isHalted) this.#emit({ ...fact, at });
  }
}
