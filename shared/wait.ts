import { pause } from './clock.ts';

/** Answers that come soon are seen soon; what takes long is not asked for so often that asking takes the machine. */
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 200;
const GROWTH = 1.25;

/** Asks until the answer is neither undefined nor false; fails with `what` after the deadline. */
export async function waitFor<T>(
  what: string,
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  deadlineMs = 120_000,
): Promise<T> {
  const end = Date.now() + deadlineMs;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * GROWTH)) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() > end) throw new Error(`not within ${String(deadlineMs)} ms: ${what}`);
    await pause(pauseMs);
  }
}
