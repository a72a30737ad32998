/** One adapter from start to stop: opens the source again and again, and brings its lines to the stories of its buses. */
import { BoundedLines } from '../bounded-lines.ts';
import type { FirmwareClock } from '../clock.ts';
import type { FirmwareIssue, ReportIssue } from '../firmware-error.ts';
import type { BusStories } from './bus-stories.ts';
import { LINE_CHARS_MAX, parseCandumpLine } from './candump-line.ts';
import type { CanFrame } from './candump-line.ts';
import type { LineSource } from './line-source.ts';
import { pause } from '../pause.ts';

export interface ListeningOptions {
  readonly source: LineSource;
  readonly stories: BusStories;
  readonly clock: FirmwareClock;
  readonly report?: ReportIssue | undefined;
  readonly signal: AbortSignal;
}

/** Between two attempts to open the source: doubled from the first to the last. */
const REOPEN_MS_MIN = 500;
const REOPEN_MS_MAX = 30_000;
/** Lines that cannot be used are told at most this often: a wrong option of candump makes a thousand of them a second. */
const REPORT_EVERY_MS = 60_000;

type End = { readonly by: 'recording' | 'source'; readonly heard: boolean; readonly reason: string };

export class Listening {
  readonly #options: ListeningOptions;
  readonly #ended = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  #unusable = 0;
  #reportedMs = -Infinity;

  constructor(options: ListeningOptions) {
    this.#options = options;
  }

  begin(): void {
    this.#options.signal.addEventListener('abort', this.#halt, { once: true });
    this.#loop = this.#listen();
  }

  /** From here on nothing is told; resolves when the source is closed. */
  async end(): Promise<void> {
    this.#halt();
    await this.#loop;
  }

  readonly #halt = (): void => {
    this.#options.signal.removeEventListener('abort', this.#halt);
    this.#options.stories.halt();
    this.#ended.abort();
  };

  async #listen(): Promise<void> {
    let waitMs = REOPEN_MS_MIN;
    while (!this.#ended.signal.aborted) {
      const { by, heard, reason } = await this.#listenOnce();
      this.#options.stories.loseTap(reason);
      // A recording is lived once: what it says of its end is not lived again.
      if (by === 'recording') return;
      if (heard) waitMs = REOPEN_MS_MIN;
      await pause(this.#options.clock, waitMs, this.#ended.signal);
      waitMs = Math.min(waitMs * 2, REOPEN_MS_MAX);
    }
  }

  /** Until the source ends or fails. */
  async #listenOnce(): Promise<End> {
    const { source, stories } = this.#options;
    let heard = false;
    let by: End['by'] = 'source';
    try {
      const { lines, paced } = await source.open(this.#ended.signal);
      by = paced ? 'recording' : 'source';
      stories.regainTap();
      const cut = new BoundedLines(LINE_CHARS_MAX);
      const wait = paced ? this.#pace() : undefined;
      for await (const chunk of lines) {
        heard = true;
        for (const line of cut.push(chunk)) await this.#take(line, wait);
      }
      return { by, heard, reason: `${source.name} ended` };
    } catch (error) {
      return {
        by,
        heard,
        reason: `${source.name}: ${error instanceof Error ? error.message : String(error)}`,
      };
    }
  }

  async #take(
    line: string | undefined,
    wait: ((frame: CanFrame) => Promise<void>) | undefined,
  ): Promise<void> {
    const parsed = parseCandumpLine(line);
    if (parsed.kind === 'other') return;
    if (parsed.kind === 'unreadable') {
      this.#complain(parsed.why, 'Send the log form, candump -L: (seconds) interface identifier#data');
      return;
    }
    if (wait !== undefined) await wait(parsed.frame);
    if (this.#ended.signal.aborted || this.#options.stories.hear(parsed.frame)) return;
    this.#complain(
      `no connector has the interface ${parsed.frame.bus}`,
      'Add it to connectors, or let candump listen to fewer interfaces',
    );
  }

  /** Until a recorded frame is due, counted from the first. */
  #pace(): (frame: CanFrame) => Promise<void> {
    const { clock } = this.#options;
    const startMonoMs = clock.nowMonoMs();
    let firstMs: number | undefined;
    return async ({ atMs }) => {
      firstMs ??= atMs;
      const waitMs = startMonoMs + (atMs - firstMs) - clock.nowMonoMs();
      if (waitMs > 0) await pause(clock, waitMs, this.#ended.signal);
    };
  }

  #complain(why: string, hint: string): void {
    this.#unusable += 1;
    const nowMs = this.#options.clock.nowMonoMs();
    if (nowMs - this.#reportedMs < REPORT_EVERY_MS) return;
    this.#reportedMs = nowMs;
    const issue: FirmwareIssue = {
      code: 'source_odd',
      message: `${this.#options.source.name}: a line is passed over: ${why} (${this.#unusable} so far)`,
      hint,
    };
    this.#options.report?.(issue);
  }
}
