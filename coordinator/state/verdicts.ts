import type { Verdict } from '../../shared/wire/verdict.ts';
import { isTerminal, OPEN_STATES, type TerminalState } from '../../shared/task-state.ts';
import { afterExport } from './dependents.ts';
import { logEvent } from './events.ts';
import { jobBySeq, type JobRow, shownCounts, stateOf, touchJob } from './job-rows.ts';
import { markWhereItWas } from './over-marks.ts';
import { publishTasks } from './publications.ts';
import { applyIn, type Session, type Work } from './session.ts';
import type { VerdictState } from './store.ts';
import { taskAt } from './tasks.ts';

interface OutboxRow {
  seq: number;
  job: number;
  idx: number;
  state: number;
  count: number;
}

/** R11: terminal states on their way into immutable verdict objects. */
export const verdictState = (s: Session): VerdictState => ({
  pendingVerdicts: (limit) => s.transaction(() => pendingVerdicts(s, limit)),
  markExported: (number, now) => applyIn(s, now, (w) => markExported(w, number)),
});

/** The batch under way keeps its number and content until it is marked, also over a restart: its object may exist. */
function pendingVerdicts(s: Session, limit: number): { number: number; verdicts: Verdict[] } | undefined {
  const upTo = s.meta('verdictsUpTo') ?? chooseBatch(s, limit);
  if (upTo === undefined) return undefined;
  const rows = s
    .sql('SELECT seq, job, idx, state, count FROM outbox WHERE seq <= ? ORDER BY seq')
    .all(upTo) as unknown as OutboxRow[];
  return { number: s.meta('verdictNumber') ?? 1, verdicts: rows.flatMap((row) => verdictsOf(s, row)) };
}

function chooseBatch(s: Session, limit: number): number | undefined {
  const rows = s.sql('SELECT seq FROM outbox ORDER BY seq LIMIT ?').all(limit) as { seq: number }[];
  const last = rows.at(-1)?.seq;
  if (last !== undefined) s.setMeta('verdictsUpTo', last);
  return last;
}

function verdictsOf(s: Session, row: OutboxRow): Verdict[] {
  const job = jobBySeq(s, row.job);
  const state = stateOf(row.state);
  if (!isTerminal(state)) return [];
  if (row.idx < 0) return restRanges(s, job, state);
  const task = taskAt(s, job, row.idx);
  if (task === undefined) return [];
  return [
    {
      job: job.id,
      index: row.idx,
      state,
      run: task.run,
      reason: task.reason,
      at: task.endedAt ?? job.submittedAt,
    },
  ];
}

/** The job's tasks without a row, as ranges between those with one. */
function restRanges(s: Session, job: JobRow, state: TerminalState): Verdict[] {
  const ranges: Verdict[] = [];
  let from = job.restFrom;
  const add = (to: number): void => {
    if (to < from) return;
    const common = {
      job: job.id,
      state,
      run: null,
      reason: job.cancelReason,
      at: job.restEndAt ?? job.submittedAt,
    };
    ranges.push(from === to ? { ...common, index: from } : { ...common, index: from, to });
  };
  for (const { idx } of s
    .sql('SELECT idx FROM tasks WHERE job = ? AND idx >= ? ORDER BY idx')
    .iterate(job.seq, job.restFrom)) {
    add((idx as number) - 1);
    from = (idx as number) + 1;
  }
  add(job.size - 1);
  return ranges;
}

function markExported(w: Work, number: number): void {
  const { s } = w;
  const upTo = s.meta('verdictsUpTo');
  if (upTo === undefined || number !== (s.meta('verdictNumber') ?? 1)) return;
  const rows = s
    .sql('SELECT seq, job, idx, state, count FROM outbox WHERE seq <= ? ORDER BY seq')
    .all(upTo) as unknown as OutboxRow[];
  s.sql('DELETE FROM outbox WHERE seq <= ?').run(upTo);
  s.sql('DELETE FROM meta WHERE key = ?').run('verdictsUpTo');
  s.setMeta('verdictNumber', number + 1);
  s.setMeta('exportedUpTo', upTo);
  s.exportedUpTo = upTo;
  const jobs = countExported(s, rows);
  for (const [job, exported] of jobs) {
    const over = noteEnd(w, job);
    publishTasks(s, job, exported, w.now);
    afterExport(w, job, { indices: exported, over });
  }
}

/** Takes the rows off what is pending; the indices of each job, the rest's left out. */
function countExported(s: Session, rows: readonly OutboxRow[]): Map<JobRow, number[]> {
  const jobs = new Map<JobRow, number[]>();
  for (const row of rows) {
    const job = jobBySeq(s, row.job);
    const state = stateOf(row.state);
    if (isTerminal(state)) job.pending[state] -= row.count;
    touchJob(s, job);
    const indices = jobs.get(job) ?? [];
    if (row.idx >= 0) indices.push(row.idx);
    jobs.set(job, indices);
  }
  return jobs;
}

/** True when the job is over now, which is written down once. */
export function noteEnd(w: Work, job: JobRow): boolean {
  const counts = shownCounts(job);
  if (OPEN_STATES.some((state) => counts[state] > 0)) return false;
  if (job.endedAt === null) {
    job.endedAt = job.lastEndAt ?? w.now;
    touchJob(w.s, job);
    markWhereItWas(w.s, job, job.endedAt);
    const { succeeded, failed, cancelled, lost } = counts;
    const text = `the job is over: ${succeeded} succeeded, ${failed} failed, ${cancelled} cancelled, ${lost} lost`;
    logEvent(w.s, job, { at: w.now, type: 'finished', text });
  }
  return true;
}
