/**
 * How many events one step takes, so that syncs are a small part of what commits cost and no larger a batch is made for it: while
 * one part of what waits is written, vehicles work on the part before. On a disk that syncs in half a millisecond that is a hundred and
 * some events, on one that takes ten it is all that there are.
 */

/** Beyond that a step would block the broker for too long. */
const EVENTS_MAX = 2_000;
/** Below that clients would be told of fewer things at once, and each message costs them more than a sync. */
const EVENTS_MIN = 128;
/** Of smaller commits most is the way to the store's thread and back. */
const EVENTS_LEARNED_MIN = 32;
/** Writing takes so many times what the sync takes. */
const WRITING_TO_SYNC = 6;
/** Weight of the newest commit: a disk that became slow is noticed within some tens of them. */
const NEWEST = 0.05;

export class BatchBound {
  #syncMs: number | undefined;
  #writingMsAnEvent = 0;

  get events(): number {
    if (this.#syncMs === undefined || this.#writingMsAnEvent <= 0) return EVENTS_MAX;
    const events = Math.round((WRITING_TO_SYNC * this.#syncMs) / this.#writingMsAnEvent);
    return Math.min(EVENTS_MAX, Math.max(EVENTS_MIN, events));
  }

  learn(events: number, commitMs: number, syncMs: number): void {
    if (events < EVENTS_LEARNED_MIN || syncMs <= 0) return;
    const writingMs = Math.max(0, commitMs - syncMs) / events;
    if (this.#syncMs === undefined) {
      this.#syncMs = syncMs;
      this.#writingMsAnEvent = writingMs;
      return;
    }
    this.#syncMs += NEWEST * (syncMs - this.#syncMs);
    this.#writingMsAnEvent += NEWEST * (writingMs - this.#writingMsAnEvent);
  }
}
