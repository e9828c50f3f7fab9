const FIRST_POLL_MS = 50;
const SLOWEST_POLL_MS = 1_000;

/**
 * Time to the next look at a queue that was found empty so often in a row: doubles up to a second. `random` (from 0 to 1) keeps
 * many receivers from looking all at once.
 */
export const pollDelayMs = (idlePolls: number, random: number): number =>
  Math.min(SLOWEST_POLL_MS, FIRST_POLL_MS * 2 ** Math.min(10, idlePolls)) * (0.5 + random / 2);
