import { StringDecoder } from 'node:string_decoder';
import { escapeLines, safeJson } from './output/escape.ts';
import type { Output } from './output/output.ts';

/** A line longer than this is printed in pieces: a task may print gigabytes without a line break. */
const LONGEST_LINE = 64 * 1024;

/** Bytes in any pieces → whole lines without their line break. */
export class LineSplitter {
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';

  push(chunk: Uint8Array): string[] {
    this.#rest += this.#decoder.write(chunk);
    const lines = this.#rest.split('\n');
    this.#rest = lines.pop() ?? '';
    while (this.#rest.length > LONGEST_LINE) {
      lines.push(this.#rest.slice(0, LONGEST_LINE));
      this.#rest = this.#rest.slice(LONGEST_LINE);
    }
    return lines.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
  }

  /** What is left when nothing follows. */
  end(): string[] {
    const rest = this.#rest + this.#decoder.end();
    this.#rest = '';
    return rest === '' ? [] : [rest];
  }
}

export type LogStream = 'stdout' | 'stderr';

export interface LogLine {
  task: number;
  stream: LogStream;
  line: string;
}

const TASK_COLOURS = ['cyan', 'yellow', 'green', 'magenta', 'blue', 'red'] as const;

/** `12| text`, the index as wide as the widest of the job, each task in its own colour on a terminal. */
export function formatLogLines(
  lines: readonly LogLine[],
  output: Output,
  options: { width: number; prefix: boolean },
): string {
  if (!output.isHuman && output.format !== 'name') return lines.map((line) => `${safeJson(line)}\n`).join('');
  const terminal = output.streams.stdout.isTTY === true;
  return lines
    .map(({ task, line }) => {
      const text = terminal ? escapeLines(line) : line;
      if (!options.prefix) return `${text}\n`;
      const colour = output.colours[TASK_COLOURS[task % TASK_COLOURS.length] ?? 'cyan'];
      return `${colour(`${String(task).padStart(options.width)}|`)} ${text}\n`;
    })
    .join('');
}
