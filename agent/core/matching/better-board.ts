/**
 * Makes a board better, move by move, until none helps or the trials are spent. Two kinds of move:
 *
 *   enter    what waits takes a spot; what stood in its way moves on, which may push one more, or is left out where that is a gain
 *   replace  one that stands is left out, and others take its room, where together they are worth more
 *
 * A move is a gain where the earliest tier that it changes gains: so a priority is never served in place of a higher one.
 */
import { isPlaced, mayYield, type Board, type Move, type Part, type Spot, type Unit } from './board.ts';

/** Of what stands in the way of one part, at most so many are pushed at once. */
const PUSHED_MAX = 3;
/** How often those that are pushed may push in turn. */
const PUSHES_DEEP = 2;
/** Below this share a difference is the rounding of a sum. */
const ROUNDING = 1e-9;

export function makeBetter<S extends Spot>(board: Board<S>, trialsMax: number): void {
  new Search(board, trialsMax).run();
}

/** Among spots that are free: the one that suits best, or the one that takes least of what is left there. */
type Preference = 'best' | 'least';

class Search<S extends Spot> {
  readonly #board: Board<S>;
  #trialsLeft: number;
  /** Spots of those that could not enter as the board is now: their equals cannot either. */
  readonly #tried = new Set<readonly S[]>();

  constructor(board: Board<S>, trialsMax: number) {
    this.#board = board;
    this.#trialsLeft = trialsMax;
  }

  run(): void {
    // Each round is a gain, and there are finitely many boards.
    while (this.#trialsLeft > 0 && this.#round());
  }

  #round(): boolean {
    let gained = false;
    for (const unit of inOrder(this.#board.units))
      if (!isPlaced(unit) && !this.#isTried(unit)) gained = this.#noted(unit, this.#enter(unit)) || gained;
    for (const unit of inOrder(this.#board.units).reverse())
      if (isPlaced(unit)) gained = this.#noted(unit, this.#replace(unit)) || gained;
    return gained;
  }

  #isTried({ parts: [part, ...more] }: Unit<S>): boolean {
    return part !== undefined && more.length === 0 && this.#tried.has(part.spots);
  }

  #noted({ parts: [part, ...more] }: Unit<S>, gained: boolean): boolean {
    if (gained) this.#tried.clear();
    else if (part?.at === undefined && part !== undefined && more.length === 0) this.#tried.add(part.spots);
    return gained;
  }

  /** All parts, or none. */
  #enter(unit: Unit<S>): boolean {
    const mark = this.#board.mark();
    const lost = this.#placeAll(unit);
    if (lost !== undefined && isGain([unit], lost)) return true;
    this.#board.takeBack(mark);
    return false;
  }

  #placeAll(unit: Unit<S>): Unit<S>[] | undefined {
    const lost: Unit<S>[] = [];
    for (const part of unit.parts) {
      const more = this.#place(part, unit, PUSHES_DEEP);
      if (more === undefined) return undefined;
      lost.push(...more);
    }
    return lost;
  }

  /** Finds a spot for the part; who is left out for it, those of the least worth, or undefined where there is no spot. */
  #place(part: Part<S>, entering: Unit<S>, depth: number): Unit<S>[] | undefined {
    if (this.#stand(part, 'best')) return [];
    if (depth === 0) return undefined;
    let least: { readonly moves: readonly Move<S>[]; readonly lost: Unit<S>[] } | undefined;
    for (const spot of part.spots)
      for (const pushed of this.#inTheWay(part, spot, entering)) {
        const mark = this.#board.mark();
        const lost = this.#push(part, spot, pushed, entering, depth);
        if (lost?.length === 0) return lost;
        const isBest = lost !== undefined && isGain(least?.lost ?? [entering], lost);
        if (isBest) least = { moves: this.#board.movesSince(mark), lost };
        this.#board.takeBack(mark);
      }
    for (const { part: moved, to } of least?.moves ?? []) this.#board.move(moved, to);
    return least?.lost;
  }

  #stand(part: Part<S>, preference: Preference): boolean {
    const fitting = part.spots.filter((each) => this.#board.fits(each));
    const [best] =
      preference === 'best' ? fitting : fitting.sort((a, b) => this.#board.share(a) - this.#board.share(b));
    if (best === undefined) return false;
    this.#board.move(part, best);
    return true;
  }

  /** Sets of those that stand there, the smallest first, without which the spot is free. */
  *#inTheWay(part: Part<S>, spot: S, entering: Unit<S>): Generator<Part<S>[]> {
    const there = [...this.#board.on(spot.donor)].filter(
      ({ unit }) => unit !== entering && unit !== part.unit,
    );
    for (let size = 1; size <= Math.min(PUSHED_MAX, there.length); size += 1)
      for (const pushed of subsets(there, size)) {
        if (this.#trialsLeft-- <= 0) return;
        if (this.#board.fits(spot, pushed)) yield pushed;
      }
  }

  /** Those that are pushed move on, or are left out as a whole where they may be and that loses less. */
  #push(
    part: Part<S>,
    to: S,
    pushed: readonly Part<S>[],
    entering: Unit<S>,
    depth: number,
  ): Unit<S>[] | undefined {
    for (const each of pushed) this.#board.move(each, undefined);
    this.#board.move(part, to);
    const lost: Unit<S>[] = [];
    for (const each of pushed) {
      if (lost.includes(each.unit)) continue;
      const more = this.#moveOn(each, entering, depth);
      if (more === undefined) return undefined;
      lost.push(...more);
    }
    return lost;
  }

  #moveOn(part: Part<S>, entering: Unit<S>, depth: number): readonly Unit<S>[] | undefined {
    const { unit } = part;
    const mark = this.#board.mark();
    const lost = this.#place(part, entering, depth - 1);
    if (!mayYield(unit, entering)) return lost;
    if (lost !== undefined && !isGain(lost, [unit])) return lost;
    this.#board.takeBack(mark);
    for (const each of unit.parts) if (each.at !== undefined) this.#board.move(each, undefined);
    return [unit];
  }

  #replace(unit: Unit<S>): boolean {
    return (
      unit.yieldsTo === 'more_worth' && (this.#replaceBy(unit, 'best') || this.#replaceBy(unit, 'least'))
    );
  }

  #replaceBy(unit: Unit<S>, spots: Preference): boolean {
    const mark = this.#board.mark();
    this.#trialsLeft -= 1;
    for (const part of unit.parts) this.#board.move(part, undefined);
    const others = inOrder(this.#board.units).filter((each) => each !== unit && !isPlaced(each));
    const won = others.filter((each) => this.#standAll(each, spots));
    if (won.length > 0 && (this.#standAll(unit, spots) || isGain(won, [unit]))) return true;
    this.#board.takeBack(mark);
    return false;
  }

  #standAll(unit: Unit<S>, spots: Preference): boolean {
    const mark = this.#board.mark();
    if (unit.parts.every((part) => this.#stand(part, spots))) return true;
    this.#board.takeBack(mark);
    return false;
  }
}

/** The earlier tier first, then what is worth more. */
function inOrder<S extends Spot>(units: readonly Unit<S>[]): Unit<S>[] {
  return [...units].sort((a, b) => a.tier - b.tier || b.worth - a.worth);
}

/** Whether the earliest tier that differs is worth more in `won` than in `lost`. */
function isGain(won: readonly Unit[], lost: readonly Unit[]): boolean {
  const tiers = [...new Set([...won, ...lost].map(({ tier }) => tier))].sort((a, b) => a - b);
  for (const tier of tiers) {
    const more = worthIn(tier, won);
    const less = worthIn(tier, lost);
    if (Math.abs(more - less) > ROUNDING * Math.max(more, less)) return more > less;
  }
  return false;
}

function worthIn(tier: number, units: readonly Unit[]): number {
  return units.reduce((sum, unit) => (unit.tier === tier ? sum + unit.worth : sum), 0);
}

/** Every choice of `size` of them, in their order. */
function* subsets<Item>(of: readonly Item[], size: number, from = 0): Generator<Item[]> {
  if (size === 0) {
    yield [];
    return;
  }
  for (let at = from; at <= of.length - size; at += 1)
    for (const rest of subsets(of, size - 1, at + 1)) yield [of[at] as Item, ...rest];
}
