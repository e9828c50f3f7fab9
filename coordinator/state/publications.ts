import type { JobId } from '../../shared/ids.ts';
import type { JobView } from '../http/api.ts';
import { logEvent } from './events.ts';
import { jobById, jobBySeq, type JobRow, neededJob, specOf } from './job-rows.ts';
import type { Session } from './session.ts';
import type { PublishState } from './outboxes.ts';
import { isExported, taskAt, tasksWithOutputs } from './tasks.ts';

const CHUNK = 1_000;

/** The outbox of `outputs.to`. */
export const publishState = (s: Session): PublishState => ({
  duePublications: (now, limit) => {
    const rows = s
      .sql('SELECT job, idx, tries FROM publications WHERE next_at <= ? ORDER BY next_at, job, idx LIMIT ?')
      .all(now, limit) as { job: number; idx: number; tries: number }[];
    return rows.map(({ job, idx, tries }) => ({ job: jobBySeq(s, job).id, index: idx, tries }));
  },
  notePublished: (job, index) => s.transaction(() => notePublished(s, job, index)),
  dropPublication: (job, index) =>
    s.transaction(() => {
      drop(s, neededJob(s, job), index);
    }),
  hastenPublications: (job, now) =>
    s.transaction(() => {
      const { changes } = s
        .sql('UPDATE publications SET next_at = min(next_at, ?), tries = 0 WHERE job = ?')
        .run(now, neededJob(s, job).seq);
      return Number(changes);
    }),
  giveUpPublications: (job, now) => s.transaction(() => giveUp(s, neededJob(s, job), now)),
  notePublishFailure: (job, index, { error, tries, nextTryAt }) =>
    s.transaction(() => {
      const { changes } = s
        .sql(
          `UPDATE publications SET next_at = CASE tries WHEN ? THEN ? ELSE next_at END, tries = tries + 1, error = ?
           WHERE job = ? AND idx = ?`,
        )
        .run(tries, nextTryAt, error, neededJob(s, job).seq, index);
      return Number(changes) > 0;
    }),
});

function drop(s: Session, { seq }: JobRow, index: number): boolean {
  const { changes } = s.sql('DELETE FROM publications WHERE job = ? AND idx = ?').run(seq, index);
  return Number(changes) > 0;
}

function giveUp(s: Session, job: JobRow, now: number): number {
  const tasks = Number(s.sql('DELETE FROM publications WHERE job = ?').run(job.seq).changes);
  const text = `what was not published yet (outputs of tasks: ${tasks}) is not published any more, by request`;
  if (tasks > 0) logEvent(s, job, { at: now, type: 'unpublished', text });
  return tasks;
}

/** Counted once, however often it is told. */
function notePublished(s: Session, id: JobId, index: number): void {
  const job = neededJob(s, id);
  if (!drop(s, job, index)) return;
  s.sql('INSERT INTO published(job, tasks) VALUES (?, 1) ON CONFLICT DO UPDATE SET tasks = tasks + 1').run(
    job.seq,
  );
}

/**
 * Their final states may be shown from now on (R11): what they left is published, too. A retry's outputs go to the same place: what
 * the job before could not put there yet would come later, and take theirs.
 */
export function publishTasks(s: Session, job: JobRow, indices: readonly number[], now: number): void {
  if (specOf(s, job).publish === undefined) return;
  const before = retriedBefore(s, job);
  for (const index of indices) {
    if ((taskAt(s, job, index)?.outputs ?? 0) === 0) continue;
    for (const earlier of before) drop(s, earlier, index);
    s.sql('INSERT OR IGNORE INTO publications(job, idx, tries, next_at) VALUES (?, ?, 0, ?)').run(
      job.seq,
      index,
      now,
    );
  }
}

/** The job that this one retries, the one which that retries, and so on. */
function retriedBefore(s: Session, job: JobRow): JobRow[] {
  const id = specOf(s, job).retryOf?.job;
  const earlier = id === undefined ? undefined : jobById(s, id);
  if (earlier === undefined || specOf(s, earlier).publish !== specOf(s, job).publish) return [];
  return [earlier, ...retriedBefore(s, earlier)];
}

/** After a rebuild nobody knows what has been published; doing it again puts the same bytes in the same place. */
export function publishAgain(s: Session, job: JobRow, now: number): void {
  if (specOf(s, job).publish === undefined) return;
  for (let after = -1; ; ) {
    const tasks = tasksWithOutputs(s, job, { after, limit: CHUNK });
    const shown = tasks.filter(({ verdict }) => isExported(s, verdict));
    publishTasks(
      s,
      job,
      shown.map(({ idx }) => idx),
      now,
    );
    const last = tasks.at(-1);
    if (last === undefined) return;
    after = last.idx;
  }
}

export function viewPublication(s: Session, job: JobRow): JobView['publish'] {
  const to = specOf(s, job).publish;
  if (to === undefined) return undefined;
  const { tasks = 0 } = (s.sql('SELECT tasks FROM published WHERE job = ?').get(job.seq) ?? {}) as {
    tasks?: number;
  };
  const { waiting, failing } = s
    .sql('SELECT count(*) AS waiting, count(error) AS failing FROM publications WHERE job = ?')
    .get(job.seq) as { waiting: number; failing: number };
  return { to, tasks, waiting, failure: failing === 0 ? null : firstFailure(s, job.seq, failing) };
}

function firstFailure(s: Session, seq: number, tasks: number): NonNullable<JobView['publish']>['failure'] {
  const row = s
    .sql(
      'SELECT idx, tries, next_at, error FROM publications WHERE job = ? AND error IS NOT NULL ORDER BY idx LIMIT 1',
    )
    .get(seq) as { idx: number; tries: number; next_at: number; error: string };
  return { tasks, index: row.idx, message: row.error, tries: row.tries, nextTryAt: row.next_at };
}
