import type { UnitId } from '../../shared/ids.ts';
import type { JobRow } from './job-rows.ts';
import type { BootRow } from './boots.ts';
import type { Session } from './session.ts';
import type { RequestState } from './store.ts';
import { unitById } from './unit-rows.ts';

/** Under this name the requests to the primary store are booked: all pools' tasks share them. */
export const PRIMARY_STORE = '(store)';

type Counts = Readonly<Record<string, number>>;

/** So long after a pool's last task has ended, its agents and we may still tell of what that cost. */
const AFTERMATH_MS = 30_000;

/** `sqs:SendMessageBatch`. */
const OPERATION = /^[a-z][a-z0-9-]{0,31}:[A-Z][A-Za-z0-9]{0,63}$/;
/** All clouds together have fewer that we use. */
const OPERATIONS_OF_A_POOL = 128;
/** A thousand a second for thirty years; sums of many such are still exact. */
const MOST_OF_A_BOOT = 1e12;

/**
 * The ledger of requests: what a provider was asked since tasks of its pool last ended is shared among those that end next; what
 * it is asked while there is nothing to do is nobody's. It is a cache like all state (R11), and no bill: a rebuild begins it anew.
 */
export const requestState = (s: Session): RequestState => ({
  addRequests: (pool, counts) => s.transaction(() => addRequests(s, pool, counts)),
  shareRequests: (now) => s.transaction(() => shareRequests(s, now)),
  requests: () =>
    s
      .sql('SELECT pool, operation, total FROM requests ORDER BY pool, operation')
      .all()
      .map((row) => ({ ...row }) as unknown as { pool: string; operation: string; total: number }),
});

function addRequests(s: Session, pool: string, counts: Counts): void {
  for (const [operation, count] of Object.entries(counts)) {
    if (count <= 0) continue;
    s.sql(
      `INSERT INTO requests(pool, operation, total, pending) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET total = total + excluded.total, pending = pending + excluded.pending`,
    ).run(pool, operation, count, count);
  }
}

/**
 * An agent says what it has asked for since its start; what is new in it is booked. Late or twice, it says nothing new. What no
 * cloud calls an operation, or no agent can have asked, is not: each name becomes a row of every job and a label of the metrics.
 */
export function hearRequests(s: Session, boot: BootRow, counts: Counts): void {
  const { requests } = s.sql('SELECT requests FROM boots WHERE id = ?').get(boot.id) as {
    requests: string | null;
  };
  const heard = new Map(requests === null ? [] : Object.entries(JSON.parse(requests) as Counts));
  let isNew = false;
  for (const [operation, count] of Object.entries(counts)) {
    const before = heard.get(operation) ?? 0;
    if (count <= before || count > MOST_OF_A_BOOT || !OPERATION.test(operation)) continue;
    if (before === 0 && !hasRoom(s, boot.pool, operation)) continue;
    addRequests(s, boot.pool, { [operation]: count - before });
    heard.set(operation, count);
    isNew = true;
  }
  if (!isNew) return;
  s.sql('UPDATE boots SET requests = ? WHERE id = ?').run(JSON.stringify(Object.fromEntries(heard)), boot.id);
}

function hasRoom(s: Session, pool: string, operation: string): boolean {
  const known = s.sql('SELECT operation FROM requests WHERE pool = ?').all(pool);
  return known.length < OPERATIONS_OF_A_POOL || known.some((row) => row['operation'] === operation);
}

/** A task's run in this unit counts: it will bear its share. Kept in memory till then; outcomes come by units. */
export function noteRun(s: Session, job: JobRow, unit: UnitId): void {
  if (s.lastRun.unit !== unit) s.lastRun = { unit, pool: unitById(s, unit)?.pool };
  const { pool } = s.lastRun;
  if (pool === undefined) return;
  const jobs = s.runs.get(pool) ?? new Map<number, number>();
  s.runs.set(pool, jobs);
  jobs.set(job.seq, (jobs.get(job.seq) ?? 0) + 1);
}

function shareRequests(s: Session, now: number): void {
  const all = new Map<number, number>();
  for (const jobs of s.runs.values())
    for (const [job, runs] of jobs) all.set(job, (all.get(job) ?? 0) + runs);
  if (all.size > 0) s.runs.set(PRIMARY_STORE, all);
  const asked = s.sql('SELECT DISTINCT pool FROM requests WHERE pending > 0').all() as { pool: string }[];
  for (const { pool } of asked) {
    const ended = s.runs.get(pool);
    if (ended !== undefined) shareOf(s, pool, ended);
    else if (!isAtWork(s, pool)) shareAftermath(s, pool, now);
  }
  for (const [pool, jobs] of s.runs) s.lastRuns.set(pool, { jobs, at: now });
  s.runs.clear();
}

function isAtWork(s: Session, pool: string): boolean {
  const anywhere = pool === PRIMARY_STORE;
  const row = anywhere
    ? s.sql('SELECT 1 FROM loads WHERE units > 0 LIMIT 1').get()
    : s.sql('SELECT 1 FROM loads WHERE pool = ? AND units > 0 LIMIT 1').get(pool);
  return row !== undefined;
}

function shareAftermath(s: Session, pool: string, now: number): void {
  const last = s.lastRuns.get(pool);
  if (last !== undefined && now - last.at < AFTERMATH_MS) shareOf(s, pool, last.jobs);
  else s.sql('UPDATE requests SET pending = 0 WHERE pool = ?').run(pool);
}

function shareOf(s: Session, pool: string, jobs: ReadonlyMap<number, number>): void {
  const pending = s
    .sql('SELECT operation, pending FROM requests WHERE pool = ? AND pending > 0')
    .all(pool) as { operation: string; pending: number }[];
  if (pending.length === 0) return;
  const runs = [...jobs.values()].reduce((sum, count) => sum + count, 0);
  for (const [job, count] of jobs) {
    for (const { operation, pending: asked } of pending) {
      s.sql(
        `INSERT INTO job_requests(job, pool, operation, count) VALUES (?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET count = count + excluded.count`,
      ).run(job, pool, operation, (asked * count) / runs);
    }
  }
  s.sql('UPDATE requests SET pending = 0 WHERE pool = ?').run(pool);
}

/** The job's share, by operation of all pools. */
export function requestsOfJob(s: Session, job: number): Record<string, number> {
  const rows = s
    .sql('SELECT operation, sum(count) AS count FROM job_requests WHERE job = ? GROUP BY operation')
    .all(job) as { operation: string; count: number }[];
  return Object.fromEntries(rows.map(({ operation, count }) => [operation, count]));
}
