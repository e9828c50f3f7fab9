import { escapeCell, escapeLines } from './escape.ts';
import type { Colours } from './terminal.ts';

/** One column: its heading and the text of its cells. `wide`: shown by `-o wide` only. */
export interface Column<Row> {
  title: string;
  text: (row: Row) => string;
  colour?: (row: Row, colours: Colours) => (text: string) => string;
  wide?: boolean;
  align?: 'right';
}

export interface TableOptions {
  wide: boolean;
  colours: Colours;
  /** Lines are cut at so many columns; undefined (no terminal): never. */
  terminalWidth: number | undefined;
}

/** Renders page after page with the same widths, so that a list of any length can be printed as it comes. */
export class Table<Row> {
  readonly #columns: Column<Row>[];
  readonly #options: TableOptions;
  #widths: number[] = [];
  #widthOf: (text: string) => number = (text) => text.length;
  #begun = false;

  constructor(columns: readonly Column<Row>[], options: TableOptions) {
    this.#columns = columns.filter((column) => options.wide || column.wide !== true);
    this.#options = options;
  }

  async render(rows: readonly Row[]): Promise<string> {
    const cells = rows.map((row) => this.#columns.map((column) => escapeCell(column.text(row))));
    await this.#measure(cells);
    const lines = cells.map((texts, i) => this.#line(texts, rows[i]));
    if (!this.#begun) lines.unshift(this.#line(this.#columns.map((column) => column.title)));
    this.#begun = true;
    return lines.map((line) => `${line}\n`).join('');
  }

  async #measure(cells: readonly string[][]): Promise<void> {
    // The package that knows the width of every script costs 60 ms to load: only where there is more than ASCII.
    if (cells.some((texts) => texts.some((text) => /[^\x20-\x7e]/.test(text)))) {
      this.#widthOf = (await import('string-width')).default;
    }
    this.#widths = this.#columns.map((column, i) =>
      cells.reduce(
        (widest, texts) => Math.max(widest, this.#widthOf(texts[i] ?? '')),
        Math.max(column.title.length, this.#widths[i] ?? 0),
      ),
    );
  }

  #line(texts: readonly string[], row?: Row): string {
    let used = 0;
    const parts = this.#columns.map((column, i) => {
      if (used >= (this.#options.terminalWidth ?? Infinity)) return '';
      const last = i === this.#columns.length - 1;
      const room = (this.#options.terminalWidth ?? Infinity) - used;
      const fitted = this.#cut(texts[i] ?? '', used);
      const padding = ' '.repeat(Math.max(0, Math.min(this.#widths[i] ?? 0, room) - this.#widthOf(fitted)));
      used += (this.#widths[i] ?? 0) + 2;
      const paint = this.#paint(column, row);
      if (column.align === 'right') return padding + paint(fitted);
      return paint(fitted) + (last ? '' : padding);
    });
    return parts.join('  ').trimEnd();
  }

  #paint(column: Column<Row>, row: Row | undefined): (text: string) => string {
    if (row === undefined) return this.#options.colours.dim;
    return column.colour?.(row, this.#options.colours) ?? ((text) => text);
  }

  #cut(text: string, used: number): string {
    const room = this.#options.terminalWidth === undefined ? Infinity : this.#options.terminalWidth - used;
    if (this.#widthOf(text) <= room) return text;
    let cut = '';
    for (const character of text) {
      if (this.#widthOf(cut + character) > room - 1) break;
      cut += character;
    }
    return room < 1 ? '' : `${cut}…`;
  }
}

/** `Name:  value` lines; undefined values are left out, values of several lines are indented below their name. */
export function renderFields(
  fields: readonly (readonly [string, string | undefined])[],
  colours: Colours,
): string {
  const shown = fields.filter((field): field is readonly [string, string] => field[1] !== undefined);
  const width = Math.max(0, ...shown.map(([name]) => name.length)) + 1;
  return shown
    .map(
      ([name, value]) =>
        `${colours.dim(`${name}:`.padEnd(width))}  ${escapeLines(value).replaceAll('\n', `\n${' '.repeat(width + 2)}`)}\n`,
    )
    .join('');
}
