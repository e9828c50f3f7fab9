import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ClobiError } from '../shared/errors.ts';
import type { AgentId } from '../shared/ids.ts';
import { agentsDirectory } from '../shared/paths.ts';

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

/** The lock is SQLite's own on a file: the kernel lets go of it when the process dies in whatever way. */
function tryDirectory(parent: string, name: string): OwnDirectory | undefined {
  const path = join(parent, name);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(join(path, 'lock.sqlite'), { timeout: 0 });
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (isBusy(error)) return undefined;
    throw error;
  }
  locks.add(database);
  const release = (): void => {
    if (locks.delete(database)) database.close();
  };
  return { name: name as AgentId, path, release };
}

/** Nobody may collect the garbage of a lock that somebody relies on. */
const locks = new Set<DatabaseSync>();

const SQLITE_BUSY = 5;
const isBusy = (error: unknown): boolean =>
  error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY;
