/** From one start of the adapter to its stop: the link, the timers, and what the story tells. */
import type { FirmwareClock } from '../clock.ts';
import type { FirmwareEvent } from '../port.ts';
import type { EverestIssue } from './everest-firmware.ts';
import type { EverestLink } from './everest-link.ts';
import { EverestStory, type EverestEvse, type EverestStoryOptions } from './everest-story.ts';
import type { StoryNow } from './connector-story.ts';
import { fromEverest, toEverest, type EverestApi } from './topics.ts';

export interface EverestRunOptions extends EverestStoryOptions {
  readonly evses: readonly EverestEvse[];
  /** EVerest's name of the `auth_consumer_API` module. */
  readonly authModule?: string | undefined;
  readonly link: EverestLink;
  readonly clock: FirmwareClock;
  readonly communicationCheckEveryMs: number;
  readonly report?: ((issue: EverestIssue) => void) | undefined;
  readonly emit: (event: FirmwareEvent) => void;
  readonly signal: AbortSignal;
}

const EVSE_NAMES = ['session_event', 'session_info', 'ev_info', 'powermeter', 'heartbeat', 'hw_capabilities'];

export class EverestRun {
  readonly #options: EverestRunOptions;
  readonly #story: EverestStory;
  #isOver = false;
  #isUp = false;
  #cancelCheck: (() => void) | undefined;
  #cancelSilence: (() => void) | undefined;

  constructor(options: EverestRunOptions) {
    this.#options = options;
    this.#story = new EverestStory(options);
    for (const evse of options.evses) this.#story.add(evse, nowOf(options.clock));
  }

  begin(): void {
    const { link, signal } = this.#options;
    signal.addEventListener('abort', () => void this.end(), { once: true });
    link.start(this.#filters(), {
      up: () => this.#onUp(),
      down: (reason) => this.#onDown(reason),
      message: (topic, payload, isRetained) => this.#onMessage(topic, payload, isRetained),
    });
    this.#watchSilence();
  }

  async end(): Promise<void> {
    this.#isOver = true;
    this.#cancelCheck?.();
    this.#cancelSilence?.();
    await this.#options.link.stop();
  }

  #filters(): readonly string[] {
    const { evses, authModule } = this.#options;
    const ofEvse = (module: string): string[] => [
      ...EVSE_NAMES.map((name) => fromEverest('evse_manager_consumer', module, name)),
      `${fromEverest('evse_manager_consumer', module, 'get_evse')}/+`,
    ];
    const auth =
      authModule === undefined ? [] : [fromEverest('auth_consumer', authModule, 'token_validation_status')];
    return [...evses.flatMap(({ module }) => ofEvse(module)), ...auth];
  }

  /** Subscribed first, asked then: no answer is missed. */
  #onUp(): void {
    this.#isUp = true;
    this.#options.report?.({ kind: 'link_up', message: 'EVerest’s broker is reached' });
    this.#story.connected(nowOf(this.#options.clock));
    this.#check();
    for (const { module } of this.#options.evses) {
      const replyTo = `${fromEverest('evse_manager_consumer', module, 'get_evse')}/plugpool`;
      this.#publish('evse_manager_consumer', module, 'get_evse', { headers: { replyTo } });
    }
    this.#watchSilence();
  }

  #onDown(reason: string): void {
    if (this.#isUp)
      this.#options.report?.({ kind: 'link_down', message: 'EVerest’s broker is lost', fields: { reason } });
    this.#isUp = false;
    this.#cancelCheck?.();
    this.#tell(this.#story.disconnected(reason, nowOf(this.#options.clock)));
  }

  #onMessage(topic: string, payload: Uint8Array, isRetained: boolean): void {
    if (this.#isOver) return;
    if (isRetained) {
      this.#options.report?.({
        kind: 'retained_ignored',
        message: 'EVerest’s broker keeps a message that may be of any age; it is not believed',
      });
      return;
    }
    const { events, problems } = this.#story.hear(topic, payload, nowOf(this.#options.clock));
    if (problems.length > 0)
      this.#options.report?.({
        kind: 'message_refused',
        message: 'EVerest said what breaks its own API',
        fields: { problems: problems.slice(0, 4), count: problems.length },
      });
    this.#tell(events);
    if (events.length > 0) this.#watchSilence();
  }

  /** EVerest reports a client that does not say this in time as gone. */
  #check(): void {
    const { evses, authModule, communicationCheckEveryMs, clock } = this.#options;
    for (const { module } of evses)
      this.#publish('evse_manager_consumer', module, 'communication_check', true);
    if (authModule !== undefined) this.#publish('auth_consumer', authModule, 'communication_check', true);
    this.#cancelCheck?.();
    this.#cancelCheck = clock.setTimer(communicationCheckEveryMs, () => {
      if (!this.#isOver) this.#check();
    });
  }

  #publish(api: EverestApi, module: string, name: string, payload: unknown): void {
    void this.#options.link.publish(toEverest(api, module, name), JSON.stringify(payload));
  }

  #watchSilence(): void {
    const { clock } = this.#options;
    this.#cancelSilence?.();
    this.#cancelSilence = undefined;
    const { dueMonoMs } = this.#story;
    if (this.#isOver || dueMonoMs === Number.POSITIVE_INFINITY) return;
    this.#cancelSilence = clock.setTimer(Math.max(0, dueMonoMs - clock.nowMonoMs()), () => {
      this.#tell(this.#story.tick(nowOf(clock)));
      this.#watchSilence();
    });
  }

  #tell(events: readonly FirmwareEvent[]): void {
    for (const event of events) if (!this.#isOver && !this.#options.signal.aborted) this.#options.emit(event);
  }
}

function nowOf(clock: FirmwareClock): StoryNow {
  return { monoMs: clock.nowMonoMs(), wallMs: clock.nowWallMs() };
}
