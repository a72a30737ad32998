/**
 * Drives the core: events in, one step a batch, its changes committed, and only then its effects let out.
 * The batch is whatever arrived while the last commit was under way, never a timer.
 */
import type { VehicleId } from '@plugpool/proto';
import { BatchBound } from './batch-bound.ts';
import type { Event } from './core/events.ts';
import type { Effects } from './core/effects.ts';
import { loadState } from './core/load.ts';
import type { StoreChange } from './core/records.ts';
import type { Settings } from './core/settings.ts';
import type { State } from './core/state.ts';
import { nextDueMs, step } from './core/step.ts';
import { laneOf, takeFairly } from './fair-batch.ts';
import type { Clock, Store } from './ports.ts';
import { StoreError } from './store-error.ts';

/** Above this senders are made to wait, until half of it is worked off; but not one of whom next to nothing waits. */
const QUEUE_EVENTS_MAX = 10_000;
const FEW_EVENTS = 64;
/** Above this one vehicle is made to wait, whoever else does. */
const VEHICLE_EVENTS_MAX = 2_000;
/** Changes that promise nothing wait for the next commit, and never longer than this. */
const LAZY_DELAY_MS = 1_000;
const LAZY_CHANGES_MAX = 2_000;
const RELOAD_DELAY_MS = 1_000;

export interface EngineSurroundings {
  readonly store: Pick<Store, 'open' | 'reload' | 'commit'>;
  readonly clock: Clock;
  readonly settings: Settings;
  /** Called after the commit, in order. Must not throw. */
  publish(effects: Effects): void;
  /** Builds what `publish` will send while the commit is under way. */
  prepare(effects: Effects): void;
  /** The commit of these events failed: nothing of them happened. */
  refused(events: readonly Event[], error: StoreError): void;
  /** Our own code broke a promise: the agent must stop and start again from the store. */
  fatal(error: unknown): void;
  /** Calls back once everything is there that comes at this moment: by the event loop, unless a simulated world has moments of its own. */
  soon?(callback: () => void): void;
  /** An event as it is when it is decided, where what it says of its surroundings may be over by then. */
  asDecided?(event: Event): Event;
}

export class Engine {
  readonly #around: EngineSurroundings;
  #state: State | undefined;
  readonly #bound = new BatchBound();
  #queue: Event[] = [];
  #lazy: StoreChange[] = [];
  #running = false;
  #scheduled = false;
  #stopped = false;
  #cancelTimer: (() => void) | undefined;
  #cancelLazy: (() => void) | undefined;
  /** How many events of each vehicle wait. */
  readonly #waitingOf = new Map<string, number>();
  #onRoom: { readonly vehicleId: VehicleId; readonly resolve: () => void }[] = [];
  #onIdle: (() => void)[] = [];
  #failedInARow = 0;
  readonly metrics = {
    steps: 0,
    events: 0,
    commits: 0,
    changes: 0,
    failedCommits: 0,
    stepMs: 0,
    commitMs: 0,
  };

  constructor(around: EngineSurroundings) {
    this.#around = around;
  }

  get state(): State {
    if (this.#state === undefined) throw new Error('the engine is not started');
    return this.#state;
  }

  async start(): Promise<void> {
    const { store, settings, clock } = this.#around;
    this.#state = loadState(await store.open(), settings, clock.now());
    this.#schedule();
  }

  push(event: Event): void {
    if (this.#stopped) return;
    this.#queue.push(event);
    this.#count(event, 1);
    this.#schedule();
  }

  /** Undefined where there is room for more of that vehicle; else resolves when there is. */
  room(vehicleId: VehicleId): Promise<void> | undefined {
    if (this.#hasRoom(vehicleId, 1)) return undefined;
    return new Promise((resolve) => this.#onRoom.push({ vehicleId, resolve }));
  }

  /** `part` of the bounds: who waits for room waits until half of it is there. */
  #hasRoom(vehicleId: VehicleId, part: number): boolean {
    const own = this.#waitingOf.get(vehicleId) ?? 0;
    if (own >= part * VEHICLE_EVENTS_MAX) return false;
    return own < FEW_EVENTS || this.#queue.length < part * QUEUE_EVENTS_MAX;
  }

  #count(event: Event, by: 1 | -1): void {
    const lane = laneOf(event);
    const waiting = (this.#waitingOf.get(lane) ?? 0) + by;
    if (waiting > 0) this.#waitingOf.set(lane, waiting);
    else this.#waitingOf.delete(lane);
  }

  #takeBatch(): Event[] {
    const { taken, left } = takeFairly(this.#queue, this.#bound.events);
    this.#queue = left;
    for (const event of taken) this.#count(event, -1);
    return taken;
  }

  /** Resolves when everything that was pushed is committed and published. */
  async idle(): Promise<void> {
    if (!this.#running && !this.#scheduled && this.#queue.length === 0) return;
    await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  async stop(): Promise<void> {
    await this.idle();
    this.#stopped = true;
    this.#cancelTimer?.();
    this.#cancelLazy?.();
    await this.#commitLazy();
  }

  #schedule(): void {
    if (this.#running || this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    const goOn = (): void => {
      this.#scheduled = false;
      void this.#run();
    };
    // After the poll phase: what came in the same turn of the event loop, on whatever socket, is decided together.
    if (this.#around.soon === undefined) setImmediate(goOn);
    else this.#around.soon(goOn);
  }

  async #run(): Promise<void> {
    this.#running = true;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    try {
      do await this.#turn(this.#takeBatch());
      while (this.#queue.length > 0);
    } catch (error) {
      this.#stopped = true;
      this.#around.fatal(error);
      return;
    } finally {
      this.#running = false;
    }
    this.#armTimer();
    for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  async #turn(events: readonly Event[]): Promise<void> {
    for (const waiting of this.#onRoom.splice(0)) {
      if (this.#hasRoom(waiting.vehicleId, 0.5)) waiting.resolve();
      else this.#onRoom.push(waiting);
    }
    const { clock } = this.#around;
    const startMs = clock.now().monoMs;
    const decided = events.map((event) => this.#around.asDecided?.(event) ?? event);
    const effects = step(this.state, decided, clock.now());
    this.metrics.steps += 1;
    this.metrics.events += events.length;
    this.metrics.stepMs += clock.now().monoMs - startMs;
    if (effects.changesCanWait && this.#lazy.length + effects.changes.length < LAZY_CHANGES_MAX) {
      this.#keepForLater(effects.changes);
      this.#around.prepare(effects);
    } else if (!(await this.#commit(events, effects))) return;
    this.#around.publish(effects);
  }

  async #commit(events: readonly Event[], effects: Effects): Promise<boolean> {
    const { store, clock } = this.#around;
    const changes = [...this.#lazy.splice(0), ...effects.changes];
    this.#cancelLazy?.();
    this.#cancelLazy = undefined;
    const startMs = clock.now().monoMs;
    try {
      const committed = store.commit(changes);
      this.#around.prepare(effects);
      const { syncMs } = await committed;
      this.#bound.learn(events.length, clock.now().monoMs - startMs, syncMs);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.metrics.failedCommits += 1;
      this.#failedInARow += 1;
      this.#around.refused(events, error);
      await this.#startOver();
      return false;
    }
    this.#failedInARow = 0;
    this.metrics.commits += 1;
    this.metrics.changes += changes.length;
    this.metrics.commitMs += clock.now().monoMs - startMs;
    return true;
  }

  /** The state says what is not on disk: it is dropped and loaded again, however long that takes. */
  async #startOver(): Promise<void> {
    const { store, settings, clock } = this.#around;
    // What is due on a full disk is due again at once: it is not tried as fast as the store can be read.
    if (this.#failedInARow > 1)
      await new Promise<void>((resolve) => clock.setTimer(RELOAD_DELAY_MS, resolve));
    for (;;) {
      try {
        this.#state = loadState(await store.reload(), settings, clock.now(), this.state);
        this.push({ kind: 'tick' });
        return;
      } catch (error) {
        if (!(error instanceof StoreError) || error.code === 'damaged') throw error;
        await new Promise<void>((resolve) => clock.setTimer(RELOAD_DELAY_MS, resolve));
      }
    }
  }

  #keepForLater(changes: readonly StoreChange[]): void {
    this.#lazy.push(...changes);
    if (this.#lazy.length === 0) return;
    this.#cancelLazy ??= this.#around.clock.setTimer(LAZY_DELAY_MS, () => {
      this.#cancelLazy = undefined;
      void this.#flushLazy();
    });
  }

  async #flushLazy(): Promise<void> {
    // A commit that is under way, or about to be, takes them along.
    if (this.#running || this.#scheduled || this.#stopped) return;
    this.#running = true;
    try {
      if (!(await this.#commitLazy())) this.#keepForLater([]);
    } catch (error) {
      this.#around.fatal(error);
    } finally {
      this.#running = false;
    }
    if (this.#queue.length > 0) this.#schedule();
    for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  /** False where the disk refused: they stay, since memory says already what they say, and go with the next commit. */
  async #commitLazy(): Promise<boolean> {
    const changes = this.#lazy.splice(0);
    if (changes.length === 0) return true;
    try {
      await this.#around.store.commit(changes);
      return true;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.#lazy.unshift(...changes);
      return false;
    }
  }

  #armTimer(): void {
    const dueMs = nextDueMs(this.state);
    if (dueMs === undefined || this.#stopped) return;
    const delayMs = Math.max(0, dueMs - this.#around.clock.now().monoMs);
    this.#cancelTimer = this.#around.clock.setTimer(delayMs, () => this.push({ kind: 'tick' }));
  }
}
