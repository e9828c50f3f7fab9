import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

/** A fixture program run by this Node, spoken to line by line. Use with `await using`: whatever becomes of the test, it is ended. */
export interface Child extends AsyncDisposable {
  readonly process: ChildProcessByStdio<Writable, Readable, null>;
  /** Every line it has said so far. */
  readonly lines: readonly string[];
  /** The first line from now on that the test accepts; rejects when it ends first or `withinMs` pass. */
  nextLine(accept: (line: string) => boolean, withinMs?: number): Promise<string>;
  /** Resolves when it has ended and all it said is in `lines`. */
  ended: Promise<void>;
  kill(): Promise<void>;
}

export async function startChild(file: URL, args: readonly string[]): Promise<Child> {
  const child = spawn(process.execPath, [file.pathname, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines: string[] = [];
  const reader = createInterface({ input: child.stdout });
  reader.on('line', (line) => lines.push(line));
  const ended = Promise.all([once(reader, 'close'), once(child, 'exit')]).then(() => undefined);

  const nextLine = (accept: (line: string) => boolean, withinMs = 180_000): Promise<string> =>
    new Promise((resolve, reject) => {
      const late = setTimeout(
        () => settle(() => reject(new Error(`${file.pathname} did not say it in ${withinMs} ms`))),
        withinMs,
      );
      const onLine = (line: string): void => {
        if (accept(line)) settle(() => resolve(line));
      };
      const onEnd = (): void => settle(() => reject(new Error(`${file.pathname} ended before it said it`)));
      const settle = (end: () => void): void => {
        clearTimeout(late);
        reader.off('line', onLine).off('close', onEnd);
        end();
      };
      reader.on('line', onLine).once('close', onEnd);
    });

  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  try {
    // An SDK takes seconds to load on a busy machine.
    await nextLine((line) => line === 'ready', 60_000);
  } catch (error) {
    await kill();
    throw error;
  }
  return { process: child, lines, nextLine, ended, kill, [Symbol.asyncDispose]: kill };
}
