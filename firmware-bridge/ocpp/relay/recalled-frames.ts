/** The frames of one pile that an agent must hear when it comes later than they did: a bounded few, oldest first. */
import { arrayIn } from '../frame.ts';
import type { FrameHead } from './frame-head.ts';
import {
  RECALLED_CHARS_MAX,
  RECALLED_FRAME_CHARS_MAX,
  RECALLED_SLOTS_MAX,
  RECALLED_UNANSWERED_MAX,
} from './limits.ts';
import { isAccepted, isRemembered, rememberedOf, TRANSACTION, transactionTagsOf } from './recalled-slots.ts';

export interface RelayedFrame {
  readonly from: 'pile' | 'csms';
  readonly atWallMs: number;
  readonly text: string;
}

interface Entry {
  readonly order: number;
  readonly call: RelayedFrame;
  readonly tags: Set<string>;
  readonly ifAccepted: boolean;
  readonly slots: readonly string[];
  answer?: RelayedFrame & { readonly order: number };
}

export class RecalledFrames {
  /** In the order in which the slots were last taken. */
  readonly #slots = new Map<string, Entry>();
  /** Calls whose answers belong to them, by who called and the id: both sides may use the same. */
  readonly #unanswered = new Map<string, Entry>();
  #frames = 0;

  note(frame: RelayedFrame, head: FrameHead | undefined): void {
    this.#frames += 1;
    if (head === undefined) return;
    if (head.kind === 'result' || head.kind === 'error') return this.#answer(frame, head);
    if (head.kind !== 'call' || !isRemembered(frame.from, head.action)) return;
    const payload = frame.text.length <= RECALLED_FRAME_CHARS_MAX ? partOf(frame.text, 3) : undefined;
    if (payload !== undefined) this.#call(frame, head, payload);
  }

  /** Oldest first. */
  frames(): readonly RelayedFrame[] {
    return [...new Set(this.#slots.values())]
      .flatMap((entry) => [
        { order: entry.order, frame: entry.call },
        ...(entry.answer === undefined ? [] : [{ order: entry.answer.order, frame: entry.answer }]),
      ])
      .sort((a, b) => a.order - b.order)
      .map(({ frame: { from, atWallMs, text } }) => ({ from, atWallMs, text }));
  }

  /** The connection is gone: what was not answered never will be. */
  linkLost(): void {
    this.#unanswered.clear();
  }

  #call(
    call: RelayedFrame,
    { id, action }: { readonly id: string; readonly action: string },
    payload: unknown,
  ): void {
    const { slots, tags, ends, ifAccepted = false } = rememberedOf(call.from, action, payload);
    for (const tag of ends) this.#end(tag);
    if (slots.length === 0) return;
    const entry: Entry = { order: this.#frames, call, slots, tags: new Set(tags), ifAccepted };
    const key = keyOf(call.from, id);
    this.#unanswered.delete(key);
    this.#unanswered.set(key, entry);
    if (this.#unanswered.size > RECALLED_UNANSWERED_MAX) this.#unanswered.delete(first(this.#unanswered));
    if (!ifAccepted) this.#keep(entry);
  }

  #answer(frame: RelayedFrame, head: { readonly kind: 'result' | 'error'; readonly id: string }): void {
    const key = keyOf(frame.from === 'pile' ? 'csms' : 'pile', head.id);
    const entry = this.#unanswered.get(key);
    if (entry === undefined) return;
    this.#unanswered.delete(key);
    if (frame.text.length > RECALLED_FRAME_CHARS_MAX) return;
    const payload = head.kind === 'result' ? partOf(frame.text, 2) : undefined;
    if (entry.ifAccepted && !isAccepted(payload)) return;
    entry.answer = { ...frame, order: this.#frames };
    for (const tag of transactionTagsOf(payload)) entry.tags.add(tag);
    if (entry.ifAccepted) this.#keep(entry);
    this.#trim();
  }

  #keep(entry: Entry): void {
    for (const slot of entry.slots) {
      this.#slots.delete(slot);
      this.#slots.set(slot, entry);
    }
    this.#trim();
  }

  #trim(): void {
    while (this.#slots.size > RECALLED_SLOTS_MAX || this.#chars() > RECALLED_CHARS_MAX)
      this.#slots.delete(first(this.#slots));
  }

  /** With a connector's stay its transactions are over too. */
  #end(tag: string): void {
    const ended = new Set([tag]);
    for (const { tags } of this.#slots.values())
      if (tags.has(tag)) for (const each of tags) if (each.startsWith(TRANSACTION)) ended.add(each);
    for (const [slot, { tags }] of this.#slots)
      if ([...tags].some((each) => ended.has(each))) this.#slots.delete(slot);
  }

  #chars(): number {
    let chars = 0;
    for (const { call, answer } of new Set(this.#slots.values()))
      chars += call.text.length + (answer?.text.length ?? 0);
    return chars;
  }
}

function keyOf(caller: 'pile' | 'csms', id: string): string {
  return `${caller} ${id}`;
}

/** The payload stands third in a result and fourth in a call. */
function partOf(text: string, index: number): unknown {
  return arrayIn(text)?.[index];
}

function first(slots: ReadonlyMap<string, unknown>): string {
  const [slot] = slots.keys();
  return slot ?? '';
}
