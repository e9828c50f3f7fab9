import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** A temporary file not written to for so long is a crashed process's. */
const ABANDONED_AFTER_MS = 24 * 3600 * 1000;

/** Makes the entries of the directory survive a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes the directory and those above it, and syncs every directory that got a new entry by it. */
export async function makeDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) await syncDirectory(dirname(made));
}

/** Removes what crashed processes left in a directory of temporary files. */
export async function removeAbandoned(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    const age = Date.now() - ((await stat(path).catch(ignoreMissing))?.mtimeMs ?? Infinity);
    if (age > ABANDONED_AFTER_MS) await rm(path, { force: true });
  }
}

/** Nothing at this path, or a part of it is a file. */
export const isMissing = (error: unknown): boolean =>
  ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');

export function ignoreMissing(error: unknown): undefined {
  if (!isMissing(error)) throw error;
  return undefined;
}
