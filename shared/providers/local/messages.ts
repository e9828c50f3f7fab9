import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** A message as received. Id and count together are its receipt: each receive raises the count, so the old receipt is void. */
export interface Taken {
  id: number;
  count: number;
  body: string;
}

/** The SQL of a queue. Every method that writes is called inside a transaction. Times in ms since 1970. */
export class Messages {
  readonly #insert: StatementSync;
  readonly #insertBody: StatementSync;
  readonly #between: StatementSync;
  readonly #lease: StatementSync;
  readonly #body: StatementSync;
  readonly #extend: StatementSync;
  readonly #remove: StatementSync;
  readonly #removeBody: StatementSync;
  readonly #countVisible: StatementSync;
  readonly #nextExpiry: StatementSync;

  constructor(db: DatabaseSync) {
    const receipt = 'WHERE id = ? AND receive_count = ?';
    this.#insert = db.prepare('INSERT INTO messages DEFAULT VALUES');
    this.#insertBody = db.prepare('INSERT INTO bodies (id, body) VALUES (?, ?)');
    this.#between = db.prepare(
      'SELECT id, receive_count FROM messages WHERE visible_at BETWEEN ? AND ? ORDER BY visible_at, id LIMIT ?',
    );
    this.#lease = db.prepare('UPDATE messages SET visible_at = ?, receive_count = ? WHERE id = ?');
    this.#body = db.prepare('SELECT body FROM bodies WHERE id = ?');
    this.#extend = db.prepare(`UPDATE messages SET visible_at = ? ${receipt}`);
    this.#remove = db.prepare(`DELETE FROM messages ${receipt}`);
    this.#removeBody = db.prepare('DELETE FROM bodies WHERE id = ?');
    this.#countVisible = db.prepare('SELECT count(*) AS n FROM messages WHERE visible_at <= ?');
    this.#nextExpiry = db.prepare('SELECT min(visible_at) AS at FROM messages WHERE visible_at > 0');
  }

  insert(body: string): void {
    const { lastInsertRowid } = this.#insert.run();
    this.#insertBody.run(lastInsertRowid, body);
  }

  /** Leases up to `max` messages until `until`: those whose lease ran out first, then the oldest never received. */
  take(max: number, until: number, now: number): Taken[] {
    const expired = this.#between.all(1, now, max);
    const fresh = expired.length < max ? this.#between.all(0, 0, max - expired.length) : [];
    return [...expired, ...fresh].map((row) =>
      this.#take(Number(row['id']), Number(row['receive_count']) + 1, until),
    );
  }

  #take(id: number, count: number, until: number): Taken {
    this.#lease.run(until, count, id);
    return { id, count, body: String(this.#body.get(id)?.['body']) };
  }

  /** False when the receipt is void. */
  extend({ id, count }: Taken, until: number): boolean {
    return this.#extend.run(until, id, count).changes === 1;
  }

  /** False when the receipt is void. */
  remove({ id, count }: Taken): boolean {
    if (this.#remove.run(id, count).changes === 0) return false;
    this.#removeBody.run(id);
    return true;
  }

  hasVisible(now: number): boolean {
    return this.#between.get(0, now, 1) !== undefined;
  }

  countVisible(now: number): number {
    return Number(this.#countVisible.get(now)?.['n']);
  }

  /** When the first lease runs out; undefined when nothing is leased. */
  nextExpiry(): number | undefined {
    const at = this.#nextExpiry.get()?.['at'];
    return at === null || at === undefined ? undefined : Number(at);
  }
}
