import { isPlanted } from '../../shared/fault.ts';
import type { JobSpec } from '../../shared/job-spec.ts';
import { isTerminal, type TaskState } from '../../shared/task-state.ts';
import type { Outcome } from '../../shared/wire/event.ts';
import { afterFailure, mayRepeatLoss } from './retry.ts';

/** What the judge must know of a task. `epoch` and `n` name its newest attempt. */
export interface TaskFacts {
  state: TaskState;
  epoch: number;
  n: number;
  failures: number;
  losses: number;
}

/** `end`: the task is over. `again`: it goes back. `counted`: what the attempt was counted as; `losses`, `failures` include it. */
export type Judgement =
  | { kind: 'superseded' }
  | { kind: 'end'; state: 'succeeded'; counted: 'success' }
  | { kind: 'end'; state: 'failed'; counted: 'failure' }
  | { kind: 'end'; state: 'lost'; counted: 'loss' }
  | { kind: 'again'; state: 'ready' | 'backoff'; readyAt: number; counted: 'failure' | 'loss' };

interface Now {
  now: number;
  /** In [0, 1). */
  random: number;
}

/**
 * R5: a success ends any open task. A failure counts only if the task is dispatched or running in exactly that attempt.
 * Everything else is superseded. An agent that stopped a run by itself has lost it: that is no failure of the task.
 */
export function judgeOutcome(
  task: TaskFacts,
  outcome: Pick<Outcome, 'result' | 'reason' | 'exitCode' | 'signal'> & {
    attempt: { epoch: number; n: number };
  },
  retry: JobSpec['retry'],
  { now, random }: Now,
): Judgement {
  if (isTerminal(task.state) && !isPlanted('commit-after-terminal')) return { kind: 'superseded' };
  if (outcome.result === 'succeeded') return { kind: 'end', state: 'succeeded', counted: 'success' };
  if (!isOpenAttempt(task, outcome.attempt)) return { kind: 'superseded' };
  if (outcome.result === 'cancelled') return judgeLoss(task, retry, now);
  const next = afterFailure(retry, outcome, { failures: task.failures + 1, now, random });
  if (!next.again) return { kind: 'end', state: 'failed', counted: 'failure' };
  return { kind: 'again', state: 'backoff', readyAt: next.readyAt, counted: 'failure' };
}

/** R6: the task's open attempt is lost. */
export function judgeLoss(task: TaskFacts, retry: JobSpec['retry'], now: number): Judgement {
  const losses = isPlanted('losses-not-counted') ? task.losses : task.losses + 1;
  if (!mayRepeatLoss(retry, losses)) return { kind: 'end', state: 'lost', counted: 'loss' };
  return { kind: 'again', state: 'ready', readyAt: now, counted: 'loss' };
}

/** True when the task is dispatched or running in exactly this attempt. */
function isOpenAttempt(task: TaskFacts, attempt: { epoch: number; n: number }): boolean {
  if (isPlanted('old-failure-counted'))
    return task.state !== 'blocked' && task.state !== 'ready' && task.state !== 'backoff';
  return (
    (task.state === 'dispatched' || task.state === 'running') &&
    task.epoch === attempt.epoch &&
    task.n === attempt.n
  );
}
