import { readdirSync, readFileSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { ClobiError } from '../../shared/errors.ts';

const FOLDER = new URL('migrations/', import.meta.url);

/**
 * Before names were remembered a count was, which is wrong for a file that came in between two others. Each of those files is
 * known by something that it alone made.
 */
const MADE_BEFORE_NAMES: Readonly<Record<string, string>> = {
  '0001-start.sql': 'jobs',
  '0002-fair-candidates.sql': 'jobs_ready_by_owner',
  '0003-pool-orders.sql': 'pool_modes',
  '0004-staged.sql': 'staged',
  '0005-publications.sql': 'publications',
  '0006-requests.sql': 'requests',
};

/**
 * Brings the database to the newest version: those files `NNNN-name.sql` that it has not had, in order, each in a transaction with
 * the note of its name. `user_version` is their number: what a Clobi of before names looks at. Throws `CONFLICT` when a newer
 * Clobi has changed it.
 */
export function migrate(db: DatabaseSync, folder = FOLDER): void {
  const files = readdirSync(folder).filter((name) => name.endsWith('.sql'));
  const applied = appliedOf(db);
  const unknown = [...applied].filter((name) => !files.includes(name));
  if (unknown.length > 0) {
    throw new ClobiError(
      'CONFLICT',
      `The state has changes that this Clobi does not know (${unknown.join(', ')}). Start the newer Clobi that wrote it.`,
    );
  }
  for (const name of files.sort()) {
    if (applied.has(name)) continue;
    applied.add(name);
    const text = readFileSync(new URL(name, folder), 'utf8');
    db.exec('BEGIN IMMEDIATE');
    try {
      db.exec(text);
      db.prepare('INSERT INTO migrations(name) VALUES (?)').run(name);
      db.exec(`PRAGMA user_version = ${applied.size}; COMMIT`);
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
  }
}

function appliedOf(db: DatabaseSync): Set<string> {
  const has = db.prepare('SELECT 1 FROM sqlite_master WHERE name = ?');
  if (has.get('migrations') === undefined) {
    const found = Object.entries(MADE_BEFORE_NAMES).filter(([, made]) => has.get(made) !== undefined);
    db.exec(
      `BEGIN IMMEDIATE; CREATE TABLE migrations (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
       ${found.map(([name]) => `INSERT INTO migrations VALUES ('${name}');`).join(' ')} COMMIT`,
    );
  }
  const rows = db.prepare('SELECT name FROM migrations').all() as { name: string }[];
  return new Set(rows.map(({ name }) => name));
}
