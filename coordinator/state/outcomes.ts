import { judgeLoss, judgeOutcome, type Judgement } from '../core/commit.ts';
import { mustFailFast } from '../core/fail-fast.ts';
import { parseAttemptId } from '../../shared/ids.ts';
import type { Outcome } from '../../shared/wire/event.ts';
import { attemptAt, type AttemptRow, endAttempt, insertAttempt } from './attempts.ts';
import { findBoot } from './boots.ts';
import { cancelOpen } from './cancelling.ts';
import { logEvent } from './events.ts';
import { jobById, type JobRow, specOf, touchJob } from './job-rows.ts';
import { noteRun } from './requests.ts';
import { revokeTask } from './revokes.ts';
import type { Work } from './session.ts';
import { moveTask, taskAt, type TaskRow } from './tasks.ts';
import { unitByUid } from './unit-rows.ts';

type Ended = Outcome & { parsed: { epoch: number; n: number } };

/** R5 for one outcome. Idempotent. An outcome of a job or task that is not there changes nothing. */
export function commitOutcome(w: Work, outcome: Outcome): void {
  const parsed = parseAttemptId(outcome.attempt);
  const job = jobById(w.s, outcome.job);
  const task = job === undefined ? undefined : taskAt(w.s, job, outcome.index);
  if (parsed === undefined || job === undefined || task === undefined) return;
  const judgement = judgeOutcome(task, { ...pick(outcome), attempt: parsed }, specOf(w.s, job).retry, {
    now: w.now,
    random: w.s.random(),
  });
  const ended = { ...outcome, parsed };
  if (judgement.kind === 'superseded') {
    recordSuperseded(w, job, task, ended);
    return;
  }
  if (judgement.counted === 'success') {
    commitSuccess(w, job, task, ended);
    return;
  }
  if (judgement.counted === 'failure') countRun(w, job, outcome);
  endBadly(w, { job, task, judgement, outcome, reason: outcome.reason ?? outcome.result });
}

const pick = ({ result, reason, exitCode, signal }: Outcome) => ({ result, reason, exitCode, signal });

const isNewest = (task: TaskRow, { epoch, n }: { epoch: number; n: number }): boolean =>
  task.epoch === epoch && task.n === n;
const isWithAgent = (task: TaskRow): boolean => task.state === 'dispatched' || task.state === 'running';

function commitSuccess(w: Work, job: JobRow, task: TaskRow, { parsed, ...outcome }: Ended): void {
  const { s } = w;
  const open = isWithAgent(task);
  if (open && isNewest(task, parsed)) {
    endAttempt(s, job, task, { result: 'succeeded', reason: null, at: w.now, outcome });
  } else {
    if (open && task.unit !== null) {
      endAttempt(s, job, task, {
        result: 'superseded',
        reason: `attempt ${outcome.attempt} succeeded`,
        at: w.now,
      });
      revokeTask(w, unitByUid(s, task.unit), task.idx);
    }
    showOldAttempt(w, job, task, { parsed, ...outcome });
  }
  countRun(w, job, outcome);
  task.run = outcome.run;
  task.agent = outcome.agent;
  task.reason = null;
  task.startedAt = outcome.startedAt;
  task.endedAt = outcome.endedAt;
  task.outputs = outcome.outputs.length;
  w.applied.committed += 1;
  moveTask(w, job, task, 'succeeded');
}

/** The success is of an attempt that had ended: it stays counted as it was, and its run becomes the visible one. */
function showOldAttempt(w: Work, job: JobRow, task: TaskRow, { parsed, ...outcome }: Ended): void {
  const before = attemptAt(w.s, job, task.idx, parsed);
  insertAttempt(w.s, job, task.idx, {
    ...(before ?? unknownAttempt(w, outcome, parsed)),
    result: before === undefined || before.result === 'superseded' ? 'succeeded' : before.result,
    agent: outcome.agent,
    run: outcome.run,
    startedAt: outcome.startedAt,
    outcome,
  });
}

/** An attempt that is in no row: of a coordinator's former life (R11). */
export const unknownAttempt = (
  { s, now, pool = '' }: Work,
  outcome: Outcome,
  { epoch, n }: { epoch: number; n: number },
): AttemptRow => ({
  epoch,
  n,
  unit: outcome.unit,
  pool: findBoot(s, outcome.agent, outcome.boot)?.pool ?? pool,
  agent: outcome.agent,
  run: outcome.run,
  result: 'superseded',
  reason: outcome.reason,
  dispatchedAt: outcome.startedAt,
  startedAt: outcome.startedAt,
  endedAt: now,
  outcome,
});

/** Measures the job's tasks: for the sizes of its units, and when it may be done. */
export function countRun({ s, now }: Work, job: JobRow, outcome: Outcome): void {
  job.runMs += Math.max(0, outcome.endedAt - outcome.startedAt);
  job.samples += 1;
  noteRun(s, job, outcome.unit);
  job.startedAt ??= Math.max(job.submittedAt, Math.min(now, outcome.startedAt));
  touchJob(s, job);
}

interface BadEnd {
  job: JobRow;
  task: TaskRow;
  judgement: Exclude<Judgement, { kind: 'superseded' } | { counted: 'success' }>;
  reason: string;
  outcome?: Outcome;
}

/** Counts a failure or a loss, which ends the attempt in the same transaction (R5), and does what follows from it (R6). */
function endBadly(w: Work, { job, task, judgement, reason, outcome }: BadEnd): void {
  const { s, now, applied } = w;
  const failed = judgement.counted === 'failure';
  endAttempt(s, job, task, {
    result: failed ? 'failed' : 'lost',
    reason,
    at: now,
    ...(outcome && { outcome }),
  });
  if (failed) {
    task.failures += 1;
    applied.failures += 1;
  } else {
    task.losses += 1;
    applied.losses += 1;
  }
  if (outcome !== undefined) {
    task.run = outcome.run;
    task.agent = outcome.agent;
    task.startedAt = outcome.startedAt;
  }
  task.reason = reason;
  logEvent(s, job, {
    at: now,
    type: failed ? 'failed' : 'lost',
    task: task.idx,
    text: describeEnd(task, judgement, reason, outcome),
  });
  if (judgement.kind === 'again') {
    task.readyAt = judgement.readyAt;
    moveTask(w, job, task, judgement.state);
    return;
  }
  // A lost task has no visible run: what its runs did is not known.
  if (judgement.state === 'lost') task.run = null;
  else if (outcome !== undefined) {
    task.endedAt = outcome.endedAt;
    task.outputs = outcome.outputs.length;
  }
  applied.committed += 1;
  moveTask(w, job, task, judgement.state);
  if (mustFailFast(specOf(s, job).failFast, job.counts, job.size)) cancelOpen(w, job, 'failFast');
}

function describeEnd(
  task: TaskRow,
  judgement: BadEnd['judgement'],
  reason: string,
  outcome?: Outcome,
): string {
  const what = judgement.counted === 'failure' ? describeFailure(outcome, reason) : `was lost (${reason})`;
  const by = outcome === undefined ? '' : ` on ${outcome.agent}`;
  const next = judgement.kind === 'end' ? `the task is ${judgement.state}` : 'it is tried again';
  return `attempt ${task.epoch}.${task.n}${by} ${what}; ${next}`;
}

function describeFailure(outcome: Outcome | undefined, reason: string): string {
  if (outcome?.reason === 'exit') return `ended with exit code ${outcome.exitCode ?? '?'}`;
  if (outcome?.reason === 'signal') return `was ended by ${outcome.signal ?? 'a signal'}`;
  return `failed: ${outcome?.message ?? reason}`;
}

export function loseTask(w: Work, job: JobRow, task: TaskRow, reason: string): void {
  const judgement = judgeLoss(task, specOf(w.s, job).retry, w.now);
  if (judgement.kind !== 'superseded' && judgement.counted !== 'success')
    endBadly(w, { job, task, judgement, reason });
}

/** Late, doubled or of an old attempt: kept for people to read where there is room, counted once. */
function recordSuperseded(w: Work, job: JobRow, task: TaskRow, { parsed, ...outcome }: Ended): void {
  const { s } = w;
  const before = attemptAt(s, job, task.idx, parsed);
  if (before?.outcome?.run === outcome.run) return;
  if (before === undefined) {
    if (task.fromRest) return;
    insertAttempt(s, job, task.idx, unknownAttempt(w, outcome, parsed));
  } else if (before.outcome === null) {
    insertAttempt(s, job, task.idx, {
      ...before,
      outcome,
      agent: outcome.agent,
      run: outcome.run,
      startedAt: outcome.startedAt,
    });
    // What was told to stop by a cancel, and did.
    if (outcome.result === 'cancelled' && before.result === 'cancelled') return;
  }
  w.applied.superseded += 1;
  const text = `run ${outcome.run} on ${outcome.agent} ${outcome.result}, which no longer counts: the task is ${task.state}`;
  logEvent(s, job, { at: w.now, type: 'superseded', task: task.idx, text });
}
