/**
 * When a program's `/checkpoint` is sent to the parent: at each rename that gives something there a name that lasts, and so
 * rarely that sending takes at most a tenth of the time. What was passed over is sent at a later call of the program: while it
 * computes nobody else can look, for its process does nothing beside.
 */
import { packCheckpoint } from '../checkpoint-archive.ts';
import type { CheckpointFile } from '../checkpoint-archive.ts';

const NS_PER_SENDING_NS = 10n;

export interface KeptStateSurroundings {
  readonly monoNs: () => bigint;
  readonly files: () => readonly CheckpointFile[];
  readonly send: (archive: Uint8Array) => void;
  /** Called once, where what is there is above the bounds of a checkpoint. */
  readonly complain: (why: string) => void;
}

export class KeptState {
  readonly #around: KeptStateSurroundings;
  #isOwed = false;
  #notBeforeNs = 0n;
  #hasComplained = false;

  constructor(around: KeptStateSurroundings) {
    this.#around = around;
  }

  changed(): void {
    this.#isOwed = true;
    this.sendOwed();
  }

  sendOwed(): void {
    if (!this.#isOwed) return;
    const startNs = this.#around.monoNs();
    if (startNs < this.#notBeforeNs) return;
    this.#isOwed = false;
    this.#send();
    const endNs = this.#around.monoNs();
    this.#notBeforeNs = endNs + (endNs - startNs) * NS_PER_SENDING_NS;
  }

  #send(): void {
    const packed = packCheckpoint(this.#around.files());
    if (packed.ok) return this.#around.send(packed.archive);
    if (!this.#hasComplained) this.#around.complain(packed.why);
    this.#hasComplained = true;
  }
}
