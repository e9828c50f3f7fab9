import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, constants, openSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A named pipe: tasks open `path` and write, we read `output`. */
export interface Pipe {
  readonly path: string;
  readonly output: Socket;
  close(): void;
}

/**
 * Makes named pipes in a directory. Each task opens them anew: so one that switches its stdout to non-blocking does it to
 * nobody else, and `/dev/stdout` can be opened, neither of which holds for the socket pairs that Node makes.
 */
export async function openPipes(directory: string, names: readonly string[]): Promise<Pipe[]> {
  const paths = names.map((name) => join(directory, `${name}-${randomBytes(4).toString('hex')}`));
  await run('mkfifo', ['-m', '600', ...paths]);
  return paths.map(openPipe);
}

function openPipe(path: string): Pipe {
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  // Held open by us, so that the pipe does not end between two tasks.
  const keeper = openSync(path, constants.O_WRONLY);
  const output = new Socket({ fd: reader, readable: true, writable: false });
  const close = (): void => {
    output.destroy();
    closeSync(keeper);
    rmSync(path, { force: true });
  };
  return { path, output, close };
}

/** The first may be the rest of a turn that has read already. */
const TURNS = 2;

/**
 * Resolves when everything written to our pipes before this call has been read and handed on, of those that are not paused:
 * a pipe with data is always ready, and each turn of the event loop reads all that are.
 */
export async function readWhatIsThere(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn += 1) await new Promise(setImmediate);
}
