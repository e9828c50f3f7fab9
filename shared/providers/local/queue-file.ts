import { randomUUID } from 'node:crypto';
import { link, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { makeDirectories } from '../../make-directories.ts';
import { ClobiError, messageOf } from '../../errors.ts';
import { syncDirectory } from './directories.ts';

/** Tells a queue of ours from any other SQLite file ("Clob"). */
const APPLICATION_ID = 0x436c6f62;
const SCHEMA_VERSION = 1;

/**
 * SQLite blocks the whole process while it waits for a lock: it waits this long, then the caller waits
 * without blocking. Another process's transaction takes about a millisecond.
 */
const BLOCKING_WAIT_MS = 50;
/** At opening we may have to wait for another process that recovers the file after a crash. */
const BLOCKING_WAIT_AT_OPEN_MS = 5_000;

/**
 * `visible_at`: 0 for a message never received; else the end of its lease, in ms since 1970. Bodies are apart because
 * a receive would otherwise write the whole body again. AUTOINCREMENT: an id used twice would let an old
 * receipt delete a new message.
 */
const SCHEMA = `
  CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    visible_at INTEGER NOT NULL DEFAULT 0,
    receive_count INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX messages_by_visibility ON messages (visible_at, id);
  CREATE TABLE bodies (id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_CANTOPEN = 14;
const SQLITE_NOTADB = 26;

/** The primary result code of an SQLite error; undefined for any other error. */
function resultCode(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown } | null)?.errcode;
  return typeof code === 'number' ? code & 0xff : undefined;
}

export const isBusy = (error: unknown): boolean => resultCode(error) === SQLITE_BUSY;

/** What a user is told when the queue file fails us. */
export function queueError(path: string, error: unknown): ClobiError {
  if (error instanceof ClobiError) return error;
  const because = (code: 'INVALID_CONFIG' | 'NOT_FOUND' | 'UNAVAILABLE', message: string): ClobiError =>
    new ClobiError(code, message, { context: { path }, cause: error });
  const result = resultCode(error);
  if (result === SQLITE_NOTADB || result === SQLITE_CORRUPT) {
    return because(
      'INVALID_CONFIG',
      `The queue file "${path}" is damaged or not a Clobi queue (${messageOf(error)}). Stop Clobi and move the file away; the next start makes a new queue.`,
    );
  }
  if (result === SQLITE_CANTOPEN) {
    return because(
      'NOT_FOUND',
      `There is no queue file "${path}". The coordinator of its pool makes it: start that first.`,
    );
  }
  if (result === SQLITE_BUSY) {
    return because(
      'UNAVAILABLE',
      `Another process keeps the queue file "${path}" locked. Look for a stopped clobi process.`,
    );
  }
  return because('UNAVAILABLE', `The queue file "${path}" cannot be used: ${messageOf(error)}.`);
}

/**
 * Creates the file, complete or not at all: it is made under another name and then linked into place, so that
 * neither a crash nor a second creator leaves half a queue. An existing file is left as it is.
 */
export async function createQueueFile(path: string): Promise<void> {
  makeDirectories(dirname(path), 0o700);
  const unfinished = `${path}.${randomUUID()}.new`;
  try {
    const db = new DatabaseSync(unfinished);
    db.exec('PRAGMA journal_mode = WAL');
    db.exec(SCHEMA);
    db.close();
    await link(unfinished, path).catch(ignoreExisting);
    await syncDirectory(dirname(path));
  } finally {
    await rm(unfinished, { force: true });
  }
}

function ignoreExisting(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
}

/** Opens an existing queue file. Throws `NOT_FOUND`, or `INVALID_CONFIG` when the file is not one of ours. */
export function openQueueFile(path: string): DatabaseSync {
  const url = pathToFileURL(path);
  url.search = 'mode=rw';
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(url, { timeout: BLOCKING_WAIT_AT_OPEN_MS });
    refuseForeign(db, path);
    // FULL: after a power cut a receive must still be known, or the message would come again with count 1 (R3).
    db.exec(
      `PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864; PRAGMA busy_timeout = ${BLOCKING_WAIT_MS}`,
    );
    return db;
  } catch (error) {
    db?.close();
    throw queueError(path, error);
  }
}

function refuseForeign(db: DatabaseSync, path: string): void {
  const application = db.prepare('PRAGMA application_id').get()?.['application_id'];
  const version = db.prepare('PRAGMA user_version').get()?.['user_version'];
  if (application !== APPLICATION_ID) {
    throw new ClobiError(
      'INVALID_CONFIG',
      `The file "${path}" is not a Clobi queue. Name another file, or move it away.`,
      {
        context: { path },
      },
    );
  }
  if (version !== SCHEMA_VERSION) {
    throw new ClobiError(
      'INVALID_CONFIG',
      `The queue file "${path}" has version ${String(version)}; this Clobi knows version ${SCHEMA_VERSION}. Use the Clobi that wrote it.`,
      { context: { path, version } },
    );
  }
}
