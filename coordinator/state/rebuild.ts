import { parseAttemptId } from '../../shared/ids.ts';
import { isTerminal } from '../../shared/task-state.ts';
import type { Outcome } from '../../shared/wire/event.ts';
import type { Verdict } from '../../shared/wire/verdict.ts';
import { insertAttempt } from './attempts.ts';
import { cancelNamed, cancelOpen } from './cancelling.ts';
import { settle } from './dependents.ts';
import { jobById, jobBySeq, type JobRow, specOf, touchJob } from './job-rows.ts';
import { insertDependencies, insertJob, jobByKey } from './jobs.ts';
import { commitOutcome, countRun, unknownAttempt } from './outcomes.ts';
import { wasIn } from './over-marks.ts';
import { publishAgain } from './publications.ts';
import { nothingApplied, type Session, type Work } from './session.ts';
import type { RebuildState } from './store.ts';
import { moveTask, restTask, saveTask, taskAt, type TaskRow, listedTasks } from './tasks.ts';
import { noteEnd } from './verdicts.ts';

const CHUNK = 10_000;

/** R11: an empty state is filled from the facts in the store: specs, verdicts, segments, cancels, in this order. */
export const rebuildState = (s: Session): RebuildState => ({
  restoreJob: (job) =>
    s.transaction(() => {
      if (jobById(s, job.id) !== undefined) return;
      // Two jobs with one key: the second was submitted when the first had been forgotten. Both were acknowledged.
      const { idempotencyKey, ...keyless } = job.spec;
      const isKnown = idempotencyKey !== undefined && jobByKey(s, job.spec) !== undefined;
      insertJob(s, isKnown ? { ...job, spec: keyless } : job);
      const row = jobById(s, job.id);
      if (row === undefined) return;
      // Its spec object is there, so it may have been acknowledged.
      row.acknowledgedAt = job.submittedAt;
      touchJob(s, row);
    }),
  restoreVerdicts: (verdicts) =>
    s.transaction(() => {
      for (const verdict of verdicts) restoreVerdict(s, verdict);
    }),
  restoreOutcomes: (outcomes, pool, now) =>
    s.transaction(() => {
      for (const outcome of outcomes) restoreOutcome({ s, now, applied: nothingApplied(), pool }, outcome);
    }),
  restoreCancel: (id, tasks, reason, now) =>
    s.transaction(() => {
      const job = jobById(s, id);
      if (job === undefined) return;
      const w = { s, now, applied: nothingApplied() };
      if (tasks === null) cancelOpen(w, job, reason);
      else cancelNamed(w, job, tasks, reason);
    }),
  finishRebuild: (now, pools = []) =>
    s.transaction(() => finish({ s, now, applied: nothingApplied() }, pools)),
});

function restoreVerdict(s: Session, verdict: Verdict): void {
  const job = jobById(s, verdict.job);
  if (job === undefined) return;
  if (verdict.to !== undefined) {
    restoreRange(s, job, { ...verdict, to: verdict.to });
    return;
  }
  const task = taskAt(s, job, verdict.index);
  if (task !== undefined && !isTerminal(task.state)) setFinal(s, job, task, verdict);
}

/** The verdict is a fact, however the task stood here: the one change of state that is no move. */
function setFinal(s: Session, job: JobRow, task: TaskRow, verdict: Verdict): void {
  job.counts[task.state] -= 1;
  job.counts[verdict.state] += 1;
  job.lastEndAt = Math.max(job.lastEndAt ?? 0, verdict.at);
  touchJob(s, job);
  task.state = verdict.state;
  task.run = verdict.run as TaskRow['run'];
  task.reason = verdict.reason;
  task.endedAt = verdict.at;
  // It is in an object already.
  task.verdict = 0;
  saveTask(s, job, task);
}

/** Never dispatched, and cancelled together: from here on each has its row. */
function restoreRange(s: Session, job: JobRow, verdict: Verdict & { to: number }): void {
  job.cancelReason ??= verdict.reason;
  for (let index = verdict.index; index <= verdict.to; index += 1) {
    const task = taskAt(s, job, index);
    if (task !== undefined && !isTerminal(task.state)) setFinal(s, job, task, verdict);
  }
}

function restoreOutcome(w: Work, outcome: Outcome): void {
  const { s } = w;
  const job = jobById(s, outcome.job);
  const task = job === undefined ? undefined : taskAt(s, job, outcome.index);
  const attempt = parseAttemptId(outcome.attempt);
  if (job === undefined || task === undefined || attempt === undefined) return;
  // A later attempt of this task must get a higher number than any that was ever given.
  if (!isTerminal(task.state) && attempt.n > task.n) {
    task.n = attempt.n;
    task.epoch = attempt.epoch;
    if (task.state === 'ready' || task.state === 'blocked') saveTask(s, job, task);
  }
  if (isTerminal(task.state) && task.run === outcome.run) {
    describeVisible(w, { job, task, outcome, attempt });
    return;
  }
  commitOutcome(w, outcome);
}

interface Visible {
  job: JobRow;
  task: TaskRow;
  outcome: Outcome;
  attempt: { epoch: number; n: number };
}

/** The run that the verdict names: its details come back. */
function describeVisible(w: Work, { job, task, outcome, attempt }: Visible): void {
  if (task.agent !== null) return;
  const result = task.state === 'succeeded' ? 'succeeded' : 'failed';
  insertAttempt(w.s, job, task.idx, {
    ...unknownAttempt(w, outcome, attempt),
    endedAt: outcome.endedAt,
    result,
  });
  task.epoch = attempt.epoch;
  task.n = attempt.n;
  task.failures = result === 'failed' ? 1 : 0;
  task.agent = outcome.agent;
  task.startedAt = outcome.startedAt;
  task.endedAt = outcome.endedAt;
  task.outputs = outcome.outputs.length;
  saveTask(w.s, job, task);
  countRun(w, job, outcome);
}

function finish(w: Work, pools: readonly string[]): { open: number; lost: number } {
  const total = { open: 0, lost: 0 };
  const rows = w.s.sql('SELECT seq FROM jobs ORDER BY seq').all() as { seq: number }[];
  for (const { seq } of rows) {
    const job = jobBySeq(w.s, seq);
    // What depends on a job that could not be restored is cancelled below: it can never be known whether that held.
    insertDependencies(w.s, seq, specOf(w.s, job), () => undefined);
    restartQueueTime(w, job);
    // Where its units went is forgotten, and messages of them may still be there.
    for (const pool of pools) wasIn(w.s, job, pool);
    noteEnd(w, job);
  }
  for (const { seq } of rows) {
    const job = jobBySeq(w.s, seq);
    settle(w, job);
    publishAgain(w.s, job, w.now);
    if (specOf(w.s, job).retry.lost === 0) total.lost += loseReady(w, job);
    const { ready, blocked } = job.counts;
    total.open += ready + blocked;
  }
  return total;
}

/** `timeout.queue` is for tasks that never started, and which of the open ones did is forgotten: their time begins anew. */
function restartQueueTime({ s, now }: Work, job: JobRow): void {
  const { queueMs } = specOf(s, job).timeout;
  if (queueMs === null) return;
  job.queueDeadline = now + queueMs;
  touchJob(s, job);
}

/** What is ready may have been running; with `retry.lost: 0` it must not be started again. What is blocked never was. */
function loseReady(w: Work, job: JobRow): number {
  let lost = 0;
  while (job.restState === 'ready' && job.restCount > 0) {
    const task = taskAt(w.s, job, job.restFrom) ?? restTask(job, job.restFrom);
    if (!task.fromRest) job.restFrom += 1;
    else lost += loseOne(w, job, task);
  }
  for (let tasks = nextReady(w, job); tasks.length > 0; tasks = nextReady(w, job)) {
    for (const task of tasks) lost += loseOne(w, job, task);
  }
  return lost;
}

const nextReady = ({ s }: Work, job: JobRow): TaskRow[] =>
  listedTasks(s, job, 'ready', { after: -1, limit: CHUNK });

function loseOne(w: Work, job: JobRow, task: TaskRow): number {
  task.losses = 1;
  task.reason = 'the state was rebuilt, and retry.lost is 0';
  moveTask(w, job, task, 'lost');
  return 1;
}
