/** Looks at the connectors of one device again and again, at even times, and goes easy on a device that does not answer. */
import type { ConnectorId } from '@plugpool/proto';
import type { FirmwareClock } from '../clock.ts';
import type { ReportIssue } from '../firmware-error.ts';
import type { FirmwareFact } from '../firmware-fact.ts';
import { pause } from '../pause.ts';
import type { FirmwareEvent, Pseudonymize } from '../port.ts';
import { look } from './look.ts';
import type { LookAround, Place } from './look.ts';
import { ModbusFailure } from './modbus-link.ts';
import type { ModbusLink, RegisterAccess } from './modbus-link.ts';
import { ModbusStory } from './modbus-story.ts';
import { planReads } from './read-plan.ts';
import type { ReadRequest } from './read-plan.ts';
import type { RegisterMap } from './register-map.ts';
import type { Value } from './register-value.ts';

export interface DeviceConnector extends Place {
  readonly connectorId: ConnectorId;
}

export interface DevicePollerOptions {
  readonly link: ModbusLink;
  readonly map: RegisterMap;
  readonly connectors: readonly DeviceConnector[];
  readonly pollMs: number;
  /** Looks in a row that fail before the link counts as lost. */
  readonly lostAfter: number;
  readonly pseudonymize: Pseudonymize;
  readonly clock: FirmwareClock;
  readonly report?: ReportIssue | undefined;
  readonly emit: (event: FirmwareEvent) => void;
  readonly signal: AbortSignal;
}

const REOPEN_MS_MIN = 500;
/** Also between two looks at a connector that is lost. */
const BACKOFF_MS_MAX = 30_000;
/** An optional register that the device refused may come with an update of its firmware. */
const REFUSED_FOR_MS = 600_000;
/** A register that is always out of range would be told at every look. */
const REPORT_EVERY_MS = 60_000;

/** One connector, and how it was to be read lately. */
class Watched {
  readonly connector: DeviceConnector;
  readonly story: ModbusStory;
  readonly refusedUntilMs = new Map<ReadRequest, number>();
  failures = 0;
  nextLookMs = -Infinity;

  constructor(connector: DeviceConnector) {
    this.connector = connector;
    this.story = new ModbusStory(connector.connectorId);
  }
}

export class DevicePoller {
  readonly #options: DevicePollerOptions;
  readonly #requests: readonly ReadRequest[];
  readonly #watched: readonly Watched[];
  readonly #ended = new AbortController();
  readonly #reportedMs = new Map<string, number>();
  #access: RegisterAccess | undefined;
  /** Requests go one after the other: looks, and what is written between them. */
  #line: Promise<unknown> = Promise.resolve();
  #loop: Promise<void> = Promise.resolve();

  constructor(options: DevicePollerOptions) {
    this.#options = options;
    this.#requests = planReads(options.map);
    this.#watched = options.connectors.map((connector) => new Watched(connector));
  }

  begin(): void {
    this.#options.signal.addEventListener('abort', this.#halt, { once: true });
    this.#loop = this.#run();
  }

  /** From here on nothing is told; resolves when the connection is closed. */
  async end(): Promise<void> {
    this.#halt();
    await this.#loop;
  }

  /** A request of somebody else's, between the looks. Rejects with a `ModbusFailure`. */
  request<Answer>(ask: (access: RegisterAccess) => Promise<Answer>): Promise<Answer> {
    const answer = this.#line.then(() => {
      if (this.#access !== undefined) return ask(this.#access);
      throw new ModbusFailure('closed', `${this.#options.link.name} is not connected`);
    });
    this.#line = answer.catch(() => undefined);
    return answer;
  }

  readonly #halt = (): void => {
    this.#options.signal.removeEventListener('abort', this.#halt);
    this.#ended.abort();
    this.#access?.close();
  };

  async #run(): Promise<void> {
    let waitMs = REOPEN_MS_MIN;
    while (!this.#ended.signal.aborted) {
      const answered = await this.#connectOnce();
      if (answered) waitMs = REOPEN_MS_MIN;
      await pause(this.#options.clock, waitMs, this.#ended.signal);
      waitMs = Math.min(waitMs * 2, BACKOFF_MS_MAX);
    }
  }

  /** Until the connection is closed, or answers nothing any more; whether it ever answered. */
  async #connectOnce(): Promise<boolean> {
    let answered = false;
    try {
      this.#access = await this.#options.link.open(this.#ended.signal);
      for await (const round of this.#rounds()) answered = round || answered;
    } catch (error) {
      for (const watched of this.#watched) this.#fail(watched, failureText(error));
    }
    this.#access?.close();
    this.#access = undefined;
    return answered;
  }

  /** Yields after each round of looks whether any was answered; ends when the connection is of no use. */
  async *#rounds(): AsyncGenerator<boolean> {
    const { clock, pollMs } = this.#options;
    for (
      let dueMs = clock.nowMonoMs();
      !this.#ended.signal.aborted;
      dueMs = nextDueMs(dueMs, pollMs, clock)
    ) {
      const waitMs = dueMs - clock.nowMonoMs();
      if (waitMs > 0) await pause(clock, waitMs, this.#ended.signal);
      const answered = await this.#round();
      yield answered;
      // A device that takes connections and answers none of them is connected to anew.
      if (!answered && this.#watched.every(({ story }) => story.isLost)) return;
    }
  }

  async #round(): Promise<boolean> {
    let answered = false;
    for (const watched of this.#watched) {
      if (this.#options.clock.nowMonoMs() < watched.nextLookMs) continue;
      if (this.#ended.signal.aborted) break;
      answered = (await this.#look(watched)) || answered;
    }
    return answered;
  }

  /** Whether the device answered, be it with a refusal. Rejects where the connection is closed. */
  async #look(watched: Watched): Promise<boolean> {
    try {
      const around = this.#around(watched);
      const reading = await this.request((access) => look(access, watched.connector, around));
      watched.failures = 0;
      watched.nextLookMs = -Infinity;
      this.#tell(watched.story.see(reading, this.#options.clock.nowMonoMs()));
      return true;
    } catch (error) {
      if (!(error instanceof ModbusFailure) || error.code === 'closed') throw error;
      this.#fail(watched, failureText(error));
      return error.code === 'exception';
    }
  }

  #fail(watched: Watched, why: string): void {
    const { lostAfter, pollMs, clock, link } = this.#options;
    watched.failures += 1;
    if (watched.failures < lostAfter) return;
    this.#tell(watched.story.lose(`${link.name}, unit ${watched.connector.unit}: ${why}`));
    const backoffMs = Math.min(pollMs * 2 ** Math.min(watched.failures - lostAfter, 10), BACKOFF_MS_MAX);
    watched.nextLookMs = clock.nowMonoMs() + backoffMs;
  }

  #around({ refusedUntilMs, connector }: Watched): LookAround {
    const { map, pseudonymize, clock } = this.#options;
    return {
      map,
      pseudonymize,
      requests: this.#requests,
      isRefused: (request) => clock.nowMonoMs() < (refusedUntilMs.get(request) ?? -Infinity),
      refuse: (request) => refusedUntilMs.set(request, clock.nowMonoMs() + REFUSED_FOR_MS),
      doubt: (name, value) => this.#doubt(connector, name, value),
    };
  }

  #doubt({ connectorId }: DeviceConnector, name: string, value: Value): void {
    const { clock, report, map } = this.#options;
    const nowMs = clock.nowMonoMs();
    const key = `${connectorId} ${name}`;
    if (nowMs - (this.#reportedMs.get(key) ?? -Infinity) < REPORT_EVERY_MS) return;
    this.#reportedMs.set(key, nowMs);
    report?.({
      code: 'source_odd',
      message: `${connectorId}: ${name} reads ${value}, which is out of the range of the register map of ${map.name}`,
      hint: 'Look at the device; where the value is right, give a map of your own with a wider range',
    });
  }

  #tell(facts: readonly FirmwareFact[]): void {
    const at = { receivedWallMs: this.#options.clock.nowWallMs() };
    // Somebody may stop the adapter from within `emit`.
    for (const fact of facts) if (!this.#ended.signal.aborted) this.#options.emit({ ...fact, at });
  }
}

/** On the beat of the first, so that a slow answer shifts nothing; beats that were missed are left out. */
function nextDueMs(dueMs: number, pollMs: number, clock: FirmwareClock): number {
  const missed = Math.max(0, Math.floor((clock.nowMonoMs() - dueMs) / pollMs));
  return dueMs + (missed + 1) * pollMs;
}

function failureText(error: unknown): string {
  if (error instanceof ModbusFailure && error.exception !== undefined) {
    return `exception ${error.exception}: ${error.message}`;
  }
  return error instanceof Error ? error.message : String(error);
}
