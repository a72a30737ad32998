/**
 * One pile and its CSMS, and what passes between them.
 *
 *   both there ──(line to the CSMS lost)──► CSMS away ──(back in time, same version)──► both there
 *       │                                      └─(too long, too much, refused)──► over
 *       └─(either side closes, or the pile's line is lost)──► over: what happened on one side happens on the other
 *
 * A frame is passed on as it came, in its order; the agent's own calls take turns with it (call-lane.ts).
 */
import type { FirmwareClock } from '../../clock.ts';
import { CALL } from '../frame.ts';
import type { OcppSubprotocol, TapCall, TapOutcome } from '../tap.ts';
import { CallLane } from './call-lane.ts';
import { headOf, type FrameHead } from './frame-head.ts';
import {
  AWAY_CHARS_MAX,
  AWAY_FRAMES_MAX,
  OWN_CALL_MS_MAX,
  REDIAL_FIRST_MS,
  REDIAL_MS_MAX,
} from './limits.ts';
import { isOwnId, newOwnId } from './own-ids.ts';
import type { Gone, Peer } from './peer.ts';

/** The CSMS reached anew, or whether trying on is of any use. */
export type Redialled =
  | { readonly ok: true; readonly csms: Peer; readonly subprotocol: OcppSubprotocol }
  | { readonly ok: false; readonly isFinal: boolean };

export interface RelayedPileOptions {
  readonly identity: string;
  readonly subprotocol: OcppSubprotocol;
  readonly pile: Peer;
  readonly csms: Peer;
  /** 0: when the CSMS is lost, so is the pile's connection. */
  readonly awayCloseMs: number;
  readonly redial: (signal: AbortSignal) => Promise<Redialled>;
  readonly clock: FirmwareClock;
  readonly onFrame: (from: 'pile' | 'csms', text: string, head: FrameHead | undefined) => void;
  readonly onUpstream: (upstream: 'up' | 'down', why: string) => void;
  /** Once, after both sides are gone or going. */
  readonly onOver: (why: string) => void;
}

const CLOSE_GOING_AWAY = 1001;

export class RelayedPile {
  readonly #options: RelayedPileOptions;
  readonly #toPile: CallLane;
  readonly #toCsms: CallLane;
  #csms: Peer | undefined;
  /** While the CSMS is away: what the pile says meanwhile. */
  #kept: string[] = [];
  #keptChars = 0;
  readonly #over = new AbortController();
  #cancelDue: (() => void) | undefined;
  #cancelAway: (() => void) | undefined;
  #cancelWait: (() => void) | undefined;

  constructor(options: RelayedPileOptions) {
    this.#options = options;
    this.#csms = options.csms;
    this.#toPile = new CallLane((text) => options.pile.send(text));
    this.#toCsms = new CallLane((text) => this.#csms?.send(text));
  }

  get identity(): string {
    return this.#options.identity;
  }

  start(): void {
    const { pile, csms } = this.#options;
    pile.listen({
      onText: (text) => this.#fromPile(text),
      onGone: (gone) => this.#pileGone(gone),
      onFull: (isFull) => pauseOrResume(this.#csms, isFull),
    });
    this.#attach(csms);
  }

  /** Resolves when it was answered, or was given up. */
  call({ to, action, payload, withinMs }: TapCall): Promise<TapOutcome> {
    if (this.#isOver()) return Promise.resolve(linkLost('the pile is not connected'));
    if (to === 'csms' && this.#csms === undefined) return Promise.resolve(linkLost('the CSMS is away'));
    const lane = to === 'pile' ? this.#toPile : this.#toCsms;
    const nowMs = this.#options.clock.nowMonoMs();
    const id = newOwnId();
    return new Promise((settle) => {
      const untilMs = nowMs + Math.min(withinMs, OWN_CALL_MS_MAX);
      lane.inject({ id, text: JSON.stringify([CALL, id, action, payload]), untilMs, settle }, nowMs);
      this.#arm();
    });
  }

  #isOver(): boolean {
    return this.#over.signal.aborted;
  }

  /** Closes both sides, the pile's first. */
  stop(code: number, why: string): void {
    if (this.#isOver()) return;
    this.#options.pile.close(code, why);
    this.#end(why, (csms) => csms.close(code, why));
  }

  #attach(csms: Peer): void {
    this.#csms = csms;
    csms.listen({
      onText: (text) => this.#fromCsms(text),
      onGone: (gone) => this.#csmsGone(csms, gone),
      onFull: (isFull) => pauseOrResume(this.#options.pile, isFull),
    });
    csms.resume();
  }

  #fromPile(text: string): void {
    if (this.#isOver()) return;
    const nowMs = this.#options.clock.nowMonoMs();
    const head = headOf(text);
    if (this.#isOurs(this.#toPile, head, text, nowMs)) return;
    if (this.#csms !== undefined) this.#toCsms.relay(text, head, nowMs);
    // Whoever reads along comes second.
    this.#options.onFrame('pile', text, head);
    if (this.#csms === undefined) this.#keep(text);
  }

  #fromCsms(text: string): void {
    if (this.#isOver()) return;
    const nowMs = this.#options.clock.nowMonoMs();
    const head = headOf(text);
    if (this.#isOurs(this.#toCsms, head, text, nowMs)) return;
    this.#toPile.relay(text, head, nowMs);
    this.#options.onFrame('csms', text, head);
  }

  /** What answers a call of the agent, or one of which nobody wants the answer, came from the side that `lane` leads to. */
  #isOurs(lane: CallLane, head: FrameHead | undefined, text: string, nowMs: number): boolean {
    if (head === undefined || head.kind === 'call') return false;
    if (head.kind === 'other') return isOwnId(head.id);
    const isTheirs = lane.answered(head, text, nowMs);
    this.#arm();
    return !isTheirs;
  }

  #pileGone({ by, code, reason }: Gone): void {
    if (this.#isOver()) return;
    const why = by === 'peer' ? `the pile closed its connection (${code})` : 'the line to the pile was lost';
    this.#end(why, (csms) => (by === 'peer' ? csms.close(code, reason) : csms.cut()));
  }

  /** A CSMS that closes means it, and the pile hears it as it was said; one whose line is lost may be back at once. */
  #csmsGone(csms: Peer, { by, code, reason }: Gone): void {
    if (this.#isOver() || this.#csms !== csms) return;
    this.#csms = undefined;
    if (by === 'peer') return this.#endPile(code, reason, `the CSMS closed the connection (${code})`);
    const why = 'the line to the CSMS was lost';
    if (this.#options.awayCloseMs === 0) return this.#endPile(CLOSE_GOING_AWAY, why, why);
    const unsent = this.#toCsms.calledLost(why);
    this.#toPile.callerLost(this.#options.clock.nowMonoMs());
    // It may have been left unread for the sake of the CSMS that is gone.
    this.#options.pile.resume();
    this.#options.onUpstream('down', why);
    for (const text of unsent) this.#keep(text);
    void this.#redial();
  }

  async #redial(): Promise<void> {
    const { clock, awayCloseMs, redial, subprotocol } = this.#options;
    const untilMs = clock.nowMonoMs() + awayCloseMs;
    this.#cancelAway = clock.setTimer(awayCloseMs, () => this.#giveUpCsms('the CSMS was away for too long'));
    for (let waitMs = REDIAL_FIRST_MS; !this.#isOver(); waitMs = Math.min(waitMs * 2, REDIAL_MS_MAX)) {
      await this.#wait(Math.min(waitMs, Math.max(0, untilMs - clock.nowMonoMs())));
      const redialled = await redial(this.#over.signal);
      if (this.#isOver()) return redialled.ok ? redialled.csms.cut() : undefined;
      if (!redialled.ok && redialled.isFinal) return this.#giveUpCsms('the CSMS refuses the pile now');
      if (!redialled.ok) continue;
      this.#cancelAway();
      if (redialled.subprotocol === subprotocol) return this.#reattach(redialled.csms);
      redialled.csms.close(CLOSE_GOING_AWAY, 'another OCPP version than before');
      return this.#giveUpCsms('the CSMS chose another OCPP version than before');
    }
  }

  /** Never ends where the pile is over meanwhile. */
  #wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => (this.#cancelWait = this.#options.clock.setTimer(delayMs, resolve)));
  }

  #reattach(csms: Peer): void {
    this.#attach(csms);
    this.#options.onUpstream('up', 'the CSMS is back');
    const kept = this.#kept;
    this.#kept = [];
    this.#keptChars = 0;
    const nowMs = this.#options.clock.nowMonoMs();
    for (const text of kept) this.#toCsms.relay(text, headOf(text), nowMs);
  }

  #keep(text: string): void {
    if (this.#isOver()) return;
    this.#kept.push(text);
    this.#keptChars += text.length;
    if (this.#kept.length > AWAY_FRAMES_MAX || this.#keptChars > AWAY_CHARS_MAX)
      this.#giveUpCsms('the pile said too much while the CSMS was away');
  }

  #giveUpCsms(why: string): void {
    if (!this.#isOver()) this.#endPile(CLOSE_GOING_AWAY, why, why);
  }

  #endPile(code: number, reason: string, why: string): void {
    this.#options.pile.close(code, reason);
    this.#end(why, (csms) => csms.close(code, reason));
  }

  #end(why: string, leaveCsms: (csms: Peer) => void): void {
    this.#over.abort();
    const csms = this.#csms;
    this.#csms = undefined;
    this.#kept = [];
    for (const cancel of [this.#cancelDue, this.#cancelAway, this.#cancelWait]) cancel?.();
    this.#toPile.calledLost(why);
    this.#toCsms.calledLost(why);
    if (csms !== undefined) leaveCsms(csms);
    this.#options.onOver(why);
  }

  /** One timer for both lanes, only while a call of the agent waits for something. */
  #arm(): void {
    this.#cancelDue?.();
    this.#cancelDue = undefined;
    const dues = [this.#toPile.nextDueMs(), this.#toCsms.nextDueMs()].filter((due) => due !== undefined);
    if (dues.length === 0 || this.#isOver()) return;
    const { clock } = this.#options;
    this.#cancelDue = clock.setTimer(Math.max(1, Math.min(...dues) - clock.nowMonoMs()), () => {
      this.#toPile.expire(clock.nowMonoMs());
      this.#toCsms.expire(clock.nowMonoMs());
      this.#arm();
    });
  }
}

function pauseOrResume(peer: Peer | undefined, isFull: boolean): void {
  if (isFull) peer?.pause();
  else peer?.resume();
}

function linkLost(message: string): TapOutcome {
  return { ok: false, code: 'link_lost', message };
}
