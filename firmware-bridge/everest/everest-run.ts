/** From one start of the adapter to its stop: the link, the timers, and what the story tells. */
import type { FirmwareClock } from '../clock.ts';
import type { FirmwareEvent } from '../port.ts';
import type { EverestIssue } from './everest-firmware.ts';
import type { EverestLink } from './everest-link.ts';
import { EverestStory, type EverestEvse, type EverestStoryOptions } from './everest-story.ts';
import { AcquaintanceFile, loadAcquaintances } from './acquaintance-file.ts';
import type { StoryNow } from './connector-story.ts';
import { Requests } from './requests.ts';
import { fromEverest, heardFromEverest, toEverest, type EverestApi } from './topics.ts';

export interface EverestRunOptions extends EverestStoryOptions {
  readonly evses: readonly EverestEvse[];
  /** EVerest's names of modules: of the `auth_consumer_API`, … */
  readonly authModule?: string | undefined;
  /** … of those that we write to, … */
  readonly energyLimitsModules?: readonly string[] | undefined;
  readonly ocppModule?: string | undefined;
  /** … and of the `display_message_API`, beside which we speak to the display. */
  readonly displayModule?: string | undefined;
  /** Where who is plugged in outlives a restart; absent: it does not. */
  readonly memoryFile?: string | undefined;
  readonly link: EverestLink;
  readonly clock: FirmwareClock;
  readonly communicationCheckEveryMs: number;
  readonly report?: ((issue: EverestIssue) => void) | undefined;
  readonly emit: (event: FirmwareEvent) => void;
  readonly signal: AbortSignal;
}

/** What changes who is known. */
const REMEMBERED = /\/(session_event|session_info|ev_info|token_validation_status)$/;

export class EverestRun {
  readonly #options: EverestRunOptions;
  readonly #story: EverestStory;
  readonly #requests: Requests;
  readonly #memory: AcquaintanceFile | undefined;
  #isOver = false;
  #link: 'unknown' | 'up' | 'down' = 'unknown';
  #cancelCheck: (() => void) | undefined;
  #cancelSilence: (() => void) | undefined;

  constructor(options: EverestRunOptions) {
    this.#options = options;
    this.#story = new EverestStory(options);
    this.#requests = new Requests(options.clock);
    const { memoryFile, report } = options;
    const known = memoryFile === undefined ? undefined : loadAcquaintances(memoryFile);
    for (const evse of options.evses) this.#story.add(evse, nowOf(options.clock), known?.get(evse.module));
    if (memoryFile === undefined) return;
    const message = 'who is plugged in cannot be kept over a restart';
    this.#memory = new AcquaintanceFile(memoryFile, (error) =>
      report?.({ kind: 'memory_unsaved', message, fields: { error: String(error) } }),
    );
  }

  begin(): void {
    const { link, signal } = this.#options;
    signal.addEventListener('abort', () => this.#hush(), { once: true });
    link.start(this.#filters(), {
      up: () => this.#onUp(),
      down: (reason) => this.#onDown(reason),
      message: (topic, payload, isRetained) => this.#onMessage(topic, payload, isRetained),
    });
    this.#watchSilence();
  }

  get isUp(): boolean {
    return this.#link === 'up';
  }

  /** Below it an AC vehicle stops charging; undefined until EVerest says it. */
  minimumMw(module: string): number | undefined {
    return this.#story.minimumMw(module);
  }

  /** By EVerest's own clock. */
  everestWallMs(module: string): number {
    return this.#options.clock.nowWallMs() + this.#story.aheadMs(module);
  }

  /** Whether the broker acknowledged it. */
  publish(api: EverestApi, module: string, name: string, payload: unknown): Promise<boolean> {
    return this.#options.link.publish(toEverest(api, module, name), JSON.stringify(payload));
  }

  ask(api: EverestApi, module: string, name: string, payload: unknown, withinMs: number): Promise<unknown> {
    const replyTopic = fromEverest(api, module, name);
    return this.#requests.ask(replyTopic, payload, withinMs, (wrapped) =>
      this.publish(api, module, name, wrapped),
    );
  }

  /** The display is a client as we are, so what goes to it goes from EVerest, and its answer to EVerest. */
  askDisplay(module: string, name: string, payload: unknown, withinMs: number): Promise<unknown> {
    const topic = fromEverest('display_message', module, name);
    const replyTopic = toEverest('display_message', module, name);
    return this.#requests.ask(replyTopic, payload, withinMs, (wrapped) =>
      this.#options.link.publish(topic, JSON.stringify(wrapped)),
    );
  }

  async end(): Promise<void> {
    this.#hush();
    this.#requests.giveUp();
    await this.#options.link.stop();
    await this.#memory?.idle();
  }

  /** Tells nothing any more; what is to be taken back at EVerest can still be. */
  #hush(): void {
    this.#isOver = true;
    this.#cancelCheck?.();
    this.#cancelSilence?.();
  }

  #filters(): readonly string[] {
    const { evses, authModule, ocppModule, displayModule } = this.#options;
    const modules = evses.map(({ module }) => module);
    return [
      ...heardFromEverest(modules, authModule),
      ...given(ocppModule, (module) => `${fromEverest('ocpp_consumer', module, 'data_transfer_outgoing')}/+`),
      ...given(displayModule, (module) => `${toEverest('display_message', module, 'set_display_message')}/+`),
    ];
  }

  /** Subscribed first, asked then: no answer is missed. */
  #onUp(): void {
    this.#link = 'up';
    this.#options.report?.({ kind: 'link_up', message: 'EVerest’s broker is reached' });
    this.#story.connected(nowOf(this.#options.clock));
    this.#check();
    for (const { module } of this.#options.evses) {
      const replyTo = `${fromEverest('evse_manager_consumer', module, 'get_evse')}/plugpool`;
      void this.publish('evse_manager_consumer', module, 'get_evse', { headers: { replyTo } });
    }
    this.#watchSilence();
  }

  #onDown(reason: string): void {
    if (this.#link !== 'down')
      this.#options.report?.({
        kind: 'link_down',
        message: 'EVerest’s broker is not reached',
        fields: { reason },
      });
    this.#link = 'down';
    this.#requests.giveUp();
    this.#cancelCheck?.();
    this.#tell(this.#story.disconnected(reason, nowOf(this.#options.clock)));
  }

  #onMessage(topic: string, payload: Uint8Array, isRetained: boolean): void {
    if (this.#requests.hear(topic, payload) || this.#isOver) return;
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
    if (REMEMBERED.test(topic)) this.#memory?.save(this.#story.acquaintances());
  }

  /** EVerest reports a client that does not say this in time as gone; each module listens for itself. */
  #check(): void {
    const {
      evses,
      authModule,
      energyLimitsModules = [],
      ocppModule,
      communicationCheckEveryMs,
      clock,
    } = this.#options;
    const say = (api: EverestApi, module: string): void =>
      void this.publish(api, module, 'communication_check', true);
    for (const { module } of evses) say('evse_manager_consumer', module);
    for (const module of energyLimitsModules) say('external_energy_limits_consumer', module);
    if (authModule !== undefined) say('auth_consumer', authModule);
    if (ocppModule !== undefined) say('ocpp_consumer', ocppModule);
    this.#cancelCheck?.();
    this.#cancelCheck = clock.setTimer(communicationCheckEveryMs, () => {
      if (!this.#isOver) this.#check();
    });
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

function given(module: string | undefined, filterOf: (module: string) => string): readonly string[] {
  return module === undefined ? [] : [filterOf(module)];
}
