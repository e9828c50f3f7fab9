import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { type JobRow, writeJobs } from './job-rows.ts';
import { migrate } from './migrate.ts';
import type { Applied } from './store.ts';
import { type LoadChange, type UnitRecord, writeLoads, writeUnits } from './unit-rows.ts';
import type { PoolAgents } from './boots.ts';

/** Rows of jobs are kept between transactions while they are not more than this. */
const KEPT_JOBS = 1_000;

/**
 * The open database with what is known of it in memory. Only this process writes the file, so rows read once stay true.
 * Within a transaction changes to jobs, units and loads are gathered in memory and written once, before the call that
 * made them returns.
 */
export class Session {
  readonly db: DatabaseSync;
  readonly random: () => number;
  readonly jobs = new Map<number, JobRow>();
  readonly jobSeqs = new Map<string, number>();
  readonly dirtyJobs = new Set<JobRow>();
  readonly units = new Map<number, UnitRecord>();
  readonly loads = new Map<string, LoadChange>();
  readonly poolAgents = new Map<string, PoolAgents>();
  /** Runs that counted since requests were last shared: pool → number of the job → how many. */
  readonly runs = new Map<string, Map<number, number>>();
  /** Those that requests were last shared among, and when. */
  readonly lastRuns = new Map<string, { jobs: ReadonlyMap<number, number>; at: number }>();
  lastRun: { unit: string; pool: string | undefined } = { unit: '', pool: undefined };
  epoch = 0;
  /** Terminal states up to this number of the outbox are in verdict objects. */
  exportedUpTo = 0;
  lastVerdict = 0;
  readonly #statements = new Map<string, StatementSync>();
  #depth = 0;

  constructor(file: string, random: () => number) {
    this.random = random;
    this.db = new DatabaseSync(file);
    // FULL: what was acknowledged or committed survives a power failure (R1, R5).
    this.db.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -32768; PRAGMA temp_store = MEMORY',
    );
    migrate(this.db);
    this.#readMeta();
  }

  /** The prepared statement of this text, prepared once. */
  sql(text: string): StatementSync {
    let statement = this.#statements.get(text);
    if (statement === undefined) {
      statement = this.db.prepare(text);
      this.#statements.set(text, statement);
    }
    return statement;
  }

  /** One transaction; inside another one, a part of it. A throw undoes all of the outermost one. */
  transaction<T>(work: () => T): T {
    if (this.#depth > 0) return this.#joined(work);
    this.db.exec('BEGIN IMMEDIATE');
    try {
      const result = this.#joined(work);
      this.db.exec('COMMIT');
      this.units.clear();
      if (this.jobs.size > KEPT_JOBS) this.#forgetJobs();
      return result;
    } catch (error) {
      if (this.db.isTransaction) this.db.exec('ROLLBACK');
      this.#forget();
      throw error;
    }
  }

  setMeta(key: string, value: number): void {
    this.sql(
      'INSERT INTO meta(key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
    ).run(key, value);
  }

  meta(key: string): number | undefined {
    return (this.sql('SELECT value FROM meta WHERE key = ?').get(key) as { value: number } | undefined)
      ?.value;
  }

  #joined<T>(work: () => T): T {
    this.#depth += 1;
    try {
      const result = work();
      writeJobs(this);
      writeUnits(this);
      writeLoads(this);
      return result;
    } finally {
      this.#depth -= 1;
    }
  }

  #readMeta(): void {
    this.epoch = this.meta('epoch') ?? 0;
    this.exportedUpTo = this.meta('exportedUpTo') ?? 0;
    const { last } = this.sql('SELECT coalesce(max(seq), 0) AS last FROM outbox').get() as { last: number };
    this.lastVerdict = Math.max(last, this.exportedUpTo);
  }

  #forget(): void {
    this.#forgetJobs();
    this.units.clear();
    this.loads.clear();
    this.poolAgents.clear();
    this.#readMeta();
  }

  #forgetJobs(): void {
    this.dirtyJobs.clear();
    this.jobs.clear();
    this.jobSeqs.clear();
  }
}

/** One call's work: the time it happens at and what it changed. */
export interface Work {
  s: Session;
  now: number;
  applied: Applied;
  /** Whose segments are read, in a rebuild: agents are not known then. */
  pool?: string;
}

export const nothingApplied = (): Applied => ({
  committed: 0,
  superseded: 0,
  failures: 0,
  losses: 0,
  verdicts: false,
  dispatchable: false,
  segmentsToRead: [],
  revokes: false,
  claims: false,
});

/** Does `work` in a transaction and returns what it changed. */
export function applyIn(s: Session, now: number, work: (w: Work) => void): Applied {
  return s.transaction(() => {
    const w = { s, now, applied: nothingApplied() };
    work(w);
    return w.applied;
  });
}
