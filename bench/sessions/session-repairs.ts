/** Mends rows of a sessions file that cannot be true as they stand, in ways that are declared and counted. */
import { parseLocalTime, type RowFault, type SessionCells } from '@plugpool/firmware-bridge';

/** A swapped date is believed where what comes of it is a stay of at most this. */
const PLAUSIBLE_MS = 24 * 3_600_000;

const LEFT_OUT = 'left out: ';
const LONG = 'longer than 14 days';

export class SessionRepairs {
  readonly #counts = new Map<string, number>();

  /** The row with another cell, or undefined where it is to be left out. */
  repair(cells: SessionCells, fault: RowFault): SessionCells | undefined {
    const { column } = fault;
    switch (column) {
      case 'plugged_at':
      case 'unplugged_at':
        return this.#unswapped(cells, fault);
      case 'energy_wh':
      case 'charging_ended_at':
      case 'stated_departure_at':
        this.note(`unknown from now on: impossible ${column}`);
        return { ...cells, [column]: '' };
      case 'site':
      case 'connector':
        this.note(`${LEFT_OUT}impossible ${column}`);
        return undefined;
    }
  }

  /** Of `rowsSkipped` rows that the reader left out, what no repair was asked for overlaps. */
  noteOverlaps(rowsSkipped: number): void {
    let others = 0;
    for (const [what, times] of this.#counts) if (what.startsWith(LEFT_OUT)) others += times;
    for (let n = others; n < rowsSkipped; n += 1)
      this.note(`${LEFT_OUT}overlaps another stay at its connector`);
  }

  noteLong(): void {
    this.note(LEFT_OUT + LONG);
  }

  note(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }

  counted(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  #unswapped(cells: SessionCells, fault: RowFault): SessionCells | undefined {
    for (const column of ['unplugged_at', 'plugged_at'] as const) {
      const swapped = { ...cells, [column]: swapDayAndMonth(cells[column]) };
      if (swapped[column] === cells[column] || !isPlausible(swapped)) continue;
      this.note(`mended: day and month swapped in ${column}`);
      return swapped;
    }
    this.note(LEFT_OUT + whyLeftOut(cells, fault));
    return undefined;
  }
}

function isPlausible({ plugged_at, unplugged_at }: SessionCells): boolean {
  const lastedMs = (parseLocalTime(unplugged_at) ?? NaN) - (parseLocalTime(plugged_at) ?? NaN);
  return lastedMs > 0 && lastedMs <= PLAUSIBLE_MS;
}

function whyLeftOut({ plugged_at, unplugged_at }: SessionCells, { column }: RowFault): string {
  const plugged = parseLocalTime(plugged_at);
  const unplugged = parseLocalTime(unplugged_at);
  if (unplugged_at === '') return 'no end';
  if (plugged === undefined || unplugged === undefined) return `impossible ${column}`;
  return unplugged > plugged ? LONG : 'ends before it begins';
}

/** `2016-09-01` ⇄ `2016-01-09`; what is no date stays as it is, or becomes none. */
function swapDayAndMonth(time: string): string {
  return time.replace(/^(\d{4})-(\d{2})-(\d{2})/, '$1-$3-$2');
}
