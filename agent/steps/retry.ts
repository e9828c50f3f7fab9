import { pause } from '../../shared/clock.ts';
import { ClobiError } from '../../shared/errors.ts';

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 10_000;
const GIVE_UP_AFTER_MS = 120_000;

/** Repeats what failed for a reason that may pass, with growing pauses, for two minutes; then rejects with the last error. */
export async function withRetries<T>(
  call: () => Promise<T>,
  { signal }: { signal?: AbortSignal } = {},
): Promise<T> {
  const end = performance.now() + GIVE_UP_AFTER_MS;
  for (let attempt = 0; ; attempt += 1) {
    signal?.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      const wait = Math.min(FIRST_PAUSE_MS * 2 ** attempt, LONGEST_PAUSE_MS) * (0.5 + Math.random() / 2);
      if ((error instanceof ClobiError && !error.retryable) || performance.now() + wait > end) throw error;
      await pause(wait, signal);
    }
  }
}
