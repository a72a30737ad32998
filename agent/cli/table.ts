/** Columns under their headings, as wide as what stands in them; numbers to the right. */
import { printable, type Colour, type Paint } from './context.ts';

export interface Cell {
  readonly text: string;
  readonly colour?: Colour | undefined;
}

export interface Column<Row> {
  readonly heading: string;
  readonly align?: 'right';
  cell(row: Row): string | Cell;
}

/** One foreign text cannot make a table unreadable; the last column is where reasons stand, and pushes nothing aside. */
const CELL_CHARS_MAX = 60;
const LAST_CELL_CHARS_MAX = 400;

export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[], paint: Paint): string {
  const cells = rows.map((row) =>
    columns.map((column, index) =>
      toCell(column.cell(row), index === columns.length - 1 ? LAST_CELL_CHARS_MAX : CELL_CHARS_MAX),
    ),
  );
  const widths = columns.map(({ heading }, index) =>
    Math.max(heading.length, ...cells.map((row) => row[index]?.text.length ?? 0)),
  );
  const fit = (text: string, index: number): string =>
    columns[index]?.align === 'right' ? text.padStart(widths[index] ?? 0) : text.padEnd(widths[index] ?? 0);
  const head = columns.map(({ heading }, index) => fit(heading, index)).join('  ');
  const body = cells.map((row) =>
    row
      .map(({ text, colour }, index) =>
        colour === undefined ? fit(text, index) : paint(colour, fit(text, index)),
      )
      .join('  ')
      .trimEnd(),
  );
  return [paint('dim', head.trimEnd()), ...body].join('\n');
}

function toCell(value: string | Cell, charsMax: number): Cell {
  const { text, colour } = typeof value === 'string' ? { text: value, colour: undefined } : value;
  const line = printable(text).replaceAll('\n', ' ');
  return { text: line.length > charsMax ? `${line.slice(0, charsMax - 1)}…` : line, colour };
}

/** `name  value`, one a line, the names in a column of their own. */
export function facts(entries: readonly (readonly [name: string, value: string])[], paint: Paint): string {
  const width = Math.max(...entries.map(([name]) => name.length));
  return entries
    .map(([name, value]) => `${paint('dim', name.padEnd(width))}  ${printable(value).replaceAll('\n', ' ')}`)
    .join('\n');
}
