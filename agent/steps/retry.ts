import { pause } from '../../shared/clock.ts';
import { ClobiError } from '../../shared/errors.ts';
import { troubleOf } from '../../shared/providers/trouble.ts';

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 10_000;
const GIVE_UP_AFTER_MS = 120_000;
/** What a task has made is worth more than the slot that it keeps. */
const HOLD_MS = 3600_000;

export interface RetryOptions {
  signal?: AbortSignal;
  /** It is the result of work: an hour, not two minutes. */
  isResult?: boolean;
}

/**
 * Repeats what failed for a reason that may pass, with growing pauses; then rejects with the last error. Credentials that are
 * refused may have run out a moment ago and be renewed in the next: they are no reason to lose a run.
 */
export async function withRetries<T>(
  call: () => Promise<T>,
  { signal, isResult = false }: RetryOptions = {},
): Promise<T> {
  const end = performance.now() + (isResult ? HOLD_MS : GIVE_UP_AFTER_MS);
  for (let attempt = 0; ; attempt += 1) {
    signal?.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      const wait = Math.min(FIRST_PAUSE_MS * 2 ** attempt, LONGEST_PAUSE_MS) * (0.5 + Math.random() / 2);
      if (!mayPass(error) || performance.now() + wait > end) throw error;
      await pause(wait, signal);
    }
  }
}

function mayPass(error: unknown): boolean {
  if (!(error instanceof ClobiError)) return true;
  return error.retryable || ['auth', 'quota'].includes(troubleOf(error));
}
