import { readdir, readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { removeMemoryGroup } from './memory-group.ts';
import { killTree, markedTree, markerOf } from './tree.ts';
import { removeTree } from './work-directory.ts';

/** File in a slot's directory that names its memory group. */
export const MEMORY_GROUP_FILE = 'memory-group';

/**
 * Ends and removes what the slots of a crashed agent left: `directory` holds their directories, and nothing else. To be called
 * when no slot below it is in use. Resolves to how many slot directories there were; rejects when something cannot be removed.
 */
export async function cleanLeftovers(directory: string): Promise<number> {
  // Slots know themselves by their real path.
  const real = await realpath(directory).catch(() => directory);
  await killTree(markedTree(markerOf(real)));
  const slots = await readdir(directory).catch(() => []);
  for (const slot of slots) {
    const group = await readFile(join(directory, slot, MEMORY_GROUP_FILE), 'utf8').catch(() => undefined);
    if (group !== undefined) await removeMemoryGroup(group);
    await removeTree(join(directory, slot));
  }
  return slots.length;
}
