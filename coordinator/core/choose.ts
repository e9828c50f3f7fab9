/** A pool that may run a job's task, as the choice between pools sees it. */
export interface Choice {
  /** How many of the job's preferences it meets. */
  liked: number;
  /** When a task given to it now would be done, in ms from now; infinite without a live agent. */
  finishMs: number;
  pricePerCpuHour: number;
}

/**
 * Which pool gets the next unit (DESIGN §7): of those that the job likes most, the one that would be done first; within
 * `alikeMs` of that the cheapest. Pools that cannot be told apart are taken in their order. Undefined for none.
 */
export function choosePlace<T extends Choice>(choices: readonly T[], alikeMs: number): T | undefined {
  let liked = Number.NEGATIVE_INFINITY;
  let earliest = Number.POSITIVE_INFINITY;
  for (const choice of choices) {
    if (choice.liked < liked) continue;
    earliest = choice.liked > liked ? choice.finishMs : Math.min(earliest, choice.finishMs);
    liked = choice.liked;
  }
  let best: T | undefined;
  for (const choice of choices) {
    if (choice.liked < liked || choice.finishMs > earliest + alikeMs) continue;
    if (best === undefined || isBetter(choice, best)) best = choice;
  }
  return best;
}

const isBetter = (one: Choice, other: Choice): boolean =>
  one.pricePerCpuHour < other.pricePerCpuHour ||
  (one.pricePerCpuHour === other.pricePerCpuHour && one.finishMs < other.finishMs);

/** All of them, in the order in which they would be chosen. */
export function rankPlaces<T extends Choice>(choices: readonly T[], alikeMs: number): T[] {
  const left = [...choices];
  const ranked: T[] = [];
  for (let next = choosePlace(left, alikeMs); next !== undefined; next = choosePlace(left, alikeMs)) {
    ranked.push(next);
    left.splice(left.indexOf(next), 1);
  }
  return ranked;
}

/** When one more task of this length would be done in a pool with so much work before it. */
export const finishOf = (workMs: number, slots: number, taskMs: number): number =>
  slots === 0 ? Number.POSITIVE_INFINITY : workMs / slots + taskMs;
