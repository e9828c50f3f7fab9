import { realpath } from 'node:fs/promises';
import { isAbsolute, normalize, relative, sep } from 'node:path';

/** Whether a relative path stays below where it starts, as far as its text tells. */
export function staysInside(path: string): boolean {
  if (path === '' || path.includes('\0') || isAbsolute(path)) return false;
  const [first] = normalize(path).split(sep);
  return first !== '..';
}

/** Whether the file or directory, with every link followed, is inside `directory`, which must be a real path itself. */
export async function isReallyInside(directory: string, path: string): Promise<boolean> {
  const way = relative(directory, await realpath(path));
  return way === '' || staysInside(way);
}
