import { isTerminal, type TaskCounts, type TaskState } from '../../shared/task-state.ts';

/** Where a dependency stands. `open`: not known yet. `broken`: it can never hold. */
export type DependencyState = 'open' | 'holds' | 'broken';

/** By job: holds when all tasks ended as asked. `counts` are what is shown: a state counts only once exported (R11). */
export function byJob(after: 'success' | 'end', counts: TaskCounts, size: number): DependencyState {
  const over = counts.succeeded + counts.failed + counts.cancelled + counts.lost;
  if (over < size) return 'open';
  return after === 'end' || counts.succeeded === size ? 'holds' : 'broken';
}

/** By tasks: the shown state of the upstream task of the same index. */
export function byTask(after: 'success' | 'end', shown: TaskState): DependencyState {
  if (!isTerminal(shown)) return 'open';
  return after === 'end' || shown === 'succeeded' ? 'holds' : 'broken';
}

/** All must hold; one broken is enough. */
export function allOf(states: Iterable<DependencyState>): DependencyState {
  let all: DependencyState = 'holds';
  for (const state of states) {
    if (state === 'broken') return 'broken';
    if (state === 'open') all = 'open';
  }
  return all;
}
