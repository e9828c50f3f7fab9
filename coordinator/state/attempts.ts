import type { RunId } from '../../shared/ids.ts';
import type { Outcome } from '../../shared/wire/event.ts';
import type { AttemptView } from '../http/api.ts';
import type { JobRow } from './job-rows.ts';
import type { Session } from './session.ts';
import type { TaskRow } from './tasks.ts';
import { unitByUid } from './unit-rows.ts';

type AttemptResult = Exclude<AttemptView['result'], 'open'>;

/** An attempt that came to an end. `outcome`: of the visible run if it is of this attempt, else the first one heard. */
export interface AttemptRow {
  epoch: number;
  n: number;
  unit: string;
  pool: string;
  agent: string | null;
  run: RunId | null;
  result: AttemptResult;
  reason: string | null;
  dispatchedAt: number;
  startedAt: number | null;
  endedAt: number;
  outcome: Outcome | null;
}

export interface AttemptEnd {
  result: AttemptResult;
  reason: string | null;
  at: number;
  outcome?: Outcome;
}

/** Writes down how the task's open attempt ended. Call it before the task leaves its unit. */
export function endAttempt(s: Session, job: JobRow, task: TaskRow, end: AttemptEnd): void {
  if (task.unit === null) return;
  const unit = unitByUid(s, task.unit);
  const { outcome } = end;
  insertAttempt(s, job, task.idx, {
    epoch: task.epoch,
    n: task.n,
    unit: unit.id,
    pool: unit.pool,
    agent: outcome?.agent ?? task.agent,
    run: outcome?.run ?? task.run,
    result: end.result,
    reason: end.reason,
    dispatchedAt: unit.createdAt,
    startedAt: outcome?.startedAt ?? task.startedAt,
    endedAt: end.at,
    outcome: outcome ?? null,
  });
}

export function insertAttempt(s: Session, job: JobRow, index: number, row: AttemptRow): void {
  s.sql(
    `INSERT OR REPLACE INTO attempts(job, idx, epoch, n, unit, pool, agent, run, result, reason, dispatched_at, started_at, ended_at, outcome)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ).run(
    job.seq,
    index,
    row.epoch,
    row.n,
    row.unit,
    row.pool,
    row.agent,
    row.run,
    row.result,
    row.reason,
    row.dispatchedAt,
    row.startedAt,
    row.endedAt,
    row.outcome === null ? null : JSON.stringify(row.outcome),
  );
}

export function attemptAt(
  s: Session,
  job: JobRow,
  index: number,
  { epoch, n }: { epoch: number; n: number },
): AttemptRow | undefined {
  const row = s
    .sql('SELECT * FROM attempts WHERE job = ? AND idx = ? AND epoch = ? AND n = ?')
    .get(job.seq, index, epoch, n);
  return row === undefined ? undefined : fromRow(row as unknown as Row);
}

/** Oldest first. */
export function attemptsOf(s: Session, job: JobRow, index: number): AttemptRow[] {
  const rows = s
    .sql('SELECT * FROM attempts WHERE job = ? AND idx = ? ORDER BY epoch, n')
    .all(job.seq, index);
  return (rows as unknown as Row[]).map(fromRow);
}

interface Row {
  epoch: number;
  n: number;
  unit: string;
  pool: string;
  agent: string | null;
  run: RunId | null;
  result: AttemptResult;
  reason: string | null;
  dispatched_at: number;
  started_at: number | null;
  ended_at: number;
  outcome: string | null;
}

const fromRow = (row: Row): AttemptRow => ({
  epoch: row.epoch,
  n: row.n,
  unit: row.unit,
  pool: row.pool,
  agent: row.agent,
  run: row.run,
  result: row.result,
  reason: row.reason,
  dispatchedAt: row.dispatched_at,
  startedAt: row.started_at,
  endedAt: row.ended_at,
  outcome: row.outcome === null ? null : (JSON.parse(row.outcome) as Outcome),
});
