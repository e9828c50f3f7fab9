import type { Writable } from 'node:stream';
import { escapeCell, escapeLines, safeJson } from './escape.ts';
import { renderFields, Table, type Column } from './table.ts';
import { type Colours, coloursFor } from './terminal.ts';

/**
 * Everything a command prints goes through here. Data goes to stdout in the format asked for; everything else goes to stderr, and not at all
 * under `-q` unless it is an error. Without a terminal there is no colour, no spinner and nothing is cut.
 */
export const FORMATS = ['table', 'wide', 'json', 'jsonl', 'yaml', 'name'] as const;
export type Format = (typeof FORMATS)[number];

/** A list, whole or page by page. */
export type Pages<Row> = readonly Row[] | AsyncIterable<readonly Row[]>;

const isWhole = <Row>(pages: Pages<Row>): pages is readonly Row[] => Array.isArray(pages);

export interface ListView<Row> {
  columns: readonly Column<Row>[];
  /** What `-o name` prints. */
  name: (row: Row) => string;
  /** Said on stderr when there is nothing to list. */
  empty?: string;
}

export interface RecordView<Value> {
  fields: (value: Value) => readonly (readonly [string, string | undefined])[];
  name: (value: Value) => string;
}

export interface Streams {
  stdout: Writable & { isTTY?: boolean | undefined; columns?: number | undefined };
  stderr: Writable & { isTTY?: boolean | undefined; columns?: number | undefined };
}

export interface OutputOptions {
  format?: Format;
  quiet?: boolean;
  streams?: Streams;
}

export class Output {
  readonly format: Format;
  readonly quiet: boolean;
  readonly streams: Streams;
  /** Colours of stdout and of stderr: each may be a terminal without the other. */
  readonly colours: Colours;
  readonly noteColours: Colours;

  constructor(options: OutputOptions = {}) {
    this.format = options.format ?? 'table';
    this.quiet = options.quiet ?? false;
    this.streams = options.streams ?? process;
    this.colours = coloursFor(this.streams.stdout);
    this.noteColours = coloursFor(this.streams.stderr);
  }

  /** True when people read, not programs. */
  get isHuman(): boolean {
    return this.format === 'table' || this.format === 'wide';
  }

  async list<Row>(pages: Pages<Row>, view: ListView<Row>): Promise<void> {
    const renderer = await this.#listRenderer(view);
    let count = 0;
    for await (const rows of isWhole(pages) ? [pages] : pages) {
      if (rows.length > 0) await this.write(await renderer.page(rows, count));
      count += rows.length;
    }
    await this.write(renderer.end(count));
    if (count === 0 && this.isHuman) this.note(view.empty ?? 'Nothing to show.');
  }

  async record<Value>(value: Value, view: RecordView<Value>): Promise<void> {
    if (this.isHuman) return this.write(renderFields(view.fields(value), this.colours));
    if (this.format === 'name') {
      const name = view.name(value);
      return this.write(name === '' ? '' : `${escapeCell(name)}\n`);
    }
    await this.write(await this.#document(value));
  }

  /** Bytes or text as they are; resolves when the reader has room again. */
  write(data: string | Uint8Array): Promise<void> {
    if (data.length === 0 || this.streams.stdout.write(data)) return Promise.resolve();
    return new Promise((resolve) => {
      const finish = (): void => {
        this.streams.stdout.off('drain', finish).off('close', finish).off('error', finish);
        resolve();
      };
      this.streams.stdout.on('drain', finish).on('close', finish).on('error', finish);
    });
  }

  /** What is worth knowing but is no data, e.g. what to do next. */
  note(text: string): void {
    if (!this.quiet) this.streams.stderr.write(`${text}\n`);
  }

  warn(text: string): void {
    if (!this.quiet)
      this.streams.stderr.write(`${this.noteColours.yellow('warning:')} ${escapeCell(text)}\n`);
  }

  error(text: string): void {
    this.streams.stderr.write(`${this.noteColours.red('clobi:')} ${escapeLines(text)}\n`);
  }

  /** An error that is a list of lines with their own beginnings. */
  plain(text: string): void {
    this.streams.stderr.write(`${escapeLines(text)}\n`);
  }

  async #document(value: unknown): Promise<string> {
    if (this.format === 'jsonl') return `${safeJson(value)}\n`;
    if (this.format !== 'yaml') return `${safeJson(value, 2)}\n`;
    const { safeYaml } = await import('./yaml.ts');
    return safeYaml(value);
  }

  async #listRenderer<Row>(view: ListView<Row>): Promise<ListRenderer<Row>> {
    const end = (): string => '';
    switch (this.format) {
      case 'table':
      case 'wide': {
        const table = new Table(view.columns, {
          wide: this.format === 'wide',
          colours: this.colours,
          terminalWidth: this.streams.stdout.isTTY === true ? this.streams.stdout.columns : undefined,
        });
        return { page: (rows) => table.render(rows), end };
      }
      case 'name':
        return { page: (rows) => rows.map((row) => `${escapeCell(view.name(row))}\n`).join(''), end };
      case 'jsonl':
        return { page: (rows) => rows.map((row) => `${safeJson(row)}\n`).join(''), end };
      case 'yaml': {
        const { safeYaml } = await import('./yaml.ts');
        return { page: safeYaml, end: (count) => (count === 0 ? '[]\n' : '') };
      }
      case 'json':
        return jsonRenderer();
      default:
        return this.format satisfies never;
    }
  }
}

interface ListRenderer<Row> {
  page: (rows: readonly Row[], before: number) => string | Promise<string>;
  end: (count: number) => string;
}

const jsonRenderer = <Row>(): ListRenderer<Row> => ({
  page: (rows, before) =>
    rows.map((row, i) => `${before + i === 0 ? '[\n' : ',\n'}${indent(safeJson(row, 2))}`).join(''),
  end: (count) => (count === 0 ? '[]\n' : '\n]\n'),
});

const indent = (text: string): string => text.replaceAll(/^/gm, '  ');
