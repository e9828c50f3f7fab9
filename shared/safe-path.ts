import { existsSync } from 'node:fs';
import { lstat, realpath, rm } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
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

/** Makes the parent directories; refuses when a link among them leads out of `directory`, and then makes none there. */
export async function makeParents(directory: string, file: string): Promise<void> {
  makeDirectories(directory);
  const there = await realpath(deepestThere(dirname(file)));
  if (!isInside(await realpath(directory), there))
    throw new ClobiError(
      'CONFLICT',
      `${file} lies outside ${directory} because of a link on the way (${there}); it was not written. Remove the link.`,
    );
  makeDirectories(dirname(file));
}

/** The path with links followed, as far as it is there; what is not there yet is left as it is. */
export async function resolvedPath(path: string): Promise<string> {
  const there = deepestThere(path);
  return resolve(await realpath(there), relative(there, path));
}

const deepestThere = (path: string): string => (existsSync(path) ? path : deepestThere(dirname(path)));

/** True for the directory itself, too. */
export const isInside = (directory: string, path: string): boolean =>
  path === directory || path.startsWith(directory.endsWith(sep) ? directory : directory + sep);

/** Removes a file if it is there, and only when no link leads out of `directory` on the way. */
export async function removeInside(directory: string, file: string): Promise<void> {
  if (await isParentInside(directory, file).catch(() => false)) await rm(file, { force: true });
}

async function isParentInside(directory: string, file: string): Promise<boolean> {
  return isInside(await realpath(directory), await realpath(dirname(file)));
}

/** A regular file of that size; a link is none. */
export async function isFileOfSize(file: string, sizeBytes: number): Promise<boolean> {
  const found = await lstat(file).catch(() => undefined);
  return found?.isFile() === true && found.size === sizeBytes;
}
