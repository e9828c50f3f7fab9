import type { DatabaseSync } from 'node:sqlite';
import { pause } from '../../clock.ts';
import { isBusy } from './queue-file.ts';

/** Longest wait for a lock that another process holds. */
const LOCK_PATIENCE_MS = 10_000;
const LONGEST_RETRY_PAUSE_MS = 25;

interface Work {
  run: () => unknown;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
}

/**
 * Puts all writes asked for in one turn of the event loop into one transaction: the sync to disk costs more than the
 * writes. A promise resolves after the commit; when a transaction fails, every work in it rejects and none has happened.
 */
export class GroupCommit {
  readonly #db: DatabaseSync;
  #waiting: Work[] = [];
  #flushing: Promise<void> | undefined;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** `work` runs synchronously inside the transaction. */
  run<T>(work: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ run: work, resolve: resolve as (value: unknown) => void, reject });
      this.#flushing ??= this.#flush();
    });
  }

  /** Resolves when nothing waits any more. */
  async settled(): Promise<void> {
    await this.#flushing;
  }

  async #flush(): Promise<void> {
    await new Promise(setImmediate);
    try {
      while (this.#waiting.length > 0) {
        const failure = await this.#begin();
        const works = this.#waiting;
        this.#waiting = [];
        if (failure === undefined) this.#commit(works);
        else rejectAll(works, failure.error);
      }
    } finally {
      this.#flushing = undefined;
    }
  }

  /** Takes the write lock, patiently; what is asked for meanwhile joins the transaction. */
  async #begin(): Promise<{ error: unknown } | undefined> {
    const deadline = performance.now() + LOCK_PATIENCE_MS;
    for (;;) {
      try {
        this.#db.exec('BEGIN IMMEDIATE');
        return undefined;
      } catch (error) {
        if (!isBusy(error) || performance.now() > deadline) return { error };
        await pause(Math.random() * LONGEST_RETRY_PAUSE_MS);
      }
    }
  }

  #commit(works: readonly Work[]): void {
    let values: unknown[];
    try {
      values = works.map((work) => work.run());
      this.#db.exec('COMMIT');
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      rejectAll(works, error);
      return;
    }
    works.forEach((work, i) => work.resolve(values[i]));
  }
}

const rejectAll = (works: readonly Work[], error: unknown): void =>
  works.forEach((work) => work.reject(error));
