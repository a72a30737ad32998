/** What the relay knows of each pile: whether it is there, and the frames that make up its present state. */
import { FRAME_CHARS_MAX } from '../frame.ts';
import type { TapLine } from '../tap.ts';
import type { FrameHead } from './frame-head.ts';
import { RecalledFrames } from './recalled-frames.ts';

interface KnownPile {
  line: PileLine;
  readonly recalled: RecalledFrames;
}

export type PileLine = TapLine & { readonly t: 'pile' };
type PileState = Pick<PileLine, 'link' | 'subprotocol' | 'upstream'>;

export class PileBook {
  readonly #tell: (line: TapLine) => void;
  readonly #pilesMax: number;
  /** Whoever changed last stands last. */
  readonly #piles = new Map<string, KnownPile>();

  constructor(pilesMax: number, tell: (line: TapLine) => void) {
    this.#pilesMax = pilesMax;
    this.#tell = tell;
  }

  has(pile: string): boolean {
    return this.#piles.has(pile);
  }

  state(pile: string, state: PileState, atWallMs: number): void {
    const known = this.#piles.get(pile);
    const stood = known?.line.link === 'up' ? known.line.upSinceWallMs : undefined;
    const upSince = state.link === 'up' ? { upSinceWallMs: stood ?? atWallMs } : {};
    this.#note({ t: 'pile', pile, atWallMs, ...state, ...upSince });
  }

  #note(line: PileLine): void {
    const { pile, link } = line;
    const known = this.#piles.get(pile) ?? { line, recalled: new RecalledFrames() };
    known.line = line;
    if (link === 'down') known.recalled.linkLost();
    this.#piles.delete(pile);
    this.#piles.set(pile, known);
    this.#forgetOne();
    this.#tell(line);
  }

  frame(
    pile: string,
    from: 'pile' | 'csms',
    text: string,
    head: FrameHead | undefined,
    atWallMs: number,
  ): void {
    this.#piles.get(pile)?.recalled.note({ from, atWallMs, text }, head);
    // A longer one is relayed, but no reader reads it.
    if (text.length <= FRAME_CHARS_MAX) this.#tell({ t: 'frame', pile, from, atWallMs, text });
  }

  /** For a reader that comes now. */
  recalled(): readonly TapLine[] {
    const lines = [...this.#piles.values()].flatMap(({ line, recalled }): TapLine[] => [
      line,
      ...recalled
        .frames()
        .map((frame): TapLine => ({ t: 'frame', pile: line.pile, ...frame, recalled: true })),
    ]);
    return [...lines, { t: 'recalledAll' }];
  }

  /** The one that is away for longest. Those that are there are bounded where they come in. */
  #forgetOne(): void {
    if (this.#piles.size <= this.#pilesMax) return;
    for (const [pile, { line }] of this.#piles)
      if (line.link === 'down') return void this.#piles.delete(pile);
  }
}
