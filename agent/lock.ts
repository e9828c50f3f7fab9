import { DatabaseSync } from 'node:sqlite';

/** Nobody may collect the garbage of a lock that somebody relies on: collected, it is open. */
const held = new Set<DatabaseSync>();

/**
 * Takes the lock on a file, made when missing; returns how to release it, or undefined when somebody has it. It is SQLite's
 * own lock: the kernel lets go of it when the process dies in whatever way.
 */
export function takeLock(file: string): (() => void) | undefined {
  const database = new DatabaseSync(file, { timeout: 0 });
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (isBusy(error)) return undefined;
    throw error;
  }
  held.add(database);
  return () => {
    if (held.delete(database)) database.close();
  };
}

const SQLITE_BUSY = 5;
const isBusy = (error: unknown): boolean =>
  error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY;
