import { ClobiError } from '../../shared/errors.ts';
import type { JobId } from '../../shared/ids.ts';
import { type CompiledMatrix, compileMatrix } from '../../shared/job-file/matrix.ts';
import type { JobSpec } from '../../shared/job-spec.ts';
import { cancelNamed, cancelOpen, cancelUnstarted } from './cancelling.ts';
import { settle } from './dependents.ts';
import { logEvent } from './events.ts';
import { itemReader } from './items.ts';
import { jobById, jobBySeq, type JobRow, neededJob, specOf, stateNumber, touchJob } from './job-rows.ts';
import { nothingApplied, type Session } from './session.ts';
import type { JobState, NewJob } from './store.ts';
import { insertTask } from './tasks.ts';

/** Submit (R1), hold, cancel (R8). */
export const jobState = (s: Session): JobState => {
  const params = paramsReader(s);
  return {
    stageJob: (job) => s.transaction(() => stageJob(s, job)),
    acknowledgeJob: (job, now) => s.transaction(() => acknowledge(s, job, now)),
    stagedJobs: () => stagedJobs(s),
    releaseJob: (job, now) => s.transaction(() => release(s, job, now)),
    spec: (id) => {
      const job = jobById(s, id);
      return job === undefined ? undefined : specOf(s, job);
    },
    itemSet: (id) => jobById(s, id)?.itemSet ?? null,
    params,
    cancel: (id, tasks, reason, now) =>
      s.transaction(() => {
        const w = { s, now, applied: nothingApplied() };
        const job = neededJob(s, id);
        return tasks === null ? cancelOpen(w, job, reason) : cancelNamed(w, job, tasks, reason);
      }),
    cancelOverdue: (now) => s.transaction(() => cancelOverdue(s, now)),
  };
};

function stageJob(s: Session, job: NewJob): { job: JobId; created: boolean; acknowledged: boolean } {
  const { spec } = job;
  const known = jobById(s, job.id) ?? jobByKey(s, spec);
  if (known !== undefined)
    return { job: known.id, created: false, acknowledged: known.acknowledgedAt !== null };
  insertDependencies(s, insertJob(s, job), spec, (upstream) => {
    throw new ClobiError(
      'INVALID_JOB',
      `The job depends on ${upstream}, which does not exist. Submit that job first.`,
    );
  });
  return { job: job.id, created: true, acknowledged: false };
}

export function jobByKey(s: Session, { owner, idempotencyKey }: JobSpec): JobRow | undefined {
  if (idempotencyKey === undefined) return undefined;
  const row = s.sql('SELECT id FROM jobs WHERE owner = ? AND idempotency_key = ?').get(owner, idempotencyKey);
  return row === undefined ? undefined : jobById(s, row['id'] as string);
}

/** The row of a job; returns its number. Its tasks are its rest, but for a retry: that has a row for each. */
export function insertJob(s: Session, { id, spec, specSha256, itemSet, submittedAt }: NewJob): number {
  const state = spec.depends.length > 0 ? 'blocked' : 'ready';
  const indices = spec.retryOf?.indices;
  const size = indices?.length ?? spec.tasks.count;
  const rest = indices === undefined ? { from: 0, count: size } : { from: size, count: 0 };
  const deadline = spec.timeout.queueMs === null ? null : submittedAt + spec.timeout.queueMs;
  const { lastInsertRowid } = s
    .sql(INSERT)
    .run(
      id,
      spec.name,
      spec.owner,
      spec.priority,
      JSON.stringify(spec.labels),
      JSON.stringify(spec),
      specSha256,
      spec.idempotencyKey ?? null,
      spec.retryOf?.job ?? null,
      itemSet,
      submittedAt,
      spec.hold ? 1 : 0,
      deadline,
      size,
      stateNumber(state),
      rest.from,
      rest.count,
      state === 'blocked' ? size : 0,
      state === 'ready' ? size : 0,
    );
  const seq = Number(lastInsertRowid);
  for (const index of indices ?? []) insertTask(s, seq, index, state);
  return seq;
}

/** Whom the job waits for. */
export function insertDependencies(
  s: Session,
  seq: number,
  { depends }: JobSpec,
  onMissing: (upstream: string) => void,
): void {
  for (const { job } of depends) {
    const upstream = jobById(s, job);
    if (upstream === undefined) onMissing(job);
    else s.sql('INSERT OR IGNORE INTO dependencies(upstream, job) VALUES (?, ?)').run(upstream.seq, seq);
  }
}

const INSERT = `INSERT INTO jobs(id, name, owner, priority, labels, spec, spec_sha256, idempotency_key, retry_of, item_set, submitted_at, held, queue_deadline,
    size, rest_state, rest_from, rest_count, blocked, ready, dispatched, running, backoff, succeeded, failed, cancelled, lost,
    pending_succeeded, pending_failed, pending_cancelled, pending_lost, run_ms, samples, events)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)`;

function acknowledge(s: Session, id: JobId, now: number): void {
  const job = jobById(s, id);
  if (job === undefined) throw new ClobiError('NOT_FOUND', `There is no job ${id}.`);
  if (job.acknowledgedAt !== null) return;
  job.acknowledgedAt = now;
  touchJob(s, job);
  logEvent(s, job, { at: now, type: 'submitted', text: `${job.size} tasks${job.held ? ', held' : ''}` });
  settle({ s, now, applied: nothingApplied() }, job);
}

function stagedJobs(s: Session): NewJob[] {
  const rows = s
    .sql(
      'SELECT id, spec, spec_sha256, item_set, submitted_at FROM jobs WHERE acknowledged_at IS NULL ORDER BY seq',
    )
    .all();
  return rows.map((row) => ({
    id: row['id'] as JobId,
    spec: JSON.parse(row['spec'] as string) as JobSpec,
    specSha256: row['spec_sha256'] as string,
    itemSet: row['item_set'] as number | null,
    submittedAt: row['submitted_at'] as number,
  }));
}

function release(s: Session, id: JobId, now: number): void {
  const job = neededJob(s, id);
  if (!job.held) return;
  job.held = false;
  touchJob(s, job);
  logEvent(s, job, { at: now, type: 'released', text: 'the job may be dispatched' });
}

/** Reads the parameters of tasks; remembers the chunk of items and the matrix read last. */
function paramsReader(s: Session): JobState['params'] {
  const readItem = itemReader(s);
  let matrix: { job: JobId; compiled: CompiledMatrix } | undefined;
  return (id, index) => {
    const job = jobById(s, id);
    if (job === undefined) return undefined;
    const { tasks } = specOf(s, job);
    if (tasks.kind === 'count') return undefined;
    if (tasks.kind === 'items') return job.itemSet === null ? undefined : readItem(job.itemSet, index);
    if (matrix?.job !== id) matrix = { job: id, compiled: compileMatrix(tasks.matrix) };
    return index < tasks.count ? { matrix: matrix.compiled.at(index) } : undefined;
  };
}

function cancelOverdue(s: Session, now: number): number {
  const rows = s
    .sql('SELECT seq FROM jobs WHERE queue_deadline IS NOT NULL AND queue_deadline <= ?')
    .all(now) as { seq: number }[];
  let cancelled = 0;
  for (const { seq } of rows) {
    const job = jobBySeq(s, seq);
    if (job.acknowledgedAt === null) continue;
    job.queueDeadline = null;
    touchJob(s, job);
    cancelled += cancelUnstarted({ s, now, applied: nothingApplied() }, job, 'timeout.queue');
  }
  return cancelled;
}
