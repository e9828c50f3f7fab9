import { ClobiError } from '../../shared/errors.ts';
import type { JobId } from '../../shared/ids.ts';
import type { JobSpec } from '../../shared/job-spec.ts';
import {
  TASK_STATES,
  type TaskCounts,
  type TaskState,
  TERMINAL_STATES,
  type TerminalState,
} from '../../shared/task-state.ts';
import type { Session } from './session.ts';

/** A job's row in memory. `pending`: terminal tasks whose verdict is not exported. Whoever changes it calls `touchJob`. */
export interface JobRow {
  seq: number;
  id: JobId;
  name: string;
  owner: string;
  priority: number;
  labels: Record<string, string>;
  retryOf: string | null;
  itemSet: number | null;
  submittedAt: number;
  acknowledgedAt: number | null;
  held: boolean;
  queueDeadline: number | null;
  startedAt: number | null;
  lastEndAt: number | null;
  endedAt: number | null;
  cancelReason: string | null;
  movedTo: string | null;
  size: number;
  restState: TaskState;
  restFrom: number;
  restCount: number;
  restVerdict: number | null;
  restEndAt: number | null;
  counts: TaskCounts;
  pending: Record<TerminalState, number>;
  runMs: number;
  samples: number;
  events: number;
  spec: JobSpec | undefined;
}

export const stateNumber = (state: TaskState): number => TASK_STATES.indexOf(state);
export function stateOf(number: number): TaskState {
  const state = TASK_STATES[number];
  if (state === undefined) throw new ClobiError('INTERNAL', `There is no task state ${number}.`);
  return state;
}

type Columns = Record<string, string | number | null>;

const COLUMNS = `seq, id, name, owner, priority, labels, retry_of, item_set, submitted_at, acknowledged_at, held, queue_deadline, started_at,
  last_end_at, ended_at, cancel_reason, moved_to, size, rest_state, rest_from, rest_count, rest_verdict, rest_end_at,
  ${TASK_STATES.join(', ')}, ${TERMINAL_STATES.map((state) => `pending_${state}`).join(', ')}, run_ms, samples, events`;

export function jobById(s: Session, id: string): JobRow | undefined {
  const seq = s.jobSeqs.get(id);
  const known = seq === undefined ? undefined : s.jobs.get(seq);
  if (known !== undefined) return known;
  return keep(s, s.sql(`SELECT ${COLUMNS} FROM jobs WHERE id = ?`).get(id) as Columns | undefined);
}

export function jobBySeq(s: Session, seq: number): JobRow {
  const job =
    s.jobs.get(seq) ??
    keep(s, s.sql(`SELECT ${COLUMNS} FROM jobs WHERE seq = ?`).get(seq) as Columns | undefined);
  if (job === undefined) throw new ClobiError('INTERNAL', `There is no job number ${seq}.`);
  return job;
}

/** The job, which must be there and acknowledged. */
export function neededJob(s: Session, id: string): JobRow {
  const job = jobById(s, id);
  if (job === undefined || job.acknowledgedAt === null)
    throw new ClobiError('NOT_FOUND', `There is no job ${id}.`);
  return job;
}

export function specOf(s: Session, job: JobRow): JobSpec {
  if (job.spec === undefined) {
    const { spec } = s.sql('SELECT spec FROM jobs WHERE seq = ?').get(job.seq) as { spec: string };
    job.spec = JSON.parse(spec) as JobSpec;
  }
  return job.spec;
}

/** The row is written before the call that changed it returns. */
export const touchJob = (s: Session, job: JobRow): void => void s.dirtyJobs.add(job);

/** Terminal states as shown: those not yet exported count as running (R11). */
export function shownCounts(job: JobRow): TaskCounts {
  const counts = { ...job.counts };
  for (const state of TERMINAL_STATES) {
    counts[state] -= job.pending[state];
    counts.running += job.pending[state];
  }
  return counts;
}

export function writeJobs(s: Session): void {
  for (const job of s.dirtyJobs) {
    s.sql(UPDATE).run(
      job.acknowledgedAt,
      job.held ? 1 : 0,
      job.queueDeadline,
      job.startedAt,
      job.lastEndAt,
      job.endedAt,
      job.cancelReason,
      job.movedTo,
      job.size,
      stateNumber(job.restState),
      job.restFrom,
      job.restCount,
      job.restVerdict,
      job.restEndAt,
      ...TASK_STATES.map((state) => job.counts[state]),
      ...TERMINAL_STATES.map((state) => job.pending[state]),
      job.runMs,
      job.samples,
      job.events,
      job.seq,
    );
  }
  s.dirtyJobs.clear();
}

const UPDATE = `UPDATE jobs SET acknowledged_at = ?, held = ?, queue_deadline = ?, started_at = ?, last_end_at = ?, ended_at = ?,
  cancel_reason = ?, moved_to = ?, size = ?, rest_state = ?, rest_from = ?, rest_count = ?, rest_verdict = ?, rest_end_at = ?,
  ${TASK_STATES.map((state) => `${state} = ?`).join(', ')}, ${TERMINAL_STATES.map((state) => `pending_${state} = ?`).join(', ')},
  run_ms = ?, samples = ?, events = ? WHERE seq = ?`;

function keep(s: Session, row: Columns | undefined): JobRow | undefined {
  if (row === undefined) return undefined;
  const job = fromColumns(row);
  const known = s.jobs.get(job.seq);
  if (known !== undefined) return known;
  s.jobs.set(job.seq, job);
  s.jobSeqs.set(job.id, job.seq);
  return job;
}

function fromColumns(row: Columns): JobRow {
  const number = (name: string): number => row[name] as number;
  const maybe = (name: string): number | null => row[name] as number | null;
  return {
    seq: number('seq'),
    id: row['id'] as JobId,
    name: row['name'] as string,
    owner: row['owner'] as string,
    priority: number('priority'),
    labels: JSON.parse(row['labels'] as string) as Record<string, string>,
    retryOf: row['retry_of'] as string | null,
    itemSet: maybe('item_set'),
    submittedAt: number('submitted_at'),
    acknowledgedAt: maybe('acknowledged_at'),
    held: row['held'] === 1,
    queueDeadline: maybe('queue_deadline'),
    startedAt: maybe('started_at'),
    lastEndAt: maybe('last_end_at'),
    endedAt: maybe('ended_at'),
    cancelReason: row['cancel_reason'] as string | null,
    movedTo: row['moved_to'] as string | null,
    size: number('size'),
    restState: stateOf(number('rest_state')),
    restFrom: number('rest_from'),
    restCount: number('rest_count'),
    restVerdict: maybe('rest_verdict'),
    restEndAt: maybe('rest_end_at'),
    counts: Object.fromEntries(TASK_STATES.map((state) => [state, number(state)])) as TaskCounts,
    pending: Object.fromEntries(
      TERMINAL_STATES.map((state) => [state, number(`pending_${state}`)]),
    ) as JobRow['pending'],
    runMs: number('run_ms'),
    samples: number('samples'),
    events: number('events'),
    spec: undefined,
  };
}
