import { readdirSync, readFileSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { ClobiError } from '../../shared/errors.ts';

const FOLDER = new URL('migrations/', import.meta.url);

/** Brings the database to the newest version: files `NNNN-name.sql` in order, each in a transaction, counted by `user_version`. */
export function migrate(db: DatabaseSync): void {
  const files = readdirSync(FOLDER)
    .filter((name) => name.endsWith('.sql'))
    .sort();
  const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number };
  if (version > files.length) {
    throw new ClobiError(
      'CONFLICT',
      `The state is of version ${version}, this Clobi knows versions up to ${files.length}. Start the newer Clobi that wrote it.`,
    );
  }
  for (const [index, name] of files.entries()) {
    if (index < version) continue;
    const text = readFileSync(new URL(name, FOLDER), 'utf8');
    db.exec(`BEGIN IMMEDIATE; ${text}; PRAGMA user_version = ${index + 1}; COMMIT`);
  }
}
