import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { ClobiError, messageOf } from './errors.ts';

/**
 * Makes the directory and those above it that are missing, for a path that a person gave. One by one: Node's own recursive mkdir
 * never returns below /proc, where the parent is there and a new entry is answered with "not found". Throws `USAGE`.
 */
export function makeDirectories(path: string, mode?: number): void {
  if (existsSync(path)) return;
  const parent = dirname(path);
  if (parent !== path) makeDirectories(parent, mode);
  try {
    mkdirSync(path, mode);
  } catch (error) {
    // Somebody else has made it in between.
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
    throw new ClobiError('USAGE', `The directory ${path} cannot be made: ${messageOf(error)}.`, {
      cause: error,
    });
  }
}
