/** One side of a relayed pile, the pile itself or its CSMS, as the relay sees it; types only. */

export interface Peer {
  /** Takes the text in any case; `onFull` says when the other side should pause. */
  send(text: string): void;
  /** Asks to be left, and is gone at the latest after `CLOSE_MS_MAX`. */
  close(code: number, reason: string): void;
  /** As if the line were cut. */
  cut(): void;
  /** Reads nothing more, until `resume`. */
  pause(): void;
  resume(): void;
  /** Called once, before anything is read. */
  listen(listener: PeerListener): void;
}

export interface PeerListener {
  onText(text: string): void;
  /** Once. `by` is `line` where no close was exchanged: cut, timed out, or a frame that nobody may send. */
  onGone(gone: Gone): void;
  /** What was sent piles up here, or no longer does. */
  onFull(isFull: boolean): void;
}

export interface Gone {
  readonly by: 'peer' | 'line' | 'us';
  /** What the peer closed with; 1005 where it gave no code, 1006 where it did not close. */
  readonly code: number;
  readonly reason: string;
}
