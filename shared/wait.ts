import { pause } from './clock.ts';

/** Asks until the answer is neither undefined nor false; fails with `what` after the deadline. */
export async function waitFor<T>(
  what: string,
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  deadlineMs = 120_000,
): Promise<T> {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() > end) throw new Error(`not within ${String(deadlineMs)} ms: ${what}`);
    await pause(25);
  }
}
