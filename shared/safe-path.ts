import { lstat, realpath, rm } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { makeDirectories } from './make-directories.ts';
import { ClobiError } from './errors.ts';

/**
 * The place inside `directory` for a path that came from elsewhere. Throws `CONFLICT` for anything that is not plainly a path below it:
 * absolute, with `.`, `..` or empty parts, or with characters no file name has.
 */
export function placeInside(directory: string, path: string): string {
  const parts = path.split('/');
  const bad = parts.some(
    (part) =>
      part === '' ||
      part === '.' ||
      part === '..' ||
      part.includes('\0') ||
      (sep !== '/' && part.includes(sep)),
  );
  if (!bad) return join(directory, ...parts);
  throw new ClobiError(
    'CONFLICT',
    `The output path ${JSON.stringify(path)} does not stay inside the directory; it was not written.`,
  );
}

/** Makes the parent directories; refuses when a link among them leads out of `directory`. */
export async function makeParents(directory: string, file: string): Promise<void> {
  makeDirectories(dirname(file));
  if (await isParentInside(directory, file)) return;
  const parent = await realpath(dirname(file));
  throw new ClobiError(
    'CONFLICT',
    `${file} lies outside ${directory} because of a link on the way (${parent}); it was not written. Remove the link.`,
  );
}

/** Removes a file if it is there, and only when no link leads out of `directory` on the way. */
export async function removeInside(directory: string, file: string): Promise<void> {
  if (await isParentInside(directory, file).catch(() => false)) await rm(file, { force: true });
}

async function isParentInside(directory: string, file: string): Promise<boolean> {
  const root = await realpath(directory);
  const parent = await realpath(dirname(file));
  return parent === root || parent.startsWith(root.endsWith(sep) ? root : root + sep);
}

/** A regular file of that size; a link is none. */
export async function isFileOfSize(file: string, sizeBytes: number): Promise<boolean> {
  const found = await lstat(file).catch(() => undefined);
  return found?.isFile() === true && found.size === sizeBytes;
}
