import assert from 'node:assert/strict';
import { copyFileSync, readdirSync, readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { migrate } from '../../../../coordinator/state/migrate.ts';
import { isCode } from '../../../../shared/errors.ts';
import { temporaryDirectory } from '../../../helpers/temporary.ts';

const FOLDER = new URL('../../../../coordinator/state/migrations/', import.meta.url);
const ALL = readdirSync(FOLDER).sort();
const textOf = (name: string): string => readFileSync(new URL(name, FOLDER), 'utf8');

const schemaOf = (db: DatabaseSync): unknown[] =>
  db.prepare('SELECT type, name, sql FROM sqlite_master ORDER BY name').all();

function fresh(): DatabaseSync {
  const db = new DatabaseSync(':memory:');
  migrate(db);
  return db;
}

describe('migrate', () => {
  test('gives a database of before names exactly what it lacks, also in the middle', () => {
    const expected = schemaOf(fresh());
    const first = ALL.slice(0, 6);
    const made = [[], ...first.map((_, at) => first.slice(0, at + 1)), first.filter((_, at) => at !== 4)];
    for (const names of made) {
      const db = new DatabaseSync(':memory:');
      for (const name of names) db.exec(textOf(name));
      db.exec(`PRAGMA user_version = ${String(names.length)}`);
      migrate(db);
      migrate(db);
      const tables = (rows: unknown[]) => (rows as { name: string }[]).map(({ name }) => name);
      assert.deepEqual(tables(schemaOf(db)), tables(expected), names.join());
    }
  });

  test('adds a file that came in between, and refuses a database with more than it knows', async () => {
    await using directory = await temporaryDirectory();
    const folder = directory.path;
    for (const name of ALL) copyFileSync(new URL(name, FOLDER), `${folder}/${name}`);
    const db = fresh();
    copyFileSync(new URL(ALL[1] ?? '', FOLDER), `${folder}/0003-between.sql`);
    db.exec('DROP INDEX jobs_ready_by_owner');
    migrate(db, pathToFileURL(`${folder}/`));
    assert.ok(db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'jobs_ready_by_owner'").get());
    assert.throws(
      () => migrate(db),
      (error) => isCode(error, 'CONFLICT') && /0003-between\.sql/.test(String(error)),
    );
  });

  test('keeps the items of jobs of before sets', () => {
    const db = new DatabaseSync(':memory:');
    for (const name of ALL.slice(0, 6)) db.exec(textOf(name));
    db.exec(
      `INSERT INTO items VALUES (7, 0, '[{"item":"a, b"},{"item":{"x":[1]}}]'), (7, 1, '[{"item":3}]')`,
    );
    const columns = db.prepare('SELECT name FROM pragma_table_info(\'jobs\') WHERE "notnull" = 1').all() as {
      name: string;
    }[];
    const names = columns.map(({ name }) => name);
    db.exec(`INSERT INTO jobs(seq, ${names.join()}) VALUES (7, ${names.map(() => '0').join()})`);
    migrate(db);
    const chunks = db.prepare('SELECT params FROM items WHERE item_set = 7 ORDER BY chunk').all();
    assert.deepEqual(
      chunks.map((row) => row['params']),
      ['[{"item":"a, b"},\n{"item":{"x":[1]}}]', '[{"item":3}]'],
    );
    assert.equal(db.prepare('SELECT item_set FROM jobs').get()?.['item_set'], 7);
    assert.equal(db.prepare('SELECT items FROM item_sets').get()?.['items'], 3);
  });
});
