import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing } from './directories.ts';
import { byteOrder, decodeDirectory, decodeSegment, encodeDirectory } from './key-path.ts';

/** A file of a key, or a directory that holds the keys which begin with `text`. */
interface Entry {
  text: string;
  /** `text` in byte order. */
  order: string;
  name: string;
  isDirectory: boolean;
}

/** Both in byte order. */
interface Bounds {
  prefix: string;
  after: string;
}

/**
 * The keys below `root` that begin with `prefix`, in byte order, strictly after `after`. Reads only the directories that
 * can hold one of them, each when its turn comes.
 */
export async function* walkKeys(root: string, prefix: string, after: string): AsyncGenerator<string> {
  const segments = prefix.split('/').slice(0, -1);
  const base = segments.map((segment) => `${segment}/`).join('');
  const bounds = { prefix: byteOrder(prefix), after: byteOrder(after) };
  yield* walkDirectory(join(root, ...segments.map(encodeDirectory)), base, bounds);
}

async function* walkDirectory(path: string, base: string, bounds: Bounds): AsyncGenerator<string> {
  const entries = await readSorted(path);
  const start = byteOrder(base);
  for (let i = firstIndex(entries, start, bounds); i < entries.length; i += 1) {
    const entry = entries[i] as Entry;
    const order = start + entry.order;
    if (!order.startsWith(bounds.prefix)) {
      if (order > bounds.prefix) return;
    } else if (!entry.isDirectory) {
      if (order > bounds.after) yield base + entry.text;
    } else if (order > bounds.after || bounds.after.startsWith(order)) {
      yield* walkDirectory(join(path, entry.name), base + entry.text, bounds);
    }
  }
}

/** Where the walk may begin: one before the first entry behind both bounds, as that one may hold keys behind them. */
function firstIndex(entries: readonly Entry[], start: string, { prefix, after }: Bounds): number {
  const bound = prefix > after ? prefix : after;
  if (!bound.startsWith(start)) return 0;
  const wanted = bound.slice(start.length);
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((entries[middle] as Entry).order <= wanted) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}

/**
 * The last big directory read, for the next page of the same listing: reading and sorting 100,000 names for each page of
 * 1,000 would make the listing quadratic. Valid while the directory's times are the same and were not recent when read
 * (two changes within one tick of the file system's clock look like one).
 */
interface Remembered {
  path: string;
  version: string;
  entries: Entry[];
}
let remembered: Remembered | undefined;
let forgetting: NodeJS.Timeout | undefined;
const BIG_DIRECTORY = 2_000;
const REMEMBER_MS = 10_000;
const CLOCK_TICK_MS = 20;

async function readSorted(path: string): Promise<Entry[]> {
  try {
    const before = await stat(path, { bigint: true });
    const version = `${before.ino}.${before.mtimeNs}.${before.ctimeNs}`;
    if (remembered?.path === path && remembered.version === version) return remembered.entries;
    const isOld = Date.now() - Number(before.ctimeMs) > CLOCK_TICK_MS;
    const entries = (await readdir(path, { withFileTypes: true })).flatMap(entryOf).sort(byOrder);
    if (isOld && entries.length >= BIG_DIRECTORY) remember({ path, version, entries });
    return entries;
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function remember(directory: Remembered): void {
  remembered = directory;
  clearTimeout(forgetting);
  forgetting = setTimeout(() => (remembered = undefined), REMEMBER_MS).unref();
}

function entryOf(found: { name: string; isDirectory(): boolean }): Entry[] {
  const isDirectory = found.isDirectory();
  const segment = isDirectory ? decodeDirectory(found.name) : decodeSegment(found.name);
  if (segment === undefined) return [];
  // With its slash a directory sorts exactly where its keys belong among its neighbours.
  const text = isDirectory ? `${segment}/` : segment;
  return [{ text, order: byteOrder(text), name: found.name, isDirectory }];
}

const byOrder = (a: Entry, b: Entry): number => (a.order < b.order ? -1 : a.order > b.order ? 1 : 0);
