import { hostname } from 'node:os';
import { join } from 'node:path';
import { makeDirectories } from '../shared/make-directories.ts';
import { ClobiError } from '../shared/errors.ts';
import type { AgentId } from '../shared/ids.ts';
import { agentsDirectory } from '../shared/paths.ts';
import { takeLock } from './lock.ts';

/** More agents than this on one machine are a mistake. */
const MOST_AGENTS = 10_000;

/** An agent's own directory, `agents/<pool>/<name>/`, and with it its name; ours until released or until we die. */
export interface OwnDirectory {
  name: AgentId;
  path: string;
  release(): void;
}

/**
 * Takes the directory of that name, or of the first free `<hostname>-<n>`: so a restarted agent has the name of its
 * crashed predecessor, and its new boot ends the old claims at once (R7). Throws `CONFLICT` when the name is in use.
 */
export function takeDirectory(home: string, pool: string, name?: string): OwnDirectory {
  const parent = agentsDirectory(home, pool);
  if (name !== undefined) {
    const taken = tryDirectory(parent, name);
    if (taken !== undefined) return taken;
    throw new ClobiError(
      'CONFLICT',
      `An agent "${name}" of pool "${pool}" runs already in ${parent}. Stop it, or give another --name.`,
    );
  }
  const host =
    hostname()
      .replaceAll(/[^A-Za-z0-9-]/g, '-')
      .replace(/^-+/, '')
      .slice(0, 56) || 'agent';
  for (let n = 1; n <= MOST_AGENTS; n += 1) {
    const taken = tryDirectory(parent, `${host}-${n}`);
    if (taken !== undefined) return taken;
  }
  throw new ClobiError('CONFLICT', `${MOST_AGENTS} agents run already in ${parent}.`);
}

/** Undefined when a living agent has it. */
function tryDirectory(parent: string, name: string): OwnDirectory | undefined {
  const path = join(parent, name);
  makeDirectories(path, 0o700);
  const release = takeLock(join(path, 'lock.sqlite'));
  return release === undefined ? undefined : { name: name as AgentId, path, release };
}
