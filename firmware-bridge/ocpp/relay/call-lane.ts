/**
 * The calls that go to one side of one pile, and whose turn it is.
 *
 * OCPP-J allows one call that is not answered yet in each direction (1.6J and 2.0.1 part 4, "Synchronicity"). The agent's own
 * calls share that direction with those of the other side:
 *
 *   the other side's call ──► sent at once, or held while the agent's call is out ──► answer ──► passed on
 *   the agent's call ──► waits while a call of the other side is out ──► sent ──► answer ──► eaten, told to the agent
 *
 * Charging comes first: the agent's call is given up when it takes too long or too much is held for it. Without the agent's
 * calls nothing is ever held, whoever keeps to the standard or not.
 */
import { arrayIn } from '../frame.ts';
import type { TapOutcome } from '../tap.ts';
import type { FrameHead } from './frame-head.ts';
import {
  CALL_UNANSWERED_MS_MAX,
  FORGOTTEN_CALLS_MAX,
  HELD_CALLS_MAX,
  HELD_CHARS_MAX,
  OPEN_CALLS_MAX,
  OWN_CALLS_WAITING_MAX,
} from './limits.ts';
import { isOwnId } from './own-ids.ts';

export interface OwnCall {
  /** Of own-ids.ts. */
  readonly id: string;
  readonly text: string;
  /** Monotonic time; then it is given up, sent or not. */
  readonly untilMs: number;
  readonly settle: (outcome: TapOutcome) => void;
}

export class CallLane {
  readonly #send: (text: string) => void;
  /** Calls of the other side that are out, and since when. */
  readonly #open = new Map<string, number>();
  /** Calls of a caller that was lost, whose answers nobody wants any more: what came of each. */
  readonly #forgotten = new Map<string, 'awaited' | 'answered'>();
  #held: string[] = [];
  #heldChars = 0;
  #own: OwnCall | undefined;
  #waiting: OwnCall[] = [];

  constructor(send: (text: string) => void) {
    this.#send = send;
  }

  /** A frame of the other side in this direction, of whatever kind. */
  relay(text: string, head: FrameHead | undefined, nowMs: number): void {
    if (head?.kind !== 'call') return this.#send(text);
    this.#note(head.id, nowMs);
    if (this.#own === undefined) return this.#send(text);
    this.#held.push(text);
    this.#heldChars += text.length;
    if (this.#held.length <= HELD_CALLS_MAX && this.#heldChars <= HELD_CHARS_MAX) return;
    this.#giveUp(this.#own, 'too many calls of the other side waited for it');
    this.#goOn(nowMs);
  }

  inject(call: OwnCall, nowMs: number): void {
    if (this.#waiting.length >= OWN_CALLS_WAITING_MAX) {
      const message = `${OWN_CALLS_WAITING_MAX} calls wait already`;
      return call.settle({ ok: false, code: 'too_many', message });
    }
    this.#waiting.push(call);
    this.#goOn(nowMs);
  }

  /** An answer that came back from the side that this lane leads to: true where it is to be passed on. */
  answered(head: FrameHead & { readonly kind: 'result' | 'error' }, text: string, nowMs: number): boolean {
    if (this.#own?.id === head.id) {
      this.#own.settle(outcomeOf(head, text));
      this.#own = undefined;
      this.#goOn(nowMs);
      return false;
    }
    // Given up before, or answered before.
    if (isOwnId(head.id) || this.#isForgotten(head.id)) return false;
    this.#open.delete(head.id);
    this.#goOn(nowMs);
    return true;
  }

  /** Gives up what took too long. */
  expire(nowMs: number): void {
    if (this.#own !== undefined && this.#own.untilMs <= nowMs)
      this.#giveUp(this.#own, 'it was not answered in time');
    for (const call of this.#waiting.filter(({ untilMs }) => untilMs <= nowMs))
      call.settle({ ok: false, code: 'no_answer', message: 'it did not get its turn in time' });
    this.#waiting = this.#waiting.filter(({ untilMs }) => untilMs > nowMs);
    this.#goOn(nowMs);
  }

  /** When `expire` has something to do; undefined where nothing is waited for. */
  nextDueMs(): number | undefined {
    const own = [...this.#waiting, ...(this.#own === undefined ? [] : [this.#own])];
    if (own.length === 0) return undefined;
    const unanswered = [...this.#open.values()].map((sinceMs) => sinceMs + CALL_UNANSWERED_MS_MAX);
    return Math.min(...own.map(({ untilMs }) => untilMs), ...(this.#own === undefined ? unanswered : []));
  }

  /** The other side's connection is gone: its calls are nobody's, and their answers have no addressee. */
  callerLost(nowMs: number): void {
    this.#held = [];
    this.#heldChars = 0;
    for (const id of this.#open.keys()) this.#forget(id);
    this.#open.clear();
    this.#goOn(nowMs);
  }

  /** The side that this lane leads to is gone: nothing is out there any more. Returns what was held and so never sent. */
  calledLost(why: string): readonly string[] {
    const held = this.#held;
    const calls = [...(this.#own === undefined ? [] : [this.#own]), ...this.#waiting];
    this.#own = undefined;
    this.#waiting = [];
    this.#held = [];
    this.#heldChars = 0;
    this.#open.clear();
    this.#forgotten.clear();
    for (const call of calls) call.settle({ ok: false, code: 'link_lost', message: why });
    return held;
  }

  #note(id: string, nowMs: number): void {
    this.#open.delete(id);
    this.#open.set(id, nowMs);
    if (this.#open.size > OPEN_CALLS_MAX) this.#open.delete(first(this.#open));
  }

  /** By its answer: those who say it twice say it to nobody, unless the next caller uses the id anew. */
  #isForgotten(id: string): boolean {
    const before = this.#forgotten.get(id);
    if (before === undefined) return false;
    this.#forgotten.set(id, 'answered');
    return before === 'awaited' || !this.#open.has(id);
  }

  #forget(id: string): void {
    this.#forgotten.delete(id);
    this.#forgotten.set(id, 'awaited');
    if (this.#forgotten.size > FORGOTTEN_CALLS_MAX) this.#forgotten.delete(first(this.#forgotten));
  }

  /** Its answer, should it still come, is eaten: its id says whose it is. */
  #giveUp(call: OwnCall, message: string): void {
    this.#own = undefined;
    call.settle({ ok: false, code: 'no_answer', message });
  }

  /** First what was held, all of it: whoever sent it waits for his own answers, or does not want to. */
  #goOn(nowMs: number): void {
    if (this.#own !== undefined) return;
    const held = this.#held;
    this.#held = [];
    this.#heldChars = 0;
    for (const text of held) this.#send(text);
    for (const [id, sinceMs] of this.#open)
      if (nowMs - sinceMs >= CALL_UNANSWERED_MS_MAX) this.#open.delete(id);
    if (this.#open.size > 0) return;
    this.#own = this.#waiting.shift();
    if (this.#own !== undefined) this.#send(this.#own.text);
  }
}

function outcomeOf(head: FrameHead & { readonly kind: 'result' | 'error' }, text: string): TapOutcome {
  const frame = arrayIn(text);
  if (head.kind === 'result') {
    if (frame !== undefined) return { ok: true, payload: frame[2] ?? {} };
    return { ok: false, code: 'call_error', message: 'the answer is no JSON' };
  }
  const about = typeof frame?.[3] === 'string' && frame[3] !== '' ? `: ${frame[3].slice(0, 200)}` : '';
  return { ok: false, code: 'call_error', message: `${head.errorCode}${about}` };
}

function first<Key>(keyed: { keys(): Iterable<Key> }): Key {
  const [key] = keyed.keys();
  return key as Key;
}
