import type { JobId } from '../../shared/ids.ts';
import {
  jobState,
  OPEN_STATES,
  TASK_STATES,
  type TaskCounts,
  TERMINAL_STATES,
} from '../../shared/task-state.ts';
import { costOf } from '../prices.ts';
import type { JobView } from '../http/api.ts';
import { agentsOf } from './boots.ts';
import { jobById, jobBySeq, type JobRow, shownCounts } from './job-rows.ts';
import { viewPublication } from './publications.ts';
import { requestsOfJob } from './requests.ts';
import type { Session } from './session.ts';
import type { JobQuery } from './views.ts';

const CHUNK = 200;

export function viewJob(s: Session, id: string): JobView | undefined {
  const job = jobById(s, id);
  return job === undefined || job.acknowledgedAt === null ? undefined : viewOf(s, job, liveSlots(s));
}

/** Newest first. The state of a job is derived, so jobs are looked at one by one until the page is full. */
export function viewJobs(s: Session, query: JobQuery): { jobs: JobView[]; next?: string } {
  const slots = liveSlots(s);
  const found: JobView[] = [];
  let before = query.after === undefined ? Number.MAX_SAFE_INTEGER : (jobById(s, query.after)?.seq ?? 0);
  for (;;) {
    const rows = s
      .sql('SELECT seq FROM jobs WHERE seq < ? AND acknowledged_at IS NOT NULL ORDER BY seq DESC LIMIT ?')
      .all(before, CHUNK) as { seq: number }[];
    for (const { seq } of rows) {
      before = seq;
      const job = jobBySeq(s, seq);
      if (!matches(job, query)) continue;
      const last = found.at(-1);
      if (found.length === query.limit && last !== undefined) return { jobs: found, next: last.id };
      found.push(viewOf(s, job, slots));
    }
    if (rows.length < CHUNK) return { jobs: found };
  }
}

function matches(job: JobRow, { state, label, name, owner }: JobQuery): boolean {
  if (owner !== undefined && job.owner !== owner) return false;
  if (name !== undefined && !job.name.includes(name)) return false;
  if (label !== undefined && !hasLabel(job.labels, label)) return false;
  return state === undefined || jobState(shownCounts(job), job.held) === state;
}

function hasLabel(labels: Readonly<Record<string, string>>, asked: string): boolean {
  const equals = asked.indexOf('=');
  if (equals < 0) return Object.hasOwn(labels, asked);
  const name = asked.slice(0, equals);
  return Object.hasOwn(labels, name) && labels[name] === asked.slice(equals + 1);
}

function withPublication(s: Session, job: JobRow): Pick<JobView, 'publish'> {
  const publish = viewPublication(s, job);
  return publish === undefined ? {} : { publish };
}

function viewOf(s: Session, job: JobRow, slots: number): JobView {
  const counts = shownCounts(job);
  const retries = s
    .sql('SELECT id FROM jobs WHERE retry_of = ? AND acknowledged_at IS NOT NULL ORDER BY seq')
    .all(job.id);
  const operations = requestsOfJob(s, job.seq);
  return {
    id: job.id,
    name: job.name,
    owner: job.owner,
    labels: { ...job.labels },
    priority: job.priority,
    state: jobState(counts, job.held),
    tasks: job.size,
    counts,
    submittedAt: job.submittedAt,
    startedAt: job.startedAt,
    endedAt: job.endedAt,
    meanTaskMs: job.samples === 0 ? null : job.runMs / job.samples,
    expectedEndAt: expectedEnd(job, counts, slots),
    cancelReason: job.cancelReason,
    retryOf: job.retryOf,
    retriedBy: retries.map(({ id }) => id as string),
    held: job.held,
    ...withPublication(s, job),
    movedTo: job.movedTo,
    requests: { ...costOf(operations), operations },
  };
}

/** As if all slots were its own, from the last time a task of it ended. */
function expectedEnd(job: JobRow, counts: TaskCounts, slots: number): number | null {
  const left = OPEN_STATES.reduce((sum, state) => sum + counts[state], 0);
  const from = job.lastEndAt ?? job.startedAt;
  if (left === 0 || job.samples === 0 || slots === 0 || from === null) return null;
  return Math.ceil(from + (left / slots) * (job.runMs / job.samples));
}

function liveSlots(s: Session): number {
  const pools = s.sql('SELECT DISTINCT pool FROM boots WHERE ended IS NULL').all() as { pool: string }[];
  return pools.reduce((sum, { pool }) => sum + agentsOf(s, pool).slots, 0);
}

/** The range is what the index of ids can answer; any character that an id may hold is below the last one here. */
export const jobIds = (s: Session, prefix: string, limit: number): JobId[] =>
  s
    .sql('SELECT id FROM jobs WHERE id >= ? AND id < ? AND acknowledged_at IS NOT NULL ORDER BY id LIMIT ?')
    .all(prefix, `${prefix}\u{10ffff}`, limit)
    .map(({ id }) => id as JobId);

export function totals(s: Session): { tasks: TaskCounts; jobs: number } {
  const sums = TASK_STATES.map((state) => `coalesce(sum(${state}), 0) AS ${state}`);
  const pending = TERMINAL_STATES.map((state) => `coalesce(sum(pending_${state}), 0) AS pending_${state}`);
  const row = s
    .sql(
      `SELECT count(*) AS jobs, ${[...sums, ...pending].join(', ')} FROM jobs WHERE acknowledged_at IS NOT NULL`,
    )
    .get() as Record<string, number>;
  const tasks = Object.fromEntries(TASK_STATES.map((state) => [state, row[state] ?? 0])) as TaskCounts;
  for (const state of TERMINAL_STATES) {
    tasks[state] -= row[`pending_${state}`] ?? 0;
    tasks.running += row[`pending_${state}`] ?? 0;
  }
  return { tasks, jobs: row['jobs'] ?? 0 };
}

export function queuePosition(s: Session, job: JobRow): number | null {
  if (job.counts.ready === 0 || job.held) return null;
  const { before } = s
    .sql(
      `SELECT count(*) AS before FROM jobs
       WHERE ready > 0 AND held = 0 AND acknowledged_at IS NOT NULL AND (priority > ? OR (priority = ? AND seq < ?))`,
    )
    .get(job.priority, job.priority, job.seq) as { before: number };
  return before + 1;
}
