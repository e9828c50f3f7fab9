import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pause } from '../../shared/clock.ts';

/**
 * The rotating log of a coordinator: `coordinator.<n>.log`, the highest number being the newest; `current.log` is a link
 * to it and is left aside.
 */
const POLL_MS = 250;
const BLOCK_BYTES = 64 * 1024;

/** The files, oldest first. */
export async function listLogFiles(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch(() => [] as string[]);
  const numbered = names.flatMap((name) => {
    const match = /^coordinator\.(\d+)\.log$/.exec(name);
    return match === null ? [] : [{ name, number: Number(match[1]) }];
  });
  return numbered.sort((a, b) => a.number - b.number).map(({ name }) => join(directory, name));
}

/** Where the last `lines` lines of a file begin, in bytes; with fewer lines, 0 and how many there are. */
export async function findLastLines(
  file: string,
  lines: number,
): Promise<{ position: number; lines: number }> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    if (lines <= 0) return { position: size, lines: 0 };
    let found = 0;
    for (let end = size; end > 0; ) {
      const start = Math.max(0, end - BLOCK_BYTES);
      const { buffer } = await handle.read(Buffer.alloc(end - start), 0, end - start, start);
      for (let i = buffer.length - 1; i >= 0; i -= 1) {
        if (buffer[i] !== 10 || start + i === size - 1) continue;
        found += 1;
        if (found === lines) return { position: start + i + 1, lines };
      }
      end = start;
    }
    return { position: 0, lines: size === 0 ? 0 : found + 1 };
  } finally {
    await handle.close();
  }
}

/** The last lines of all files together, then, when following, what is written from now on, through every rotation. */
export async function* readLog(
  directory: string,
  options: { lines: number; follow: boolean; signal: AbortSignal },
): AsyncGenerator<Buffer> {
  const starts: { file: string; position: number }[] = [];
  let wanted = options.lines;
  for (const file of (await listLogFiles(directory)).reverse()) {
    const start = await findLastLines(file, wanted);
    starts.unshift({ file, position: start.position });
    wanted -= start.lines;
    if (wanted <= 0) break;
  }
  let at: { file: string; position: number } | undefined;
  for (const start of starts) {
    at = { ...start };
    yield* readOn(at);
  }
  while (options.follow && !options.signal.aborted) {
    await pause(POLL_MS, options.signal);
    // Asked before the rest is read: a file that has a successor is complete.
    const next: string | undefined = await findNext(directory, at?.file);
    if (at !== undefined) yield* readOn(at);
    if (next !== undefined) at = { file: next, position: 0 };
  }
}

async function findNext(directory: string, file: string | undefined): Promise<string | undefined> {
  const files = await listLogFiles(directory);
  return file === undefined ? files[0] : files[files.indexOf(file) + 1];
}

/** What is there beyond the position, which moves. */
async function* readOn(at: { file: string; position: number }): AsyncGenerator<Buffer> {
  const size = await stat(at.file).then(
    (found) => found.size,
    () => 0,
  );
  if (size <= at.position) return;
  const handle = await open(at.file);
  try {
    while (at.position < size) {
      const { buffer, bytesRead } = await handle.read(
        Buffer.alloc(BLOCK_BYTES),
        0,
        Math.min(BLOCK_BYTES, size - at.position),
        at.position,
      );
      if (bytesRead === 0) return;
      at.position += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}
