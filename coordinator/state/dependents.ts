import { allOf, byJob, byTask, type DependencyState } from '../core/dependencies.ts';
import { isTerminal, type TaskState } from '../../shared/task-state.ts';
import { cancelBlocked, cancelTask } from './cancelling.ts';
import { logEvent } from './events.ts';
import { jobById, jobBySeq, type JobRow, shownCounts, specOf, touchJob } from './job-rows.ts';
import type { Session, Work } from './session.ts';
import { isExported, moveTask, taskAt, tasksAfter, listedTasks } from './tasks.ts';

const REASON = 'dependency';
const CHUNK = 10_000;

/** Final states of `upstream` are shown now: what waits for them becomes ready or is cancelled (R11). */
export function afterExport(
  w: Work,
  upstream: JobRow,
  exported: { indices: readonly number[]; over: boolean },
): void {
  const rows = w.s.sql('SELECT job FROM dependencies WHERE upstream = ?').all(upstream.seq) as {
    job: number;
  }[];
  for (const { job: seq } of rows) {
    const job = jobBySeq(w.s, seq);
    if (job.acknowledgedAt === null || job.counts.blocked === 0) continue;
    if (exported.over) settle(w, job);
    else if (specOf(w.s, job).depends.some(({ job: id, by }) => id === upstream.id && by === 'tasks')) {
      for (const index of exported.indices) settleTask(w, job, index);
    }
  }
}

/** Looks at all that the job depends on, once it is acknowledged or one of those jobs is over. */
export function settle(w: Work, job: JobRow): void {
  if (job.counts.blocked === 0) return;
  const whole = allOf(statesByJob(w.s, job));
  if (whole === 'broken') {
    const cancelled = cancelBlocked(w, job, REASON);
    logEvent(w.s, job, {
      at: w.now,
      type: 'cancelled',
      text: `${cancelled} tasks are cancelled: what they depend on did not succeed`,
    });
  }
  if (whole !== 'holds') return;
  const byTasks = specOf(w.s, job).depends.filter(({ by }) => by === 'tasks');
  if (byTasks.length === 0) {
    releaseBlocked(w, job);
    return;
  }
  settleRows(
    w,
    job,
    byTasks.map(({ job: id }) => id),
  );
  if (byTasks.every(({ job: id }) => isOver(w.s, id))) settleRest(w, job);
}

function isOver(s: Session, id: string): boolean {
  const upstream = jobById(s, id);
  return upstream === undefined || byJob('end', shownCounts(upstream), upstream.size) === 'holds';
}

function statesByJob(s: Session, job: JobRow): DependencyState[] {
  return specOf(s, job).depends.flatMap(({ job: id, after, by }) => {
    const upstream = jobById(s, id);
    if (upstream === undefined) return ['broken'];
    return by === 'job' ? [byJob(after, shownCounts(upstream), upstream.size)] : [];
  });
}

/** Everything the job waits for holds. */
function releaseBlocked(w: Work, job: JobRow): void {
  if (job.restState === 'blocked') moveRest(w, job);
  for (let after = -1; ; ) {
    const tasks = listedTasks(w.s, job, 'blocked', { after, limit: CHUNK });
    for (const task of tasks) moveTask(w, job, task, 'ready');
    const last = tasks.at(-1);
    if (last === undefined) break;
    after = last.idx;
  }
  logEvent(w.s, job, { at: w.now, type: 'ready', text: 'everything it depends on is done' });
}

function moveRest(w: Work, job: JobRow): void {
  job.counts.blocked -= job.restCount;
  job.counts.ready += job.restCount;
  job.restState = 'ready';
  touchJob(w.s, job);
  w.applied.dispatchable = true;
}

/** Index by index: every task that has a row upstream, and so may have ended. */
function settleRows(w: Work, job: JobRow, upstreams: readonly string[]): void {
  for (const id of upstreams) {
    const upstream = jobById(w.s, id);
    if (upstream === undefined) continue;
    for (let after = -1; ; ) {
      const tasks = tasksAfter(w.s, upstream, { after, limit: CHUNK });
      for (const task of tasks) if (isExported(w.s, task.verdict)) settleTask(w, job, task.idx);
      const last = tasks.at(-1);
      if (last === undefined) break;
      after = last.idx;
    }
  }
}

/** Upstream is over, and what is left has no row there either: such tasks ended alike, so one of them stands for all. */
function settleRest(w: Work, job: JobRow): void {
  if (job.restCount === 0 || job.restState !== 'blocked') return;
  let first = job.restFrom;
  while (first < job.size && taskAt(w.s, job, first)?.fromRest !== true) first += 1;
  const state = stateOfTask(w.s, job, first);
  if (state === 'broken') cancelBlocked(w, job, REASON);
  else if (state === 'holds') moveRest(w, job);
}

function settleTask(w: Work, job: JobRow, index: number): void {
  const task = taskAt(w.s, job, index);
  if (task?.state !== 'blocked') return;
  const state = allOf([...statesByJob(w.s, job), stateOfTask(w.s, job, index)]);
  if (state === 'holds') moveTask(w, job, task, 'ready');
  else if (state === 'broken') cancelTask(w, job, task, REASON);
}

function stateOfTask(s: Session, job: JobRow, index: number): DependencyState {
  return allOf(
    specOf(s, job)
      .depends.filter(({ by }) => by === 'tasks')
      .map(({ job: id, after }) => byTask(after, shownState(s, id, index))),
  );
}

function shownState(s: Session, id: string, index: number): TaskState {
  const upstream = jobById(s, id);
  const task = upstream === undefined ? undefined : taskAt(s, upstream, index);
  if (task === undefined) return 'cancelled';
  return isTerminal(task.state) && !isExported(s, task.verdict) ? 'running' : task.state;
}
