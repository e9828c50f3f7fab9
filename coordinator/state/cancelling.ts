import { isOverdue, mayCancel, needsRevoke } from '../core/cancel.ts';
import { endAttempt } from './attempts.ts';
import { logEvent } from './events.ts';
import { type JobRow, stateNumber, touchJob } from './job-rows.ts';
import { revokeTask, revokeUnit } from './revokes.ts';
import type { TaskState } from '../../shared/task-state.ts';
import type { Session, Work } from './session.ts';
import { moveTask, taskAt, type TaskRow, listedTasks } from './tasks.ts';
import { tasksOfUnit, unitByUid, type UnitRecord } from './unit-rows.ts';

const CHUNK = 10_000;

/** R8: ends every open task of the job as cancelled. Returns how many. */
export function cancelOpen(w: Work, job: JobRow, reason: string): number {
  let cancelled = cancelRest(w, job);
  for (const state of ['blocked', 'ready', 'backoff'] as const)
    cancelled += cancelListed(w, job, state, { reason });
  for (const unit of openUnits(w.s, job)) cancelled += cancelUnit(w, job, unit, reason);
  // In a rebuild the verdicts of the cancelled tasks are there before the request is.
  if (job.counts.cancelled > 0) {
    job.cancelReason ??= reason;
    touchJob(w.s, job);
  }
  if (cancelled > 0)
    logEvent(w.s, job, { at: w.now, type: 'cancelled', text: `${cancelled} tasks are cancelled: ${reason}` });
  return cancelled;
}

/** Ends the named tasks as cancelled where they are open. */
export function cancelNamed(w: Work, job: JobRow, indices: readonly number[], reason: string): number {
  let cancelled = 0;
  for (const index of indices) {
    const task = taskAt(w.s, job, index);
    if (task !== undefined) cancelled += cancelTask(w, job, task, reason);
  }
  if (cancelled > 0)
    logEvent(w.s, job, { at: w.now, type: 'cancelled', text: `${cancelled} tasks are cancelled: ${reason}` });
  return cancelled;
}

/** Ends as cancelled every blocked task of the job: what it depends on can no longer hold. */
export function cancelBlocked(w: Work, job: JobRow, reason: string): number {
  const rest = job.restState === 'blocked' ? cancelRest(w, job) : 0;
  const cancelled = rest + cancelListed(w, job, 'blocked', { reason });
  if (cancelled > 0) job.cancelReason ??= reason;
  return cancelled;
}

/** `timeout.queue`: ends as cancelled whatever has not started once. */
export function cancelUnstarted(w: Work, job: JobRow, reason: string): number {
  let cancelled = cancelRest(w, job);
  for (const state of ['blocked', 'ready', 'backoff'] as const)
    cancelled += cancelListed(w, job, state, { reason, only: isUnstarted });
  for (const unit of openUnits(w.s, job)) {
    for (const task of openTasks(w.s, job, unit))
      if (isUnstarted(task)) cancelled += cancelTask(w, job, task, reason);
  }
  if (cancelled > 0) {
    job.cancelReason ??= reason;
    logEvent(w.s, job, { at: w.now, type: 'cancelled', text: `${cancelled} tasks are cancelled: ${reason}` });
  }
  return cancelled;
}

const isUnstarted = (task: TaskRow): boolean =>
  isOverdue({ state: task.state, everStarted: task.startedAt !== null });

export function cancelTask(w: Work, job: JobRow, task: TaskRow, reason: string): number {
  if (!mayCancel(task.state)) return 0;
  if (needsRevoke(task.state) && task.unit !== null) revokeTask(w, unitByUid(w.s, task.unit), task.idx);
  endCancelled(w, job, task, reason);
  return 1;
}

/** Everything of the unit that is open, under one revoke. */
function cancelUnit(w: Work, job: JobRow, unit: UnitRecord, reason: string): number {
  const tasks = openTasks(w.s, job, unit);
  revokeUnit(w, unit);
  for (const task of tasks) endCancelled(w, job, task, reason);
  return tasks.length;
}

function endCancelled(w: Work, job: JobRow, task: TaskRow, reason: string): void {
  if (needsRevoke(task.state)) endAttempt(w.s, job, task, { result: 'cancelled', reason, at: w.now });
  task.run = null;
  task.reason = reason;
  task.endedAt = w.now;
  moveTask(w, job, task, 'cancelled');
}

/** All tasks without a row at once, at the cost of one. */
function cancelRest({ s, now, applied }: Work, job: JobRow): number {
  const count = job.restCount;
  if (count === 0 || !mayCancel(job.restState)) return 0;
  job.counts[job.restState] -= count;
  job.counts.cancelled += count;
  job.pending.cancelled += count;
  job.restState = 'cancelled';
  s.lastVerdict += 1;
  job.restVerdict = s.lastVerdict;
  job.restEndAt = now;
  job.lastEndAt = now;
  touchJob(s, job);
  s.sql('INSERT INTO outbox(seq, job, idx, state, count) VALUES (?, ?, -1, ?, ?)').run(
    job.restVerdict,
    job.seq,
    stateNumber('cancelled'),
    count,
  );
  applied.verdicts = true;
  return count;
}

interface Which {
  reason: string;
  only?: (task: TaskRow) => boolean;
}

/** In chunks, so that a million rows are never in memory at once. */
function cancelListed(w: Work, job: JobRow, state: TaskState, { reason, only = () => true }: Which): number {
  let cancelled = 0;
  for (let after = -1; ; ) {
    const tasks = listedTasks(w.s, job, state, { after, limit: CHUNK });
    for (const task of tasks) if (only(task)) cancelled += cancelTask(w, job, task, reason);
    const last = tasks.at(-1);
    if (last === undefined || tasks.length < CHUNK) return cancelled;
    after = last.idx;
  }
}

/** The job's units that have a task dispatched or running. */
function openUnits(s: Session, job: JobRow): UnitRecord[] {
  const rows = s.sql('SELECT uid FROM units WHERE job = ? AND open > 0').all(job.seq) as { uid: number }[];
  return rows.map(({ uid }) => unitByUid(s, uid)).filter(({ open }) => open > 0);
}

const openTasks = (s: Session, job: JobRow, { uid }: UnitRecord): TaskRow[] =>
  tasksOfUnit(s, uid)
    .map(({ index }) => taskAt(s, job, index))
    .filter((task) => task?.unit === uid && needsRevoke(task.state)) as TaskRow[];
