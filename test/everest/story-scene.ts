/** An EVSE of EVerest whose story a test reads, and messages of it that the test makes up. */
import assert from 'node:assert/strict';
import { EverestStory } from '../../firmware-bridge/everest/everest-story.ts';
import type { FirmwareEvent } from '../../firmware-bridge/index.ts';
import { FirmwareOrder } from '../conformance/firmware-order.ts';
import { RECORDING_OPTIONS } from '../conformance/firmware-stories.ts';
import { SimulatedEverest } from './simulated-everest.ts';

export const BEGAN_MS = Date.UTC(2026, 2, 1, 8);
export const MODULE = 'everest_api/1/evse_manager_consumer/evse_1_api/e2m';

/** An EVSE, its clock, and what the story tells of it. */
export class StoryScene {
  nowMs = BEGAN_MS;
  /** EVerest's clock less ours. */
  aheadMs = 0;
  readonly told: FirmwareEvent[] = [];
  readonly problems: unknown[] = [];
  readonly story = new EverestStory({ silentAfterMs: 5_000, pseudonymize: RECORDING_OPTIONS.pseudonymize });
  readonly everest = new SimulatedEverest({
    nowWallMs: () => this.nowMs + this.aheadMs,
    publish: ({ topic, payload }) => this.hear(topic, payload),
  });
  readonly #order = new FirmwareOrder();

  constructor(evse?: string) {
    this.story.add({ connectorId: 'pile/1/1' as never, module: 'evse_1_api', evse }, this.#now());
  }

  hear(topic: string, payload: unknown): void {
    const { events, problems } = this.story.hear(topic, JSON.stringify(payload), this.#now());
    this.problems.push(...problems);
    this.#tell(events);
  }

  say(name: string, payload: unknown): void {
    this.hear(`${MODULE}/${name}`, payload);
  }

  wait(ms: number): void {
    this.nowMs += ms;
    this.#tell(this.story.tick(this.#now()));
  }

  cut(): void {
    this.#tell(this.story.disconnected('cut', this.#now()));
    this.story.connected(this.#now());
  }

  /** Since it was last asked. */
  kinds(): readonly string[] {
    return this.take().map((event) => (event.kind === 'suspended' ? `suspended ${event.by}` : event.kind));
  }

  take(): readonly FirmwareEvent[] {
    return this.told.splice(0);
  }

  #now() {
    return { monoMs: this.nowMs, wallMs: this.nowMs };
  }

  #tell(events: readonly FirmwareEvent[]): void {
    assert.deepEqual(
      events.flatMap((event) => this.#order.see(event)),
      [],
    );
    this.told.push(...events);
  }
}

export function charging(): StoryScene {
  const scene = new StoryScene();
  scene.everest.plugIn();
  scene.everest.authorise();
  scene.everest.charge();
  scene.take();
  return scene;
}

export function iso(ms: number): string {
  return new Date(ms).toISOString();
}

export function eventNow(event: string, uuid: string): object {
  return { uuid, timestamp: iso(BEGAN_MS), event };
}

export function infoNow(state: string, more: object = {}): object {
  return {
    state,
    charged_energy_wh: 0,
    discharged_energy_wh: 0,
    latest_total_w: 0,
    session_duration_s: 0,
    timestamp: iso(BEGAN_MS),
    ...more,
  };
}

export function meterNow(): object {
  return { timestamp: iso(BEGAN_MS), energy_Wh_import: { total: 12_000 } };
}
