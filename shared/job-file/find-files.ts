import { stat } from 'node:fs/promises';
import { basename, posix, relative, resolve } from 'node:path';
import { glob } from 'tinyglobby';

/** A file of this machine, and the path that it gets when nothing else is said. */
export interface FoundFile {
  file: string;
  /** From the job file's directory; for a file outside of it, from the directory that was named. */
  written: string;
  /** Below the part of the path or pattern that names no pattern: what stays under a `to`. */
  below: string;
}

const MAGIC = /[*?[\]{}\\]|[!+@]\(/;

/** True for a text that is a pattern unless a file has this very name. */
export const isPattern = (text: string): boolean => MAGIC.test(text);

/** Files that match, hidden ones only where the pattern names them, in the order of their names. */
export async function findByGlob(pattern: string, directory: string): Promise<FoundFile[]> {
  const parts = posix.normalize(pattern).split('/');
  const firstMagic = parts.findIndex(isPattern);
  const fixed = parts.slice(0, firstMagic === -1 ? parts.length - 1 : firstMagic).join('/');
  const rest = parts.slice(firstMagic === -1 ? parts.length - 1 : firstMagic).join('/');
  const root = resolve(directory, fixed === '' && pattern.startsWith('/') ? '/' : fixed);
  return findUnder(root, { pattern: rest, directory, outside: '', dot: false });
}

/** The file, or every file below the directory, hidden ones too; undefined when there is neither. */
export async function findByPath(
  path: string,
  directory: string,
): Promise<{ isDirectory: boolean; files: FoundFile[] } | undefined> {
  const absolute = resolve(directory, path);
  const info = await stat(absolute).catch(() => undefined);
  if (info?.isFile() === true) {
    const name = basename(absolute);
    return {
      isDirectory: false,
      files: [{ file: absolute, written: writtenAs(absolute, directory, name), below: name }],
    };
  }
  if (info?.isDirectory() !== true) return undefined;
  const files = await findUnder(absolute, {
    pattern: '**',
    directory,
    outside: basename(absolute),
    dot: true,
  });
  return { isDirectory: true, files };
}

async function findUnder(
  root: string,
  { pattern, directory, outside, dot }: { pattern: string; directory: string; outside: string; dot: boolean },
): Promise<FoundFile[]> {
  const found = await glob(pattern, { cwd: root, dot, onlyFiles: true, expandDirectories: false });
  return found.sort(compareNames).map((below) => {
    const file = resolve(root, below);
    return { file, below, written: writtenAs(file, directory, posix.join(outside, below)) };
  });
}

function writtenAs(file: string, directory: string, outside: string): string {
  const path = relative(directory, file);
  return path === '..' || path.startsWith('../') ? outside : path;
}

const compareNames = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
