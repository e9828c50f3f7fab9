import type { JobSpec, RetryRule } from '../../shared/job-spec.ts';
import type { Outcome } from '../../shared/wire/event.ts';

type Retry = JobSpec['retry'];
export type Failure = Pick<Outcome, 'reason' | 'exitCode' | 'signal'>;

/** What follows from a failure: another try at `readyAt` (ms since 1970), or the end. */
export type AfterFailure = { again: true; readyAt: number } | { again: false };

/**
 * R6: the `failures`-th failure of a task, this one included. The job's first rule that fits decides whether it is worth
 * another try; without one it is, while `retry.limit` allows. `random` is in [0, 1).
 */
export function afterFailure(
  retry: Retry,
  failure: Failure,
  { failures, now, random }: { failures: number; now: number; random: number },
): AfterFailure {
  const rule = retry.rules.find((candidate) => fits(candidate, failure));
  if (rule?.action === 'fail' || failures > retry.limit) return { again: false };
  return { again: true, readyAt: now + backoffMs(retry.backoff, failures, random) };
}

/** R6: a loss uses up `retry.lost`, a counter of its own; there is no backoff, since the task is not to blame. */
export const mayRepeatLoss = (retry: Retry, losses: number): boolean => losses <= retry.lost;

/** Exponential with full jitter: anything between nothing and the ceiling, so that what failed together is not tried together. */
export function backoffMs(backoff: Retry['backoff'], failures: number, random: number): number {
  const ceiling = Math.min(backoff.maxMs, backoff.initialMs * backoff.factor ** (failures - 1));
  return Math.floor(ceiling * random);
}

/** All conditions that the rule names must hold; a rule that names none fits every failure. */
function fits(rule: RetryRule, { reason, exitCode, signal }: Failure): boolean {
  if (
    rule.exitCodes !== undefined &&
    !(reason === 'exit' && exitCode !== null && rule.exitCodes.includes(exitCode))
  )
    return false;
  if (
    rule.signals !== undefined &&
    !(reason === 'signal' && signal !== null && rule.signals.includes(signal))
  )
    return false;
  if (rule.timeout !== undefined && rule.timeout !== (reason === 'timeout')) return false;
  return rule.oom === undefined || rule.oom === (reason === 'oom');
}
