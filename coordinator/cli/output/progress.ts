import type { Output } from './output.ts';

/**
 * Progress on stderr. On a terminal the lines are drawn over the last ones; elsewhere only the first line is
 * printed, when it has changed and not more often than every `intervalMs`.
 */
export interface Progress {
  update(lines: readonly string[]): void;
  /** Prints a line that stays. */
  say(line: string): void;
  /** Leaves the last state standing; more calls do nothing. */
  stop(): void;
}

const NOTHING: Progress = { update() {}, say() {}, stop() {} };

export async function openProgress(output: Output, intervalMs = 3000): Promise<Progress> {
  if (output.quiet) return NOTHING;
  const { stderr } = output.streams;
  return stderr === process.stderr && stderr.isTTY === true && process.env['TERM'] !== 'dumb'
    ? openLive(output)
    : openPlain(output, intervalMs);
}

async function openLive(output: Output): Promise<Progress> {
  const { createLogUpdate } = await import('log-update');
  const log = createLogUpdate(process.stderr);
  let last: readonly string[] = [];
  let open = true;
  return {
    update(lines) {
      if (!open) return;
      last = lines;
      log(lines.join('\n'));
    },
    say(line) {
      log.clear();
      output.note(line);
      if (open && last.length > 0) log(last.join('\n'));
    },
    stop() {
      if (open) log.done();
      open = false;
    },
  };
}

function openPlain(output: Output, intervalMs: number): Progress {
  let printed = '';
  let latest = '';
  let printedAt = -Infinity;
  let open = true;
  const print = (now: number): void => {
    if (latest === printed) return;
    output.note(latest);
    printed = latest;
    printedAt = now;
  };
  return {
    update(lines) {
      const now = Date.now();
      latest = lines[0] ?? '';
      if (open && now - printedAt >= intervalMs) print(now);
    },
    say: (line) => output.note(line),
    stop() {
      if (open) print(Date.now());
      open = false;
    },
  };
}
