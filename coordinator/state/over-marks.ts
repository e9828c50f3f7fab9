import type { JobId } from '../../shared/ids.ts';
import { jobBySeq, type JobRow } from './job-rows.ts';
import type { Session } from './session.ts';
import type { OverMarkState } from './outboxes.ts';

/** Which pools had units of which job: there it is marked as over, once it is. */
export const overMarkState = (s: Session): OverMarkState => ({
  dueOverMarks: (pool, limit) => {
    const rows = s
      .sql('SELECT job, due FROM over_marks WHERE pool = ? AND due IS NOT NULL ORDER BY due, job LIMIT ?')
      .all(pool, limit) as { job: number; due: number }[];
    return rows.map(({ job, due }) => ({ job: jobBySeq(s, job).id, endedAt: due }));
  },
  noteOverMarked: (pool, jobs) =>
    s.transaction(() => {
      for (const id of jobs) drop(s, pool, id);
    }),
});

function drop(s: Session, pool: string, id: JobId): void {
  s.sql('DELETE FROM over_marks WHERE pool = ? AND job = (SELECT seq FROM jobs WHERE id = ?)').run(pool, id);
}

/** The pool has, or had, a unit of this job. */
export function wasIn(s: Session, job: JobRow, pool: string): void {
  s.sql('INSERT OR IGNORE INTO over_marks(job, pool) VALUES (?, ?)').run(job.seq, pool);
}

/** The job is over, and its last verdict exported. */
export function markWhereItWas(s: Session, job: JobRow, endedAt: number): void {
  s.sql('UPDATE over_marks SET due = ? WHERE job = ?').run(endedAt, job.seq);
}
