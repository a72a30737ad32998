/**
 * What one step has planned, as a board that is cheap to try moves on: parts of units, the spots where each may stand, and what
 * is free there. Every move can be taken back.
 */

/** One amount of one dimension of a donor. */
export interface Taken {
  readonly dimension: number;
  readonly amount: number;
}

/** Where a part may stand: on a donor, by one of its ways, on one of its GPUs. */
export interface Spot {
  /** By its number on the board. */
  readonly donor: number;
  readonly takes: readonly Taken[];
}

export interface Part<S extends Spot = Spot> {
  readonly unit: Unit<S>;
  /** The best first. */
  readonly spots: readonly S[];
  at: S | undefined;
}

export interface Move<S extends Spot = Spot> {
  readonly part: Part<S>;
  /** `undefined`: nowhere. */
  readonly to: S | undefined;
}

/** What is placed as a whole: one instance, or all parts that start together. */
export interface Unit<S extends Spot = Spot> {
  /** 0 goes before 1: nothing of a later tier ever makes up for what is lost of an earlier one. */
  readonly tier: number;
  readonly worth: number;
  /** For whom it may be left out again. */
  readonly yieldsTo: 'nobody' | 'earlier_tiers' | 'more_worth';
  readonly parts: Part<S>[];
}

export function isPlaced(unit: Unit): boolean {
  return unit.parts.every(({ at }) => at !== undefined);
}

export function mayYield(unit: Unit, to: Unit): boolean {
  if (unit.yieldsTo === 'nobody' || unit === to) return false;
  return unit.yieldsTo === 'more_worth' || to.tier < unit.tier;
}

export class Board<S extends Spot = Spot> {
  readonly units: readonly Unit<S>[];
  readonly #free: number[][];
  readonly #on: Set<Part<S>>[];
  /** Where each part stood before it was moved, oldest first. */
  readonly #trail: { readonly part: Part<S>; readonly before: S | undefined }[] = [];

  /** `free`: of each donor and dimension, with the parts where they stand. */
  constructor(units: readonly Unit<S>[], free: readonly (readonly number[])[]) {
    this.units = units;
    this.#free = free.map((each) => [...each]);
    this.#on = free.map(() => new Set());
    for (const { parts } of units)
      for (const part of parts) if (part.at !== undefined) this.#on[part.at.donor]?.add(part);
  }

  on(donor: number): ReadonlySet<Part<S>> {
    return this.#on[donor] as Set<Part<S>>;
  }

  /** With what `without` takes there given back. */
  fits({ donor, takes }: Spot, without: readonly Part[] = []): boolean {
    const free = this.#free[donor] as number[];
    return takes.every(({ dimension, amount }) => {
      let left = free[dimension] ?? 0;
      for (const { at } of without) left += amountOf(at, donor, dimension);
      return left >= amount;
    });
  }

  /** The largest share that the spot takes of what is free there. */
  share({ donor, takes }: Spot): number {
    const free = this.#free[donor] as number[];
    return takes.reduce((most, { dimension, amount }) => {
      const left = free[dimension] ?? 0;
      return amount > 0 ? Math.max(most, amount / left) : most;
    }, 0);
  }

  /** `undefined`: nowhere. */
  move(part: Part<S>, to: S | undefined): void {
    this.#trail.push({ part, before: part.at });
    this.#set(part, to);
  }

  /** What `takeBack` goes back to. */
  mark(): number {
    return this.#trail.length;
  }

  /** What has moved since, and where it stands now: to be done again after it was taken back. */
  movesSince(mark: number): Move<S>[] {
    const moved = new Set(this.#trail.slice(mark).map(({ part }) => part));
    return [...moved].map((part) => ({ part, to: part.at }));
  }

  takeBack(to: number): void {
    while (this.#trail.length > to) {
      const { part, before } = this.#trail.pop() as { part: Part<S>; before: S | undefined };
      this.#set(part, before);
    }
  }

  #set(part: Part<S>, to: S | undefined): void {
    if (part.at !== undefined) {
      this.#take(part.at, -1);
      this.#on[part.at.donor]?.delete(part);
    }
    part.at = to;
    if (to === undefined) return;
    this.#take(to, 1);
    this.#on[to.donor]?.add(part);
  }

  #take({ donor, takes }: S, sign: 1 | -1): void {
    const free = this.#free[donor] as number[];
    for (const { dimension, amount } of takes) free[dimension] = (free[dimension] ?? 0) - sign * amount;
  }
}

function amountOf(spot: Spot | undefined, donor: number, dimension: number): number {
  if (spot?.donor !== donor) return 0;
  return spot.takes.find((taken) => taken.dimension === dimension)?.amount ?? 0;
}
